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
    /// What a manifest tells is `None` when the folder has lost it.
    experiment: Option<String>,
    created: Option<Timestamp>,
    accelerator: Option<String>,
    qemu: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    qemus: BTreeMap<String, String>,
    finished: usize,
    planned: Option<u32>,
    outcomes: BTreeMap<Outcome, u32>,
    /// Whether a part of the folder cannot be read.
    damaged: bool,
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
        let warn = |text: &str| show::tell(&format!("{} {text}", paint.warning("warning:")));
        match listed(&folder, &warn) {
            Ok(run) if args.experiment.is_some() && args.experiment != run.experiment => {}
            Ok(run) => runs.push(run),
            // One run that cannot be read must not hide the others.
            Err(error) => warn(&format!("{error:#}")),
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

fn listed(folder: &RunFolder, warn: &dyn Fn(&str)) -> anyhow::Result<Listed> {
    let mut outcomes = BTreeMap::new();
    let mut finished = 0;
    let contents = folder.read(|record| {
        finished += 1;
        *outcomes.entry(record.outcome).or_default() += 1;
    })?;
    let damaged = contents.faults.is_damage();
    if damaged {
        for line in contents.faults.lines(Some(folder.path())) {
            warn(&line);
        }
    }
    let manifest = contents.manifest;
    let manifest = manifest.as_ref();
    Ok(Listed {
        name: folder.name().to_owned(),
        experiment: manifest.map(|manifest| manifest.name.clone()),
        created: manifest.map(|manifest| manifest.created),
        accelerator: manifest.map(|manifest| manifest.accelerator.clone()),
        qemu: manifest.map(|manifest| manifest.qemu.version.clone()),
        qemus: manifest
            .into_iter()
            .flat_map(|manifest| &manifest.qemus)
            .map(|(name, qemu)| (name.clone(), qemu.version.clone()))
            .collect(),
        finished,
        planned: manifest.map(|manifest| manifest.planned_trials),
        outcomes,
        damaged,
    })
}

/// The versions that took part, without the distributions' own numbers, which are in the JSON.
fn qemus(run: &Listed) -> Option<String> {
    let bare = |version: &str| version.split(' ').next().unwrap_or_default().to_owned();
    if run.qemus.is_empty() {
        return run.qemu.as_deref().map(bare);
    }
    let versions: BTreeSet<String> = run.qemus.values().map(|version| bare(version)).collect();
    Some(versions.into_iter().collect::<Vec<_>>().join(", "))
}

fn table(runs: &[Listed], colors: ColorChoice) -> String {
    use Align::{Left, Right};
    let head = ["run", "experiment", "begun (UTC)", "QEMU", "accelerator", "trials", "outcomes"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(runs.iter().map(|run| {
        let words = |(outcome, count): (&Outcome, &u32)| format!("{count} {}", outcome.words());
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "?".to_owned());
        let damaged = if run.damaged { " (damaged)" } else { "" };
        [
            format!("{}{damaged}", run.name),
            or_unknown(run.experiment.clone()),
            or_unknown(run.created.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string())),
            or_unknown(qemus(run)),
            or_unknown(run.accelerator.as_ref().map(|name| name.to_uppercase())),
            format!("{}/{}", run.finished, or_unknown(run.planned.map(|n| n.to_string()))),
            run.outcomes.iter().map(words).collect::<Vec<_>>().join(", "),
        ]
    }));
    let mut lines = aligned([Left, Left, Left, Left, Left, Right, Left], &rows);
    if let Some(head) = lines.first_mut() {
        *head = Paint::stdout(colors).strong(head);
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use camino::Utf8Path;
    use std::cell::RefCell;

    /// A damaged run stays in the list, with what is known of it, and its damage is told.
    #[test]
    fn damaged_runs_are_listed() {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path()).unwrap().join("20261122T142130Z-precopy");
        std::fs::create_dir(&path).unwrap();
        let docs = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/precopy-2026-11-22");
        std::fs::copy(docs.join("records.jsonl.gz"), path.join("records.jsonl.gz")).unwrap();
        let told = RefCell::new(Vec::new());
        let warn = |text: &str| told.borrow_mut().push(text.to_owned());
        let without = listed(&RunFolder::open(&path).unwrap(), &warn).unwrap();
        std::fs::copy(docs.join("manifest.json"), path.join("manifest.json")).unwrap();
        let with = listed(&RunFolder::open(&path).unwrap(), &warn).unwrap();
        let told = told.into_inner();
        assert!(told.len() == 1 && told[0].ends_with("manifest.json: there is no such file"));
        insta::assert_snapshot!(table(&[without, with], ColorChoice::Never));
    }
}
