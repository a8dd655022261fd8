//! `lab-check`: whether a lab is what its file says. Changes nothing.

mod text;

use crate::{
    build,
    cli::LabCheckArgs,
    color::{ColorChoice, Paint},
    exit::{self, Exit, Failure},
    files, labs, setup, show,
};
use camino::Utf8Path;
use harness::{
    lab_check::{self, Asked, Finding, LabCheck, Needs, Rates, tolerance},
    plan::Plan,
    settings::Settings,
};
use lab::{
    hypervisor::{proxmox::Client, qemu::find},
    spec::{LabSpec, Provider},
    state,
};
use serde::Serialize;

/// What QEMU is called on a machine that has it from its distribution.
const QEMU: &str = "qemu-system-x86_64";

/// What `--json` prints.
#[derive(Serialize)]
struct Answer<'a> {
    lab: &'a str,
    passed: bool,
    #[serde(rename = "check")]
    check: &'a LabCheck,
}

/// Runs the command.
///
/// # Errors
/// For what is wrong with the lab's file or this machine, for a lab that does not come up, and
/// when something fails.
pub fn run(args: &LabCheckArgs, colors: ColorChoice) -> exit::Result {
    let spec = files::checked(LabSpec::read(&args.lab.lab), colors, args.json)?;
    let client = spec
        .api()
        .map(|_| Client::of_lab(&spec, |name| std::env::var(name).ok()))
        .transpose()
        .map_err(|error| Failure::new(Exit::InvalidInput, error))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let by_api_alone = client.is_some() && !spec.has_ssh();
    let on_nodes = match by_api_alone {
        true => None,
        false => Some(on_nodes(&spec, &runtime, colors)?),
    };
    let check = match (&client, on_nodes) {
        (None, Some(check)) => check,
        (Some(client), on_nodes) => {
            let needs = Needs::default();
            runtime.block_on(lab_check::check_cluster(&spec, client, &needs, on_nodes))
        }
        (None, None) => return Err(anyhow::anyhow!("nobody to ask").into()),
    };
    if args.json {
        let answer = Answer { lab: &spec.name, passed: check.passed(), check: &check };
        show::print(&format!("{}\n", serde_json::to_string_pretty(&answer)?));
    } else {
        let style = show::style(colors);
        show::print(&text::render(&spec.name, &check, Paint::stdout(colors), style.unicode));
    }
    if check.passed() { Ok(()) } else { Err(Failure::shown(Exit::Lab)) }
}

/// What the nodes themselves give.
fn on_nodes(
    spec: &LabSpec,
    runtime: &tokio::runtime::Runtime,
    colors: ColorChoice,
) -> Result<LabCheck, Failure> {
    setup::ensure(setup::Job::Experiment, false, colors)?;
    let lab_failure = |error: anyhow::Error| Failure::new(Exit::Lab, error);
    let _alone = state::measuring_lock().map_err(lab_failure)?;
    let observer = build::build()?.observer;
    let qemu = qemu(spec);
    let asked =
        Asked { observer: &observer, qemu: &qemu, rates: Rates::All, needs: Needs::default() };
    runtime.block_on(async {
        let lab = labs::for_experiment(spec, false).await.map_err(lab_failure)?;
        Ok(lab_check::check(&lab, &asked).await)
    })
}

/// The QEMU that the nodes are asked for: as an experiment would find it where they are this
/// machine.
fn qemu(spec: &LabSpec) -> String {
    let explicit = spec.qemu.as_ref().and_then(|qemu| qemu.binary.as_deref());
    let here = match spec.provider {
        Provider::Netns => find::choose(explicit.map(Utf8Path::as_std_path)).ok(),
        Provider::Vagrant | Provider::Hosts => None,
    };
    let here = here.map(|choice| choice.qemu.path.to_string_lossy().into_owned());
    here.or_else(|| explicit.map(ToString::to_string)).unwrap_or_else(|| QEMU.to_owned())
}

/// What a plan takes at most: of a machine for one guest, and of the storage.
pub fn needs(plan: &Plan) -> Needs {
    let most = |bytes: fn(&Settings) -> u64| {
        plan.cells.iter().map(|cell| bytes(&cell.settings)).max().unwrap_or(0)
    };
    let filled = most(|settings| settings.filled.0);
    Needs {
        memory_bytes: filled.saturating_add(tolerance::QEMU_BYTES),
        storage_bytes: most(|settings| settings.disk.bytes().0),
    }
}

/// Tells what is not as it should be, as warnings of an experiment.
pub fn warn(check: &LabCheck, paint: Paint) {
    let say = |finding: &Finding| {
        show::tell(&format!("{} {}", paint.warning("warning:"), finding.words()));
        if let Some(remedy) = &finding.remedy {
            show::tell(&format!("  remedy: {remedy}"));
        }
    };
    if !check.passed() {
        let words = "the lab failed its check; every record says so:";
        show::tell(&format!("{} {words}", paint.warning("warning:")));
    }
    check.of(lab_check::Severity::Fail).for_each(say);
    check.of(lab_check::Severity::Warn).for_each(say);
}
