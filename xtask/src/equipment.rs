//! What trials are made with: QEMU, accelerator, guest and observer, on this machine and on nodes
//! that are others.

mod on_nodes;
pub mod proxmox;

pub use on_nodes::equip as equip_nodes;

use crate::{
    build::{self, Built},
    exit::{Exit, Failure, Result},
    qemus::Named,
    show,
};
use anyhow::{Context, anyhow};
use camino::{Utf8Path, Utf8PathBuf};
use harness::{
    run_folder::{self, NodeHost},
    settings::QemuName,
    trial::{Equipment, Hypervisor, QemuEquipment},
};
use lab::{
    hypervisor::qemu::{
        Accelerator,
        find::{self, Qemu},
        machine,
        probe::{self, Probe},
    },
    node::Forward,
    spec::{self, LabSpec},
};
use std::{collections::BTreeMap, time::Duration};

/// Everything, and how it came to be chosen.
#[derive(Debug)]
pub struct Equipped {
    /// For the trials.
    pub equipment: Equipment,
    /// The lab's own QEMU.
    pub qemu: run_folder::Qemu,
    /// Why this accelerator.
    pub accelerator_reason: String,
    /// What is migrated.
    pub guest: run_folder::Guest,
    /// The nodes, where they are other machines.
    pub nodes: Vec<NodeHost>,
    /// Versions of what else takes part, by name.
    pub versions: BTreeMap<String, String>,
    /// What a user must know.
    pub warnings: Vec<String>,
    /// What leads to the hypervisor's API, where only the nodes reach it: closed with this.
    #[expect(dead_code, reason = "held, not read")]
    pub forwards: Vec<Forward>,
}

/// How long a node that does not answer is waited for, unless somebody says otherwise.
pub const NODE_PATIENCE: Duration = Duration::from_secs(600);

/// Builds what is ours.
///
/// # Errors
/// When it cannot be built.
pub fn built() -> Result<Built> {
    match build::elsewhere() {
        None => show::tell("building the guest and the observer"),
        Some(folder) => show::tell(&format!("guest and observer from {folder}")),
    }
    Ok(build::build()?)
}

/// Chooses and probes for a lab on this machine and the QEMUs that an experiment brings along.
///
/// # Errors
/// When there is no QEMU, the guest does not run, or the QEMUs have no accelerator or no machine
/// type in common.
pub fn equip(spec: &LabSpec, named: &Named, built: Built) -> Result<Equipped> {
    let wanted = spec.qemu.as_ref();
    let explicit = wanted.and_then(|qemu| qemu.binary.as_deref());
    let choice = find::choose(explicit.map(Utf8Path::as_std_path))?;
    let qemu = described_one(&choice.qemu)?;
    let guest_sha256 = find::file_sha256(built.guest.as_std_path())?;
    let wish = wanted.map_or(spec::Accelerator::Auto, |qemu| qemu.accelerator);

    let alone = named.programs.is_empty();
    let mut all: Vec<(QemuName, &Qemu)> = Vec::new();
    if alone || named.with_lab {
        all.push((QemuName::lab(), &choice.qemu));
    }
    all.extend(named.programs.iter().map(|(name, qemu)| (name.clone(), qemu)));
    let mut probes = Vec::new();
    for (name, qemu) in &all {
        let probe = accelerator(qemu, wish, &built.guest, &guest_sha256);
        let probe = probe.with_context(|| format!("failed to probe the QEMU `{name}`"))?;
        probes.push((format!("`{name}`"), probe));
    }
    let (accelerator, accelerator_reason) = agreed("the QEMUs of this experiment", &probes)?;
    let mut warnings = named.warnings.clone();
    if alone || named.with_lab {
        warnings.splice(..0, choice.warnings);
    }
    Ok(Equipped {
        equipment: Equipment {
            hypervisor: Hypervisor::Qemu(QemuEquipment {
                named: if alone { BTreeMap::new() } else { described(&all)? },
                machine: pinned(&all)?,
                ..QemuEquipment::alone(qemu.path.clone())
            }),
            accelerator,
            patience: 1.0,
            node_patience: NODE_PATIENCE,
            guest: built.guest,
            observer: built.observer,
        },
        qemu,
        accelerator_reason,
        guest: bare_metal(guest_sha256),
        nodes: Vec::new(),
        versions: BTreeMap::new(),
        warnings,
        forwards: Vec::new(),
    })
}

/// Our own guest, by the hash of its image.
fn bare_metal(sha256: String) -> run_folder::Guest {
    run_folder::Guest { kind: "bare-metal".to_owned(), sha256 }
}

fn utf8(qemu: &Qemu) -> anyhow::Result<Utf8PathBuf> {
    Utf8PathBuf::try_from(qemu.path.clone()).context("a QEMU with an odd path")
}

/// What the manifest and records say of each QEMU.
fn described(all: &[(QemuName, &Qemu)]) -> anyhow::Result<BTreeMap<QemuName, run_folder::Qemu>> {
    all.iter().map(|(name, qemu)| Ok((name.clone(), described_one(qemu)?))).collect()
}

fn described_one(qemu: &Qemu) -> anyhow::Result<run_folder::Qemu> {
    let version = qemu.full_version.clone();
    Ok(run_folder::Qemu { path: utf8(qemu)?, version, sha256: qemu.sha256()? })
}

/// The machine type that all guests have, where several QEMUs take part: then levels differ in
/// the program alone, and a guest can move from one to the other.
fn pinned(all: &[(QemuName, &Qemu)]) -> Result<Option<String>> {
    if all.len() < 2 {
        return Ok(None);
    }
    let mut versions = Vec::new();
    for (name, qemu) in all {
        let known = machine::versions(&qemu.path).with_context(|| no_machine_types(name))?;
        versions.push((name.as_str(), known));
    }
    newest_common(&versions)
}

fn no_machine_types(name: &QemuName) -> String {
    format!("failed to ask the QEMU `{name}` for its machine types")
}

fn newest_common(versions: &[(&str, machine::Versions)]) -> Result<Option<String>> {
    let machine = machine::newest_common(versions);
    machine.map(Some).map_err(|error| Failure::new(Exit::InvalidInput, error))
}

/// What runs a guest's instructions under this QEMU here: as wished, or as probed.
///
/// # Errors
/// When the guest does not run.
pub fn accelerator(
    qemu: &Qemu,
    wish: spec::Accelerator,
    guest: &Utf8Path,
    guest_sha256: &str,
) -> anyhow::Result<Probe> {
    match wish {
        spec::Accelerator::Auto => {
            let key = format!("{} {guest_sha256} {} {}", qemu.sha256()?, kernel(), cpu_model());
            probe::probe_cached(&utf8(qemu)?, guest, &key, &probe::cache_file())
        }
        spec::Accelerator::Kvm => Ok(told(Accelerator::Kvm)),
        spec::Accelerator::Tcg => Ok(told(Accelerator::Tcg)),
    }
}

/// The accelerator that all QEMUs are to use, everywhere, and why: results of two are never
/// compared. `whose` the probes are, each with a name for people.
fn agreed(whose: &str, probes: &[(String, Probe)]) -> Result<(Accelerator, String)> {
    let Some((_, first)) = probes.first() else {
        return Err(anyhow!("no QEMU takes part").into());
    };
    let each = |say: fn(&Probe) -> String| {
        let all = probes.iter().map(|(name, probe)| format!("{name}: {}", say(probe)));
        all.collect::<Vec<_>>().join("; ")
    };
    if probes.iter().any(|(_, probe)| probe.accelerator != first.accelerator) {
        let choices =
            each(|probe| format!("{} ({})", probe.accelerator.name().to_uppercase(), probe.reason));
        let text = format!(
            "{whose} would not run guests alike, and could not be compared: \
             {choices}\n\nhint: `qemu: {{accelerator: tcg}}` in the lab file is for all of them"
        );
        return Err(Failure::new(Exit::InvalidInput, anyhow!(text)));
    }
    let alike = probes.iter().all(|(_, probe)| probe.reason == first.reason);
    let reason = if alike { first.reason.clone() } else { each(|probe| probe.reason.clone()) };
    Ok((first.accelerator, reason))
}

fn told(accelerator: Accelerator) -> Probe {
    let reason = "the lab file says so".to_owned();
    Probe { accelerator, reason, tcg_mib_per_s: 0.0, kvm_mib_per_s: None }
}

/// The kernel's release.
pub fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// The processor's name, as the kernel has it.
pub fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name"));
    line.map_or_else(
        || "unknown".to_owned(),
        |line| line.trim_start_matches([' ', '\t', ':']).to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qemus_that_would_not_run_alike_are_refused() {
        let names = ["`lab`", "`new`"].map(str::to_owned);
        let agreed = |probes: &[(String, Probe)]| agreed("the QEMUs of this experiment", probes);
        let probe =
            |accelerator, reason: &str| Probe { reason: reason.to_owned(), ..told(accelerator) };
        let probes = |of: [Probe; 2]| names.iter().cloned().zip(of).collect::<Vec<_>>();
        let (tcg, kvm) = (Accelerator::Tcg, Accelerator::Kvm);
        let same = agreed(&probes([probe(tcg, "x"), probe(tcg, "x")])).expect("alike");
        assert_eq!(same, (tcg, "x".to_owned()));
        let same = agreed(&probes([probe(kvm, "fast"), probe(kvm, "faster")])).expect("alike");
        assert_eq!(same, (kvm, "`lab`: fast; `new`: faster".to_owned()));
        let error = agreed(&probes([probe(kvm, "fast"), probe(tcg, "slow")])).expect_err("mixed");
        assert_eq!(error.exit, Exit::InvalidInput);
        let words = error.error.expect("words").to_string();
        assert!(words.contains("`lab`: KVM (fast); `new`: TCG (slow)"), "{words}");
    }
}
