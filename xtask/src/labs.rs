//! The lab of a command: one that is up already, or one brought up for it.

use crate::{
    build,
    color::ColorChoice,
    exit::{Exit, Failure},
    setup, show, virtualization,
};
use anyhow::{Context, Result, anyhow, bail};
use camino::{Utf8Path, Utf8PathBuf};
use harness::experiment::{self, Experiment};
use lab::{
    Lifetime, Programs, RunningLab, running,
    spec::{HypervisorKind, LabSpec, Link, Provider},
};

/// This program's own file, which holds labs too.
pub fn program() -> Result<Utf8PathBuf> {
    let program = std::env::current_exe().context("failed to find this program's own file")?;
    Utf8PathBuf::try_from(program).context("this program's own file has an odd path")
}

/// Brings a lab up, with programs of ours that are built where they are needed.
///
/// # Errors
/// As [`running::up`].
pub async fn up(spec: LabSpec, lifetime: Lifetime) -> Result<RunningLab> {
    let (this, templates) = (program()?, templates());
    running::up(spec, lifetime, programs(&this, &templates), &mut show::tell).await
}

/// Sees to it that this machine has what the lab's provider needs.
///
/// # Errors
/// When something is missing and may not, or cannot, be installed.
pub fn ensure_programs(spec: &LabSpec, install: bool, colors: ColorChoice) -> Result<(), Failure> {
    let job = match spec.provider {
        Provider::Vagrant => setup::Job::Vagrant,
        Provider::Netns => setup::Job::Experiment,
        // SSH, which is looked for when it is used.
        Provider::Hosts => return Ok(()),
    };
    setup::ensure(job, install, colors)
}

/// What [`up`] would do, as text.
///
/// # Errors
/// As [`running::preview`].
pub async fn preview(spec: &LabSpec) -> Result<String> {
    let (this, templates) = (program()?, templates());
    running::preview(spec, programs(&this, &templates)).await
}

/// Names a folder of other playbooks than the shipped ones, for machines that need other steps.
const PLAYBOOKS: &str = "PRECOPY_LAB_PLAYBOOKS";

fn templates() -> Utf8PathBuf {
    let named = std::env::var(PLAYBOOKS).ok().filter(|folder| !folder.is_empty());
    named.map_or_else(|| build::repository().join("playbooks-templates"), Utf8PathBuf::from)
}

fn programs<'a>(this: &'a Utf8Path, templates: &'a Utf8Path) -> Programs<'a> {
    Programs {
        this,
        observer: &|| Ok(build::build()?.observer),
        virtualization: &virtualization::of_this_machine,
        templates,
    }
}

/// Refuses a lab whose guests this version cannot migrate, before anything is made.
///
/// # Errors
/// When the hypervisor cannot be driven there yet.
pub fn can_be_measured(spec: &LabSpec) -> Result<(), Failure> {
    let refuse = |text: &'static str| Err(Failure::new(Exit::InvalidInput, anyhow!(text)));
    match spec.hypervisor {
        HypervisorKind::Qemu => Ok(()),
        // `lab-up` makes the cluster.
        HypervisorKind::Proxmox if spec.provider == Provider::Vagrant => Ok(()),
        HypervisorKind::Proxmox if spec.api().is_none() => refuse(
            "nothing says where the API of the cluster is\n\nhint: name it in `proxmox.api` (see \
             labs/proxmox.example.yaml)",
        ),
        HypervisorKind::Proxmox => Ok(()),
    }
}

/// Refuses an experiment that asks what this lab cannot do.
///
/// # Errors
/// All of that.
pub fn fits(experiment: &Experiment, spec: &LabSpec) -> Result<(), Failure> {
    let misfits = experiment::misfits(experiment, spec);
    if misfits.is_empty() {
        return Ok(());
    }
    let text: Vec<String> =
        misfits.iter().map(|misfit| format!("{}\n\nhint: {}", misfit.what, misfit.hint)).collect();
    Err(Failure::new(Exit::InvalidInput, anyhow!(text.join("\n\n"))))
}

/// The lab that `lab-up` brought up, when it is as `spec` says; otherwise one of the command's own,
/// which stays up when `keep`.
///
/// # Errors
/// When the lab that is up differs, or none can be brought up.
pub async fn for_experiment(spec: &LabSpec, keep: bool) -> Result<RunningLab> {
    if let Some(lab) = running::find(spec).await? {
        if lab.spec != *spec {
            bail!(
                "the lab `{}` is up, but not as its file says now\n\nhint: `cargo xtask lab-down`, then try again",
                spec.name
            );
        }
        return Ok(lab);
    }
    let lifetime = if keep { Lifetime::Persistent } else { Lifetime::Ephemeral };
    up(spec.clone(), lifetime).await
}

/// Gives the links of a lab that stays up their rates at rest again; the last trial's would be in
/// force otherwise. A lab that is gone needs nothing.
pub async fn restore_links(lab: &RunningLab) {
    for node in &lab.nodes {
        for link in Link::ALL {
            let _lab_is_gone = node.shape(link, lab.rate_at_rest(link)).await;
        }
    }
}
