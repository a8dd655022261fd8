//! Runs a playbook on the nodes of a lab.

use super::{
    Playbook, Step,
    concurrently::concurrently,
    failure::{Failure, Part, RunError, What},
    log::Log,
    progress::{Doing, Event, NodeSummary, Summary},
    secrets::Secrets,
    session::{Look, Session},
    shell::Shell,
    types::Order,
};
use anyhow::Result;
use camino::Utf8Path;
use std::fmt;
use tokio::time::Instant;

/// What a run is given besides playbooks and nodes.
pub struct Setup<'a, R> {
    /// The lab's folder; what steps say is appended to `steps/<number>-<name>/<node>.log` there.
    pub folder: &'a Utf8Path,
    /// What steps may ask for.
    pub secrets: &'a Secrets,
    /// How a node is rebooted.
    pub reboot: R,
    /// Is told of each change.
    pub progress: &'a (dyn Fn(&Event) + Sync),
}

impl<R> fmt::Debug for Setup<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Reboots nodes. Only a provider knows how one comes back.
pub trait Reboot<S>: Sync {
    /// Reboots the node and waits until it has come back, with nothing of what ran before. Gives
    /// the shell of the node that is back. Dropped when the step's deadline is over.
    ///
    /// # Errors
    /// When it does not come back.
    fn reboot(&self, node: &S) -> impl Future<Output = Result<S>> + Send;
}

/// For nodes that cannot be rebooted.
#[derive(Clone, Copy, Debug)]
pub struct CannotReboot;

impl<S: Sync> Reboot<S> for CannotReboot {
    async fn reboot(&self, _: &S) -> Result<S> {
        anyhow::bail!("the nodes of this lab cannot be rebooted")
    }
}

/// Runs a playbook: `playbooks` and `nodes` in the lab's order, one playbook for each node. A
/// node that was rebooted is another one afterwards, in `nodes`, too.
///
/// What is done already is found out first, on all nodes at once; what is not is then made, step
/// after step. When a step fails on a node, the other nodes finish it and no further step begins.
/// Nothing is remembered but what the nodes say: after a failure, or when this future was dropped
/// or the program killed, running it again goes on where it was. The caller sees to it that only
/// one runs on a lab.
///
/// # Errors
/// When the playbooks do not fit together, or a step fails.
pub async fn run<S: Shell, R: Reboot<S>>(
    playbooks: &[Playbook],
    nodes: &mut [S],
    setup: &Setup<'_, R>,
) -> Result<Summary, RunError> {
    fit(playbooks, nodes)?;
    let steps = playbooks.first().map_or(0, |playbook| playbook.steps.len());
    let mut summary = Summary::default();
    for node in nodes.iter() {
        let name = node.name().to_owned();
        summary.nodes.push(NodeSummary { name, ..NodeSummary::default() });
    }
    let survey = survey(playbooks, nodes, setup).await?;
    // Until somebody acts, what was seen is true; and nobody acts before this step.
    let first = survey.iter().map(|seen| seen.done).min().unwrap_or(steps);
    for (seen, node) in survey.iter().zip(&mut summary.nodes) {
        for event in seen.events.iter().filter(|event| event.number.0 <= first) {
            (setup.progress)(event);
            node.already_done += 1;
        }
    }
    let mut looks: Vec<Option<Look>> = survey
        .into_iter()
        .map(|seen| match seen.done == first {
            true => seen.look,
            false => Some(Look { files: Vec::new(), missed: None }),
        })
        .collect();
    // It may have been cut off before the others got what was left for them. Where nothing is to be
    // done nobody needs it any more.
    for index in (0..first).filter(|_| first < steps) {
        share(playbooks, nodes, index, setup).await?;
    }
    for index in first..steps {
        let Some(one) = playbooks.first().map(|playbook| &playbook.steps[index]) else { break };
        let todo = nodes.iter_mut().zip(playbooks).zip(&mut looks).enumerate();
        let todo = todo.filter(|(node, _)| one.on.includes(*node));
        let todo = todo.map(|(node, ((shell, playbook), look))| {
            let session = Session {
                shell,
                step: &playbook.steps[index],
                number: (index + 1, steps),
                secrets: setup.secrets,
                log: Log::none(setup.secrets),
                until: Instant::now(),
            };
            // What was seen of a later step may not be true any more: somebody has acted.
            let look = look.take().filter(|_| index == first);
            async move { (node, perform(session, look, setup).await) }
        });
        let results = match one.order {
            Order::Parallel => concurrently(todo).await,
            Order::Serial => {
                let mut results = Vec::new();
                for node in todo {
                    results.push(node.await);
                    if results.last().is_some_and(|(_, result)| result.is_err()) {
                        break;
                    }
                }
                results
            }
        };
        let mut failures = Vec::new();
        for (node, result) in results {
            match result {
                Ok(true) => summary.nodes[node].acted.push(one.name.clone()),
                Ok(false) => summary.nodes[node].already_done += 1,
                Err(failure) => failures.push(*failure),
            }
        }
        if !failures.is_empty() {
            return Err(RunError::Failed(failures));
        }
        share(playbooks, nodes, index, setup).await?;
    }
    Ok(summary)
}

/// Gives the other nodes what a step has left on the first.
async fn share<S: Shell, R>(
    playbooks: &[Playbook],
    nodes: &mut [S],
    index: usize,
    setup: &Setup<'_, R>,
) -> Result<(), RunError> {
    let Some(playbook) = playbooks.first() else { return Ok(()) };
    let step = &playbook.steps[index];
    if step.collect.iter().all(|collect| collect.share.is_none()) {
        return Ok(());
    }
    let Some((first, others)) = nodes.split_first_mut() else { return Ok(()) };
    let from = first.name();
    let all = others.iter_mut().zip(&playbooks[1..]).map(|(shell, playbook)| {
        let mut session = Session {
            shell,
            step: &playbook.steps[index],
            number: (index + 1, playbook.steps.len()),
            secrets: setup.secrets,
            log: Log::none(setup.secrets),
            until: Instant::now() + step.deadline.duration(),
        };
        async move { session.receive(setup.folder, from).await }
    });
    let failures = concurrently(all).await.into_iter().filter_map(Result::err);
    let failures: Vec<Failure> = failures.map(|failure| *failure).collect();
    if failures.is_empty() { Ok(()) } else { Err(RunError::Failed(failures)) }
}

/// The same steps for every node, and a playbook for each.
pub(super) fn fit<S: Shell>(playbooks: &[Playbook], nodes: &[S]) -> Result<(), RunError> {
    if playbooks.len() != nodes.len() {
        let message = format!("{} playbooks for {} nodes", playbooks.len(), nodes.len());
        return Err(RunError::Unfit(message));
    }
    let shape = |playbook: &Playbook| -> Vec<_> {
        playbook.steps.iter().map(|step| (step.name.clone(), step.on, step.order)).collect()
    };
    for (pair, names) in playbooks.windows(2).zip(nodes.windows(2)) {
        if shape(&pair[0]) != shape(&pair[1]) {
            return Err(RunError::Unfit(format!(
                "the playbook `{}` has other steps on {} than on {}\n\nhint: every node has the \
                 same steps, with the same `on` and `order`; what a step does may differ",
                pair[0].name,
                names[1].name(),
                names[0].name(),
            )));
        }
    }
    Ok(())
}

/// What was seen on a node before anybody acted.
struct Seen {
    /// How many steps from the first are done, or are not for this node.
    done: usize,
    /// What the first looks like that is not.
    look: Option<Look>,
    /// That each of the others for this node was done, to be told once it is sure to stay so.
    events: Vec<Event>,
}

/// Looks, on every node at its own pace, up to the first step that is not done. So a lab on which
/// all is done says so without one node waiting for another.
async fn survey<S: Shell, R>(
    playbooks: &[Playbook],
    nodes: &mut [S],
    setup: &Setup<'_, R>,
) -> Result<Vec<Seen>, RunError> {
    let all =
        nodes.iter_mut().zip(playbooks).enumerate().map(|(index, (shell, playbook))| async move {
            survey_node(index, shell, playbook, setup).await
        });
    let mut seen = Vec::new();
    let mut failures = Vec::new();
    for result in concurrently(all).await {
        match result {
            Ok(node) => seen.push(node),
            Err(failure) => failures.push(*failure),
        }
    }
    if failures.is_empty() { Ok(seen) } else { Err(RunError::Failed(failures)) }
}

async fn survey_node<S: Shell, R>(
    index: usize,
    shell: &mut S,
    playbook: &Playbook,
    setup: &Setup<'_, R>,
) -> Result<Seen, Box<Failure>> {
    let steps = playbook.steps.len();
    let mut events = Vec::new();
    for (place, step) in playbook.steps.iter().enumerate() {
        if !step.on.includes(index) {
            continue;
        }
        let mut session = Session {
            shell: &mut *shell,
            step,
            number: (place + 1, steps),
            secrets: setup.secrets,
            log: Log::none(setup.secrets),
            until: Instant::now() + step.deadline.duration(),
        };
        session.open_log(setup.folder)?;
        let started = Instant::now();
        tell(setup, &session, Doing::Looking, started);
        let look = match session.look(false).await {
            Ok(look) => look,
            Err(failure) => {
                tell(setup, &session, Doing::Failed, started);
                return Err(failure);
            }
        };
        if !look.is_done() {
            return Ok(Seen { done: place, look: Some(look), events });
        }
        session.collect(setup.folder).await?;
        events.push(event(&session, Doing::AlreadyDone, started));
    }
    Ok(Seen { done: steps, look: None, events })
}

fn event<S: Shell>(session: &Session<'_, S>, doing: Doing, started: Instant) -> Event {
    Event {
        step: session.step.name.clone(),
        number: session.number,
        node: session.shell.name().to_owned(),
        doing,
        after: started.elapsed(),
    }
}

fn tell<S: Shell, R>(
    setup: &Setup<'_, R>,
    session: &Session<'_, S>,
    doing: Doing,
    started: Instant,
) {
    (setup.progress)(&event(session, doing, started));
}

/// One step on one node, unless it is done. Whether it acted.
async fn perform<S: Shell, R: Reboot<S>>(
    mut session: Session<'_, S>,
    look: Option<Look>,
    setup: &Setup<'_, R>,
) -> Result<bool, Box<Failure>> {
    let started = Instant::now();
    session.until = started + session.step.deadline.duration();
    let result = act(&mut session, look, setup, started).await;
    let doing = match result {
        Ok(true) => Doing::Acted,
        Ok(false) => Doing::AlreadyDone,
        Err(_) => Doing::Failed,
    };
    tell(setup, &session, doing, started);
    result
}

async fn act<S: Shell, R: Reboot<S>>(
    session: &mut Session<'_, S>,
    look: Option<Look>,
    setup: &Setup<'_, R>,
    started: Instant,
) -> Result<bool, Box<Failure>> {
    session.open_log(setup.folder)?;
    let look = match look {
        Some(look) => look,
        None => {
            tell(setup, session, Doing::Looking, started);
            session.look(false).await?
        }
    };
    if look.is_done() {
        session.collect(setup.folder).await?;
        return Ok(false);
    }
    let step: &Step = session.step;
    tell(setup, session, Doing::Acting, started);
    session.write(&look.files).await?;
    if let Some(action) = &step.action {
        session.must(Part::Action, action).await?;
    }
    if step.reboot {
        tell(setup, session, Doing::Rebooting, started);
        let reboot = tokio::time::timeout_at(session.until, setup.reboot.reboot(session.shell));
        *session.shell = match reboot.await {
            Ok(Ok(back)) => back,
            Ok(Err(error)) => return Err(session.failure(Part::Reboot, What::Error(error))),
            Err(_) => {
                let deadline = What::Deadline(step.deadline.duration());
                return Err(session.failure(Part::Reboot, deadline));
            }
        };
    }
    tell(setup, session, Doing::Verifying, started);
    if let Some(verify) = &step.verify {
        session.must(Part::Verify, verify).await?;
    }
    let look = session.look(false).await?;
    if look.is_done() {
        session.collect(setup.folder).await?;
        return Ok(true);
    }
    Err(session.failure(Part::CheckAgain, What::NotDone(look.words(step))))
}

#[cfg(test)]
mod tests;
