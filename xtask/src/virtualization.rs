//! Whether virtual nodes can run under KVM on this machine.

use crate::{build, equipment};
use anyhow::Result;
use lab::{
    hypervisor::qemu::{Accelerator, find},
    provider::vagrant::Virtualization,
    spec::{self, LabSpec},
};

/// Runs the guest's image under both, as for guests of the local lab: a machine on which KVM runs
/// no small guest well runs no node.
///
/// # Errors
/// When there is no QEMU, or neither runs the guest.
pub fn of_this_machine(_: &LabSpec) -> Result<Virtualization> {
    let built = build::build()?;
    let choice = find::choose(None)?;
    let guest_sha256 = find::file_sha256(built.guest.as_std_path())?;
    let auto = spec::Accelerator::Auto;
    let probe = equipment::accelerator(&choice.qemu, auto, &built.guest, &guest_sha256)?;
    Ok(Virtualization { kvm: probe.accelerator == Accelerator::Kvm, reason: probe.reason })
}
