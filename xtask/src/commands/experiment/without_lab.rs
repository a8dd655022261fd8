//! An experiment on the model lab: no setup, no lab, no guest; every trial is computed.

use super::{ended, fresh, print_plan, progress, resume};
use crate::{
    cli::ExperimentArgs,
    color::{ColorChoice, Paint},
    exit::{Exit, Failure, Result},
    files, interrupt, provenance, qemus, show,
};
use anyhow::{Context, anyhow};
use camino::Utf8PathBuf;
use harness::{
    aa_pool,
    experiment::Experiment,
    model_lab::{ACCELERATOR, ModelLab, VirtualTrials, unknown_to_the_model},
    plan::Plan,
    run::Script,
    run_folder::{Guest, Host, MANIFEST_SCHEMA, Manifest, Qemu, RunFolder, RunWriter},
};
use std::collections::BTreeMap;

/// What stands in a manifest for what took no part.
const NONE: &str = "none";

/// Whether the command asks for the model lab, or goes on with a run of it.
pub fn is_meant(args: &ExperimentArgs, resumed: Option<&resume::Resumed>) -> bool {
    match resumed {
        Some(resumed) => resumed.manifest().accelerator == ACCELERATOR,
        // A file of that name can be named by `./model`.
        None => args.lab.as_deref().is_some_and(|lab| lab == ModelLab::NAME),
    }
}

/// Runs the command.
///
/// # Errors
/// For what is wrong with the input, and when interrupted.
pub fn run(args: &ExperimentArgs, colors: ColorChoice, resumed: Option<resume::Resumed>) -> Result {
    let lab = match &resumed {
        Some(resumed) => serde_json::from_value(resumed.manifest().lab.clone())
            .context("failed to understand the lab in the run's manifest")?,
        None => ModelLab::default(),
    };
    let (experiment, plan) = match &resumed {
        Some(resumed) => resumed.planned(fresh::Migrates::Own(lab.nodes.len()))?,
        None => planned(args, colors, &lab)?,
    };
    if args.plan {
        let shown = print_plan(args, &experiment, &plan, &lab.nodes, Some(lab.link_rate()));
        show::tell("these are a real lab's times: the model lab computes them at once");
        return shown;
    }
    for option in [("--install", args.install), ("--keep-lab", args.keep_lab)] {
        if let (name, true) = option {
            show::tell(&format!(
                "`{name}` is ignored: the model lab needs nothing and leaves nothing"
            ));
        }
    }
    let writer = match resumed {
        Some(resumed) => {
            same_noise(resumed.manifest())?;
            resumed.writer(None, Vec::new())?
        }
        None => folder(args, colors, &lab, &experiment, &plan)?,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(compute(args, colors, &lab, &experiment, &plan, writer))
}

fn planned(
    args: &ExperimentArgs,
    colors: ColorChoice,
    lab: &ModelLab,
) -> Result<(Experiment, Plan)> {
    let read = Experiment::read(&fresh::experiment_file(args), &qemus::by_name(&args.qemus));
    let experiment = files::checked(read, colors, args.json)?;
    let shard = args.shard.map(|shard| (shard.index, shard.count));
    let plan = fresh::plan(
        &experiment,
        fresh::Migrates::Own(lab.nodes.len()),
        args.filter.as_deref(),
        shard,
    )?;
    Ok((experiment, plan))
}

async fn compute(
    args: &ExperimentArgs,
    colors: ColorChoice,
    lab: &ModelLab,
    experiment: &Experiment,
    plan: &Plan,
    mut writer: RunWriter,
) -> Result {
    let interrupt = interrupt::Interrupt::listen()?;
    let rate = Some(lab.link_rate());
    let progress = progress::Progress::new(plan, writer.finished(), experiment, rate, colors);
    let mut progress = progress.without_eta();
    let before = writer.folder().records()?.records;
    let mut trials = VirtualTrials::new(lab, experiment.seed, &before);
    writer.do_not_sync();
    let script = Script { experiment, plan };
    let end = script
        .run(&mut trials, &mut writer, interrupt.wait(), &mut |happening| progress.show(&happening))
        .await;
    progress.clear();
    ended(args, colors, &writer, end)
}

/// Makes the run's folder. What took no part is called `none`, not left to be guessed: neither
/// this machine nor a QEMU has any influence on the records.
fn folder(
    args: &ExperimentArgs,
    colors: ColorChoice,
    lab: &ModelLab,
    experiment: &Experiment,
    plan: &Plan,
) -> Result<RunWriter> {
    let base = args.out.clone().unwrap_or_else(|| files::shipped("runs"));
    let now = jiff::Timestamp::now();
    let warnings = unknown_to_the_model(experiment);
    let paint = Paint::stderr(colors);
    for warning in &warnings {
        show::tell(&format!("{} {warning}", paint.warning("warning:")));
    }
    let writer = RunFolder::create(&base, &experiment.name, now)?;
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        run: writer.folder().name().to_owned(),
        created: now,
        name: experiment.name.clone(),
        experiment_file: Some(fresh::experiment_file(args)),
        experiment: serde_json::to_value(experiment)?,
        plan_hash: provenance::plan_hash(plan)?,
        planned_trials: u32::try_from(plan.trials.len())?,
        planned_cells: u32::try_from(plan.cells.len())?,
        lab_file: Some(Utf8PathBuf::from(ModelLab::NAME)),
        lab: serde_json::to_value(lab)?,
        seed: experiment.seed,
        versions: versions(),
        host: Host {
            kernel: NONE.to_owned(),
            cpu_model: NONE.to_owned(),
            cpu_count: 0,
            memory_bytes: 0,
        },
        nodes: Vec::new(),
        accelerator: ACCELERATOR.to_owned(),
        accelerator_reason: "no guest was run: the model computes each trial".to_owned(),
        guest: Guest { kind: NONE.to_owned(), sha256: NONE.to_owned() },
        qemu: Qemu {
            path: Utf8PathBuf::from(NONE),
            version: NONE.to_owned(),
            sha256: NONE.to_owned(),
        },
        qemus: BTreeMap::new(),
        machine: None,
        metric_definitions: harness::metric::DEFINITIONS,
        git: provenance::git(),
        harness_version: env!("CARGO_PKG_VERSION").to_owned(),
        link_checks: Vec::new(),
        lab_checks: Vec::new(),
        filter: args.filter.clone(),
        shard: args.shard.map(|shard| format!("{}/{}", shard.index, shard.count)),
        warnings,
    };
    writer.write_manifest(&manifest)?;
    Ok(writer)
}

/// What its records follow from besides experiment and program.
fn versions() -> BTreeMap<String, String> {
    [(NOISE.to_owned(), format!("SHA-256 {}", provenance::sha256(aa_pool::TEXT.as_bytes())))].into()
}

const NOISE: &str = "noise";

/// Trials of one run must have the same noise.
fn same_noise(manifest: &Manifest) -> Result {
    if manifest.versions == versions() {
        return Ok(());
    }
    let text = "the noise of the model lab was another when this run was begun; its trials would not be comparable\n\n\
                hint: begin a new run";
    Err(Failure::new(Exit::InvalidInput, anyhow!(text)))
}
