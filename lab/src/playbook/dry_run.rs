//! What a playbook would do, found out by looking alone.

use super::{
    Playbook,
    concurrently::concurrently,
    failure::{Failure, RunError},
    log::Log,
    run::fit,
    secrets::Secrets,
    session::Session,
    shell::Shell,
};
use std::fmt;
use tokio::time::Instant;

/// How many lines of an action are shown.
const ACTION_LINES: usize = 3;

/// What each step would do on each node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DryRun {
    /// The playbook's name.
    pub playbook: String,
    /// Its steps: their names and what they would do, node by node; nodes that a step is not for
    /// are left out.
    pub steps: Vec<(String, Vec<(String, Preview)>)>,
}

/// What a step would do on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preview {
    /// Nothing: it is done.
    Done,
    /// Act.
    WouldAct {
        /// The command at which the check failed, if it is not for the files alone.
        missed: Option<String>,
        /// Files that would be written, each with its mode, and how what is there differs.
        files: Vec<String>,
        /// The action's first lines; a last `…` where there are more.
        action: Vec<String>,
        /// Whether the node would reboot.
        reboot: bool,
    },
}

impl DryRun {
    /// How many times a step would act, over all nodes.
    #[must_use]
    pub fn would_act(&self) -> usize {
        let previews = self.steps.iter().flat_map(|(_, nodes)| nodes);
        previews.filter(|(_, preview)| *preview != Preview::Done).count()
    }
}

/// The nodes in groups of those for which a step would do the same.
fn alike(nodes: &[(String, Preview)]) -> Vec<Vec<&(String, Preview)>> {
    let mut groups: Vec<Vec<&(String, Preview)>> = Vec::new();
    for node in nodes {
        match groups.iter_mut().find(|group| group[0].1 == node.1) {
            Some(group) => group.push(node),
            None => groups.push(vec![node]),
        }
    }
    groups
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "playbook {}", self.playbook)?;
        for (number, (step, nodes)) in self.steps.iter().enumerate() {
            writeln!(f, "{:>2}. {step}", number + 1)?;
            for alike in alike(nodes) {
                let names: Vec<&str> = alike.iter().map(|(node, _)| node.as_str()).collect();
                let names = names.join(", ");
                let Some((_, Preview::WouldAct { missed, files, action, reboot })) = alike.first()
                else {
                    writeln!(f, "    {names}: done")?;
                    continue;
                };
                match missed {
                    Some(missed) => {
                        writeln!(f, "    {names}: would act, its check fails at {missed}")?;
                    }
                    None => writeln!(f, "    {names}: would act")?,
                }
                for file in files {
                    writeln!(f, "        write {file}")?;
                }
                for line in action {
                    writeln!(f, "        | {line}")?;
                }
                if *reboot {
                    writeln!(f, "        reboot")?;
                }
            }
        }
        match self.would_act() {
            0 => f.write_str("no step would act\n"),
            // What the first of them makes, the others may have waited for.
            count => writeln!(f, "{count} would act, as far as can be seen before the first has"),
        }
    }
}

/// Looks at every step of every node, and changes nothing. A step that waits for an earlier one
/// is seen as it is now.
///
/// # Errors
/// When the playbooks do not fit together, or a node cannot be looked at.
pub async fn dry_run<S: Shell>(
    playbooks: &[Playbook],
    nodes: &mut [S],
    secrets: &Secrets,
) -> Result<DryRun, RunError> {
    fit(playbooks, nodes)?;
    let all = nodes.iter_mut().zip(playbooks).enumerate();
    let all = all.map(|(index, (shell, playbook))| look(index, shell, playbook, secrets));
    let (mut columns, mut failures) = (Vec::new(), Vec::new());
    for result in concurrently(all).await {
        match result {
            Ok(column) => columns.push(column),
            Err(failure) => failures.push(*failure),
        }
    }
    if !failures.is_empty() {
        return Err(RunError::Failed(failures));
    }
    let one = playbooks.first();
    let steps = one.map_or(&[][..], |playbook| &playbook.steps).iter().enumerate();
    let steps = steps.map(|(place, step)| {
        let nodes = nodes.iter().zip(&columns).filter_map(|(node, column)| {
            Some((node.name().to_owned(), column.get(place)?.clone()?))
        });
        (step.name.clone(), nodes.collect())
    });
    let playbook = one.map_or_else(String::new, |playbook| playbook.name.clone());
    Ok(DryRun { playbook, steps: steps.collect() })
}

async fn look<S: Shell>(
    index: usize,
    shell: &mut S,
    playbook: &Playbook,
    secrets: &Secrets,
) -> Result<Vec<Option<Preview>>, Box<Failure>> {
    let mut column = Vec::new();
    for (place, step) in playbook.steps.iter().enumerate() {
        if !step.on.includes(index) {
            column.push(None);
            continue;
        }
        let mut session = Session {
            shell: &mut *shell,
            step,
            number: (place + 1, playbook.steps.len()),
            secrets,
            log: Log::none(secrets),
            until: Instant::now() + step.deadline.duration(),
        };
        if let Some(failure) = session.missing_secret() {
            return Err(failure);
        }
        let look = session.look(true).await?;
        if look.is_done() {
            column.push(Some(Preview::Done));
            continue;
        }
        let action = step.action.as_deref().unwrap_or_default();
        let mut lines =
            action.lines().filter(|line| !line.trim().is_empty()).map(ToOwned::to_owned);
        let mut first: Vec<String> = lines.by_ref().take(ACTION_LINES).collect();
        first.extend(lines.next().map(|_| "…".to_owned()));
        let files = look.files.iter().filter_map(|(place, change)| {
            let file = step.files.get(*place)?;
            Some(format!("{} ({}), which {change}", file.path, file.mode))
        });
        column.push(Some(Preview::WouldAct {
            files: files.collect(),
            missed: look.missed,
            action: first,
            reboot: step.reboot,
        }));
    }
    Ok(column)
}
