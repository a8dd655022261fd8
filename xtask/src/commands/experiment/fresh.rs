//! A run that begins: from files and options to a task, and its folder.

use super::{Task, checked::Checked};
use crate::{
    cli::ExperimentArgs,
    color::ColorChoice,
    equipment::{self, Equipped},
    exit::{Exit, Failure, Result},
    files, provenance, qemus,
};
use camino::Utf8PathBuf;
use harness::{
    experiment::{self, Experiment},
    plan::Plan,
    run_folder::{Host, MANIFEST_SCHEMA, Manifest, Qemu, RunFolder, RunWriter},
    settings::QemuName,
};
use lab::spec::LabSpec;
use std::collections::BTreeMap;

const EXPERIMENT: &str = "experiments/quick.yaml";
const LAB: &str = "labs/local.yaml";

pub fn experiment_file(args: &ExperimentArgs) -> Utf8PathBuf {
    args.file.clone().unwrap_or_else(|| files::shipped(EXPERIMENT))
}

fn lab_file(args: &ExperimentArgs) -> Utf8PathBuf {
    args.lab.clone().unwrap_or_else(|| files::shipped(LAB))
}

/// Reads both files and plans.
pub fn task(args: &ExperimentArgs, colors: ColorChoice) -> Result<Task> {
    let read = Experiment::read(&experiment_file(args), &qemus::by_name(&args.qemus));
    let mut experiment = files::checked(read, colors, args.json)?;
    qemus::absolute(&mut experiment)?;
    let spec = files::checked(LabSpec::read(&lab_file(args)), colors, args.json)?;
    files::checked(experiment::fits(&experiment_file(args), &spec), colors, args.json)?;
    let shard = args.shard.map(|shard| (shard.index, shard.count));
    let plan = plan(&experiment, Migrates::on(&spec), args.filter.as_deref(), shard)?;
    Ok(Task { experiment, spec, plan })
}

/// What the trials of a lab migrate, on how many nodes.
#[derive(Clone, Copy)]
pub enum Migrates {
    /// Each a guest of its own.
    Own(usize),
    /// All of them the same one.
    Same(usize),
}

impl Migrates {
    /// On this lab.
    pub fn on(spec: &LabSpec) -> Self {
        let nodes = spec.nodes.len();
        if spec.existing().is_some() { Self::Same(nodes) } else { Self::Own(nodes) }
    }
}

/// The plan, or the part of it that was asked for.
pub fn plan(
    experiment: &Experiment,
    migrates: Migrates,
    filter: Option<&str>,
    shard: Option<(u32, u32)>,
) -> Result<Plan> {
    let invalid = |error: harness::plan::SelectError| {
        let text = lab::yaml::with_hint(&error, error.hint());
        Failure::new(Exit::InvalidInput, anyhow::anyhow!("{text}"))
    };
    let mut plan = match migrates {
        Migrates::Own(nodes) => Plan::new(experiment, nodes),
        Migrates::Same(nodes) => Plan::of_one_guest(experiment, nodes),
    };
    if let Some(filter) = filter {
        plan = plan.filter(filter).map_err(invalid)?;
    }
    if let Some((index, count)) = shard {
        plan = plan.shard(index, count).map_err(invalid)?;
    }
    Ok(plan)
}

/// Makes the run's folder with its manifest.
pub fn folder(
    args: &ExperimentArgs,
    task: &Task,
    equipped: &Equipped,
    checked: Checked,
    warnings: Vec<String>,
) -> Result<RunWriter> {
    let base = args.out.clone().unwrap_or_else(|| files::shipped("runs"));
    let now = jiff::Timestamp::now();
    let writer = RunFolder::create(&base, &task.experiment.name, now)?;
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        run: writer.folder().name().to_owned(),
        created: now,
        name: task.experiment.name.clone(),
        experiment_file: Some(experiment_file(args)),
        experiment: serde_json::to_value(&task.experiment)?,
        plan_hash: provenance::plan_hash(&task.plan)?,
        planned_trials: u32::try_from(task.plan.trials.len())?,
        planned_cells: u32::try_from(task.plan.cells.len())?,
        lab_file: Some(lab_file(args)),
        lab: serde_json::to_value(&task.spec)?,
        seed: task.experiment.seed,
        versions: provenance::versions().into_iter().chain(equipped.versions.clone()).collect(),
        host: Host {
            kernel: equipment::kernel(),
            cpu_model: equipment::cpu_model(),
            cpu_count: std::thread::available_parallelism()
                .map_or(1, |n| u32::try_from(n.get()).unwrap_or(1)),
            memory_bytes: provenance::memory_bytes(),
        },
        nodes: equipped.nodes.clone(),
        accelerator: equipped.equipment.accelerator.name().to_owned(),
        accelerator_reason: equipped.accelerator_reason.clone(),
        guest: equipped.guest.clone(),
        qemu: equipped.qemu.clone(),
        qemus: by_text(equipped.equipment.qemus()),
        machine: equipped.equipment.machine().map(str::to_owned),
        git: provenance::git(),
        harness_version: env!("CARGO_PKG_VERSION").to_owned(),
        metric_definitions: harness::metric::DEFINITIONS,
        link_checks: checked.links,
        lab_checks: vec![checked.lab],
        filter: args.filter.clone(),
        shard: args.shard.map(|shard| format!("{}/{}", shard.index, shard.count)),
        warnings,
    };
    writer.write_manifest(&manifest)?;
    Ok(writer)
}

/// The QEMUs that take part, as a manifest has them.
pub fn by_text(qemus: &BTreeMap<QemuName, Qemu>) -> BTreeMap<String, Qemu> {
    qemus.iter().map(|(name, qemu)| (name.to_string(), qemu.clone())).collect()
}
