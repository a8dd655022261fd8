//! What every trial of a run is made with.

use crate::{
    record::{Program, Programs},
    run_folder::Qemu,
    settings::{QemuName, QemuPair},
};
use camino::{Utf8Path, Utf8PathBuf};
use lab::hypervisor::qemu::Accelerator;
use std::collections::BTreeMap;

/// What every trial of a run is made with.
#[derive(Clone, Debug)]
pub struct Equipment {
    /// The lab's own QEMU.
    pub qemu: Utf8PathBuf,
    /// The QEMUs that take part, by name; empty where the lab's own alone does.
    pub qemus: BTreeMap<QemuName, Qemu>,
    /// The machine type that every guest has; `None` is the program's newest.
    pub machine: Option<String>,
    /// What executes the guest.
    pub accelerator: Accelerator,
    /// The guest's image.
    pub guest: Utf8PathBuf,
    /// The observer's program.
    pub observer: Utf8PathBuf,
    /// Folder in which both guests' memories are files, for those who must reach them from
    /// outside; otherwise they are QEMU's own.
    pub memory_folder: Option<Utf8PathBuf>,
}

impl Equipment {
    /// The program of this name; `None` when the run has none.
    #[must_use]
    pub fn program(&self, name: &QemuName) -> Option<&Utf8Path> {
        match self.qemus.get(name) {
            Some(qemu) => Some(&qemu.path),
            None => name.is_lab().then_some(&self.qemu),
        }
    }

    /// What a record says of the QEMUs at both ends; `None` where the manifest says it all.
    #[must_use]
    pub fn programs(&self, pair: &QemuPair) -> Option<Programs> {
        let program = |name: &QemuName| {
            let Qemu { version, sha256, .. } = self.qemus.get(name)?;
            Some(Program {
                name: name.to_string(),
                version: version.clone(),
                sha256: sha256.clone(),
            })
        };
        Some(Programs {
            source: program(&pair.source)?,
            target: program(&pair.target)?,
            machine: self.machine.clone(),
        })
    }
}
