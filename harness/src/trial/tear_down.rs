//! The processes of a trial and the image of its guest's disk, and their end.

use super::{disk::DiskImage, witness::Witness};
use lab::hypervisor::qemu::Vm;

/// What a trial has running. Dropping it ends every process too, but does not wait.
#[derive(Debug, Default)]
pub struct Running {
    /// QEMU on the source.
    pub source: Option<Vm>,
    /// QEMU on the target.
    pub target: Option<Vm>,
    /// The observer on the witness.
    pub witness: Option<Witness>,
    /// The image of the guest's disk.
    pub disk: Option<DiskImage>,
}

impl Running {
    /// Ends everything, waits until it has ended, removes the disk's image, and gives what the
    /// QEMUs had said.
    pub async fn end(mut self) -> String {
        for vm in [&self.source, &self.target].into_iter().flatten() {
            vm.kill();
        }
        if let Some(witness) = &self.witness {
            witness.kill();
        }
        let mut log = String::new();
        for (name, vm) in [("source", &mut self.source), ("target", &mut self.target)] {
            if let Some(vm) = vm {
                let (_, words) = vm.wait().await;
                for line in words.lines() {
                    log += &format!("{name}: {line}\n");
                }
            }
        }
        if let Some(witness) = &mut self.witness {
            witness.wait().await;
        }
        if let Some(disk) = &self.disk
            && let Err(error) = disk.remove().await
        {
            log += &format!("disk: {error:#}\n");
        }
        log
    }
}
