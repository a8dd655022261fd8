//! `runs`: the list of runs, the newest last; or one metric over them.

mod over_time;

use crate::{
    cli::RunsArgs,
    color::{ColorChoice, Paint},
    columns::{Align, aligned},
    exit, files, show,
};
use harness::{record::Outcome, run_folder::RunFolder};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One run, as far as a list shows it.
#[derive(Serialize)]
struct Listed {
    name: String,
    experiment: String,
    created: Timestamp,
    accelerator: String,
    qemu: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    qemus: BTreeMap<String, String>,
    finished: usize,
    planned: u32,
    outcomes: BTreeMap<Outcome, u32>,
}

/// Runs the command.
///
/// # Errors
/// When the folder of the runs cannot be read.
pub fn run(args: &RunsArgs, colors: ColorChoice) -> exit::Result {
    let base = args.out.clone().unwrap_or_else(|| files::shipped("runs"));
    let folders = RunFolder::list(&base)?;
    if let Some(metric) = &args.metric {
        return over_time::run(args, metric, &folders, colors);
    }
    let mut runs = Vec::new();
    let paint = Paint::stderr(colors);
    for folder in folders {
        match listed(&folder) {
            Ok(run) if args.experiment.as_ref().is_some_and(|name| *name != run.experiment) => {}
            Ok(run) => runs.push(run),
            // One run that cannot be read must not hide the others.
            Err(error) => show::tell(&format!("{} {error:#}", paint.warning("warning:"))),
        }
    }
    if args.json {
        show::print(&format!("{}\n", serde_json::to_string_pretty(&runs)?));
    } else if runs.is_empty() {
        show::tell(&format!(
            "there is no run yet in {base}\n\nhint: `cargo xtask experiment` makes one"
        ));
    } else {
        show::print(&table(&runs, colors));
        show::tell("\nhint: `cargo xtask report RUN` shows one, without RUN the last");
    }
    Ok(())
}

fn listed(folder: &RunFolder) -> anyhow::Result<Listed> {
    let manifest = folder.manifest()?;
    let records = folder.records()?.records;
    let mut outcomes = BTreeMap::new();
    for record in &records {
        *outcomes.entry(record.outcome).or_default() += 1;
    }
    Ok(Listed {
        name: folder.name().to_owned(),
        experiment: manifest.name,
        created: manifest.created,
        accelerator: manifest.accelerator,
        qemu: manifest.qemu.version,
        qemus: manifest.qemus.into_iter().map(|(name, qemu)| (name, qemu.version)).collect(),
        finished: records.len(),
        planned: manifest.planned_trials,
        outcomes,
    })
}

/// The versions that took part, without the distributions' own numbers, which are in the JSON.
fn qemus(run: &Listed) -> String {
    let bare = |version: &str| version.split(' ').next().unwrap_or_default().to_owned();
    if run.qemus.is_empty() {
        return bare(&run.qemu);
    }
    let versions: BTreeSet<String> = run.qemus.values().map(|version| bare(version)).collect();
    versions.into_iter().collect::<Vec<_>>().join(", ")
}

fn table(runs: &[Listed], colors: ColorChoice) -> String {
    use Align::{Left, Right};
    let head = ["run", "experiment", "begun (UTC)", "QEMU", "accelerator", "trials", "outcomes"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(runs.iter().map(|run| {
        let words = |(outcome, count): (&Outcome, &u32)| format!("{count} {}", outcome.words());
        [
            run.name.clone(),
            run.experiment.clone(),
            run.created.strftime("%Y-%m-%d %H:%M").to_string(),
            qemus(run),
            run.accelerator.to_uppercase(),
            format!("{}/{}", run.finished, run.planned),
            run.outcomes.iter().map(words).collect::<Vec<_>>().join(", "),
        ]
    }));
    let mut lines = aligned([Left, Left, Left, Left, Left, Right, Left], &rows);
    if let Some(head) = lines.first_mut() {
        *head = Paint::stdout(colors).strong(head);
    }
    lines.join("\n") + "\n"
}
