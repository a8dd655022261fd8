//! `experiment`: lab up, every trial, table, report, lab down.

mod checked;
mod existing;
mod fresh;
pub mod progress;
mod resume;
mod without_lab;

use crate::{
    build::Built,
    cli::ExperimentArgs,
    color::{ColorChoice, Paint},
    commands::lab_check,
    equipment::{self, Equipped},
    exit::{self, Exit, Failure},
    interrupt, judging, labs, qemus, show,
};
use harness::{
    experiment::Experiment,
    plan::{Plan, render_plan},
    run::{RunEnd, RunError, Runner},
    run_folder::RunWriter,
    trial::{self, Equipment},
};
use lab::{
    RunningLab,
    hypervisor::proxmox::Client,
    spec::{HypervisorKind, LabSpec, Provider},
    state,
    units::{BitRate, Millis},
};

/// What is to be run, before anything is started.
struct Task {
    experiment: Experiment,
    spec: LabSpec,
    plan: Plan,
}

/// Runs the command.
///
/// # Errors
/// For what is wrong with the input or this machine, for a lab that breaks, and when interrupted.
pub fn run(args: &ExperimentArgs, colors: ColorChoice) -> exit::Result {
    let resumed = args.resume.as_deref().map(resume::open).transpose()?;
    if without_lab::is_meant(args, resumed.as_ref()) {
        return without_lab::run(args, colors, resumed);
    }
    let task = match &resumed {
        Some(resumed) => resumed.task(&qemus::by_name(&args.qemus))?,
        None => fresh::task(args, colors)?,
    };
    labs::fits(&task.experiment, &task.spec)?;
    if args.plan {
        let lab_rate = task.spec.networks.migration.link_rate;
        return print_plan(args, &task.experiment, &task.plan, &task.spec.nodes, lab_rate);
    }
    labs::can_be_measured(&task.spec)?;
    // What lies on other machines can be looked at only when they are there.
    let here = task.spec.provider == Provider::Netns;
    let named = if here { Some(qemus::find(&task.experiment)?) } else { None };
    let client = task.spec.api().map(|_| equipment::proxmox::client(&task.spec)).transpose()?;
    labs::ensure_programs(&task.spec, args.install, colors)?;
    let _alone = state::measuring_lock().map_err(|error| Failure::new(Exit::Lab, error))?;
    let built = equipment::built()?;
    let equipped = match named {
        Some(named) => Ready::Here(Box::new(equipment::equip(&task.spec, &named, built)?)),
        None => Ready::OnNodes(built, client.map(Box::new)),
    };
    if let Ready::Here(equipped) = &equipped {
        accept(equipped, resumed.as_ref())?;
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(args, colors, task, equipped, resumed))
}

/// What trials are made with, before the lab is up.
enum Ready {
    /// All of it.
    Here(Box<Equipped>),
    /// What is ours, and of a cluster its API; the rest is on the nodes.
    OnNodes(Built, Option<Box<Client>>),
}

/// Tells what trials are made with, and refuses it where a run was begun with something else.
fn accept(equipped: &Equipped, resumed: Option<&resume::Resumed>) -> exit::Result {
    show::tell(&format!(
        "QEMU {} with {} ({})",
        versions(equipped),
        equipped.equipment.accelerator.name().to_uppercase(),
        equipped.accelerator_reason
    ));
    resumed.map_or(Ok(()), |resumed| resumed.same_equipment(equipped))
}

/// The QEMUs that take part, as a line of progress.
fn versions(equipped: &Equipped) -> String {
    let (qemus, machine) = (equipped.equipment.qemus(), equipped.equipment.machine());
    let bare = |version: &str| version.split(' ').next().unwrap_or_default().to_owned();
    let named = qemus.iter().map(|(name, qemu)| format!("`{name}` {}", bare(&qemu.version)));
    let named = named.collect::<Vec<_>>().join(", ");
    match machine {
        _ if qemus.is_empty() => bare(&equipped.qemu.version),
        Some(machine) => format!("{named}, machine {machine},"),
        None => named,
    }
}

fn print_plan(
    args: &ExperimentArgs,
    experiment: &Experiment,
    plan: &Plan,
    nodes: &[String],
    lab_rate: Option<BitRate>,
) -> exit::Result {
    if args.json {
        let seconds = |plan: &Plan| plan.estimate(experiment, lab_rate).as_secs_f64();
        let least = plan.at_least(experiment);
        let plan = serde_json::json!({
            "experiment": experiment.name, "trials": plan.trials.len(),
            "estimated_s": seconds(plan), "trials_at_least": least.trials.len(),
            "estimated_at_least_s": seconds(&least), "plan": plan,
        });
        show::print(&format!("{}\n", serde_json::to_string_pretty(&plan)?));
    } else {
        show::print(&render_plan(plan, experiment, nodes, lab_rate));
    }
    Ok(())
}

async fn measure(
    args: &ExperimentArgs,
    colors: ColorChoice,
    task: Task,
    ready: Ready,
    resumed: Option<resume::Resumed>,
) -> exit::Result {
    let interrupt = interrupt::Interrupt::listen()?;
    let lab = labs::for_experiment(&task.spec, args.keep_lab)
        .await
        .map_err(|error| Failure::new(Exit::Lab, error))?;
    let measuring = measure_on(args, colors, &task, &lab, ready, resumed, &interrupt);
    let measured = Box::pin(measuring).await;
    // First, for a reader of stdout that has gone ends the program.
    let closed = lab.close(&mut show::tell).await;
    let (writer, end) = measured?;
    let shown = ended(args, colors, &writer, end);
    closed.map_err(|error| Failure::new(Exit::Lab, error))?;
    shown
}

/// Runs what is left of the plan on a lab that is up.
async fn measure_on(
    args: &ExperimentArgs,
    colors: ColorChoice,
    task: &Task,
    lab: &RunningLab,
    ready: Ready,
    resumed: Option<resume::Resumed>,
    interrupt: &interrupt::Interrupt,
) -> Result<(RunWriter, Result<RunEnd, RunError>), Failure> {
    let equipped = match ready {
        Ready::Here(equipped) => *equipped,
        Ready::OnNodes(built, client) => {
            let patience = args.node_patience.map_or(equipment::NODE_PATIENCE, Millis::duration);
            let home = resumed.as_ref().map(resume::Resumed::home).transpose()?.flatten();
            let equipping = async {
                match (client, task.spec.hypervisor) {
                    (Some(client), _) => {
                        let access = equipment::proxmox::Access::of(*client);
                        equipment::proxmox::equip(lab, access, built, patience, home).await
                    }
                    (None, HypervisorKind::Proxmox) => {
                        let access = equipment::proxmox::Access::of_made(lab).await?;
                        equipment::proxmox::equip(lab, access, built, patience, home).await
                    }
                    (None, HypervisorKind::Qemu) => {
                        equipment::equip_nodes(lab, &task.experiment, built, patience).await
                    }
                }
            };
            let equipped = tokio::select! {
                equipped = equipping => equipped?,
                () = interrupt.wait() => return Err(Failure::shown(Exit::Interrupted)),
            };
            accept(&equipped, resumed.as_ref())?;
            equipped
        }
    };
    has_storage(lab, task)?;
    sweep(&equipped.equipment).await.map_err(|error| Failure::new(Exit::Lab, error))?;
    let checked = checked::check(lab, task, &equipped)
        .await
        .map_err(|error| Failure::new(Exit::Lab, error))?;
    let warnings = equipped.warnings.clone();
    let paint = Paint::stderr(colors);
    for warning in &warnings {
        show::tell(&format!("{} {warning}", paint.warning("warning:")));
    }
    lab_check::warn(&checked.lab, paint);
    let lab_faults = checked.lab.faults();
    let mut writer = match resumed {
        Some(resumed) => resumed.writer(Some(checked), warnings)?,
        None => fresh::folder(args, task, &equipped, checked, warnings)?,
    };
    for warning in writer.warnings() {
        show::tell(&format!("{} {warning}", paint.warning("warning:")));
    }
    existing::keep_home(&writer, &equipped.equipment)?;
    let mut progress = progress::Progress::new(
        &task.plan,
        writer.finished(),
        &task.experiment,
        lab.spec.networks.migration.link_rate,
        colors,
    );
    let runner = Runner {
        lab,
        equipment: &equipped.equipment,
        experiment: &task.experiment,
        plan: &task.plan,
        lab_faults: &lab_faults,
        intervention: None,
    };
    let end =
        runner.run(&mut writer, interrupt.wait(), &mut |happening| progress.show(&happening)).await;
    progress.clear();
    existing::put_back(&equipped.equipment, task.experiment.max_time.duration(), paint).await;
    labs::restore_links(lab).await;
    // What was broken off has left its guest; so has a trial that has lost a node.
    if let Err(error) = sweep(&equipped.equipment).await {
        let words = "a guest of ours may be left on the cluster, until the next run";
        show::tell(&format!("{} {words}: {error:#}", paint.warning("warning:")));
    }
    Ok((writer, end))
}

/// Removes guests of ours that earlier trials have left, and says so.
async fn sweep(equipment: &Equipment) -> anyhow::Result<()> {
    trial::sweep(equipment).await?.iter().for_each(|words| show::tell(words));
    Ok(())
}

/// Shows what there is of a run, however it ended.
fn ended(
    args: &ExperimentArgs,
    colors: ColorChoice,
    writer: &RunWriter,
    end: Result<RunEnd, RunError>,
) -> exit::Result {
    let folder = writer.folder().path();
    let resume_hint = format!("`cargo xtask experiment --resume {folder}` runs the missing trials");
    let shown = finish(args, colors, writer, matches!(end, Ok(RunEnd::Finished)));
    match end {
        Ok(RunEnd::Finished) => shown,
        // How it ended outweighs what it was found to be so far.
        Ok(RunEnd::Interrupted) => {
            drop(shown);
            show::tell(&format!("\ninterrupted; what was finished is kept\n\nhint: {resume_hint}"));
            Err(Failure::shown(Exit::Interrupted))
        }
        Err(RunError::Lost(lost)) => {
            drop(shown);
            Err(Failure::new(Exit::Lab, anyhow::anyhow!("{lost}\n\nhint: {resume_hint}")))
        }
        Err(error) => Err(Failure::new(Exit::Failure, error)),
    }
}

/// A guest's disk lies on a storage that all nodes share.
fn has_storage(lab: &RunningLab, task: &Task) -> exit::Result {
    let disks = task.plan.cells.iter().any(|cell| !cell.settings.disk.is_none());
    if !disks || lab.nodes.iter().all(|node| node.storage.is_some()) {
        return Ok(());
    }
    let text = "the experiment's guests have disks, and this lab has no storage that all its nodes share\n\n\
                hint: name one in the lab file, `storage: { nfs: { server: … } }` or `storage: { directory: … }`";
    Err(Failure::new(Exit::InvalidInput, anyhow::anyhow!(text)))
}

/// Judges the run, writes summary and report, prints the table and the verdict, or JSON. Only a
/// whole run is proposed as a baseline.
fn finish(
    args: &ExperimentArgs,
    colors: ColorChoice,
    writer: &RunWriter,
    finished: bool,
) -> exit::Result {
    let folder = writer.folder();
    // Damage of a resumed run has been told when it was opened.
    let mut shown = show::Shown::read(folder)?;
    let baselines = judging::folder(args.baselines.folder.as_deref());
    // What was measured is shown even where it cannot be judged.
    let judged = shown.judge(&baselines, finished && shown.is_of_the_whole_plan(), colors);
    shown.write_report()?;
    if args.json {
        show::print(&shown.json()?);
    } else {
        show::print(&shown.table(colors));
        show::tell(&format!("\nreport: {}", folder.report_path()));
    }
    let judged = judged?;
    judging::tell(&judged, folder.path());
    judging::exit(judged.judgement.map(|judgement| judgement.verdict), args.fail_on)
}
