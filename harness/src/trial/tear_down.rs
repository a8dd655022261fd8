//! The processes of a trial and the image of its guest's disk, and their end.

use super::{disk::DiskImage, witness::Witness};
use lab::{hypervisor::qemu::Vm, node::Exit};
use std::time::Duration;
use tokio::time::timeout;

/// A process that was killed is gone at once; one whose node does not answer may never be heard of.
const END_DEADLINE: Duration = Duration::from_secs(60);

/// What a node does in a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The guest starts there.
    Source,
    /// It is migrated there.
    Target,
    /// The observer runs there.
    Witness,
}

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
    /// Which of its roles has lost its node, if any.
    pub fn lost(&self) -> Option<Role> {
        let vm = |vm: &Option<Vm>| vm.as_ref().and_then(Vm::ended) == Some(Exit::NodeLost);
        let witness = self.witness.as_ref().and_then(Witness::ended) == Some(Exit::NodeLost);
        [
            (vm(&self.source), Role::Source),
            (vm(&self.target), Role::Target),
            (witness, Role::Witness),
        ]
        .into_iter()
        .find_map(|(lost, role)| lost.then_some(role))
    }

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
                let ended = timeout(END_DEADLINE, vm.wait()).await;
                let words = match ended {
                    Ok((_, words)) => words,
                    Err(_) => format!("{}\nits end was not heard of", vm.words()),
                };
                for line in words.lines() {
                    log += &format!("{name}: {line}\n");
                }
            }
        }
        if let Some(witness) = &mut self.witness {
            let _ended = timeout(END_DEADLINE, witness.wait()).await;
        }
        if let Some(disk) = &self.disk
            && let Err(error) = disk.remove().await
        {
            log += &format!("disk: {error:#}\n");
        }
        log
    }
}
