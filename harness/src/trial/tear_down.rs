//! The processes of a trial, and their end.

use super::witness::Witness;
use lab::hypervisor::qemu::Vm;

/// What a trial has running. Dropping it ends everything too, but does not wait.
#[derive(Debug, Default)]
pub struct Running {
    /// QEMU on the source.
    pub source: Option<Vm>,
    /// QEMU on the target.
    pub target: Option<Vm>,
    /// The observer on the witness.
    pub witness: Option<Witness>,
}

impl Running {
    /// Ends everything, waits until it has ended, and gives what the QEMUs had said.
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
        log
    }
}
