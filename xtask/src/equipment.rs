//! What trials are made with on this machine: QEMU, accelerator, guest and observer.

use crate::{build, show};
use anyhow::{Context, Result};
use camino::Utf8PathBuf;
use harness::trial::Equipment;
use lab::{
    hypervisor::qemu::{
        Accelerator,
        find::{self, Qemu},
        probe::{self, Probe},
    },
    spec::{self, LabSpec},
};

/// Everything, and how it came to be chosen.
#[derive(Debug)]
pub struct Equipped {
    /// For the trials.
    pub equipment: Equipment,
    /// The QEMU that was chosen.
    pub qemu: Qemu,
    /// Why this accelerator.
    pub accelerator_reason: String,
    /// Hash of the guest's image, hexadecimal.
    pub guest_sha256: String,
    /// What a user must know.
    pub warnings: Vec<String>,
}

/// Builds, chooses and probes for a lab.
///
/// # Errors
/// When something cannot be built, there is no QEMU, or the guest does not run.
pub fn equip(spec: &LabSpec) -> Result<Equipped> {
    match build::elsewhere() {
        None => show::tell("building the guest and the observer"),
        Some(folder) => show::tell(&format!("guest and observer from {folder}")),
    }
    let built = build::build()?;
    let wanted = spec.qemu.as_ref();
    let explicit = wanted.and_then(|qemu| qemu.binary.as_deref());
    let choice = find::choose(explicit.map(camino::Utf8Path::as_std_path))?;
    let path =
        Utf8PathBuf::try_from(choice.qemu.path.clone()).context("a QEMU with an odd path")?;
    let guest_sha256 = find::file_sha256(built.guest.as_std_path())?;
    let key = format!("{} {guest_sha256} {} {}", choice.qemu.sha256()?, kernel(), cpu_model());
    let wish = wanted.map_or(spec::Accelerator::Auto, |qemu| qemu.accelerator);
    let Probe { accelerator, reason, .. } = match wish {
        spec::Accelerator::Auto => {
            probe::probe_cached(&path, &built.guest, &key, &probe::cache_file())?
        }
        spec::Accelerator::Kvm => told(Accelerator::Kvm),
        spec::Accelerator::Tcg => told(Accelerator::Tcg),
    };
    Ok(Equipped {
        equipment: Equipment {
            qemu: path,
            accelerator,
            guest: built.guest,
            observer: built.observer,
            memory_folder: None,
        },
        qemu: choice.qemu,
        accelerator_reason: reason,
        guest_sha256,
        warnings: choice.warnings,
    })
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
