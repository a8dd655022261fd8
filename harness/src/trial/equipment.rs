//! What every trial of a run is made with.

use super::control::Control;
use crate::{
    record::{OtherGuest, Program, Programs},
    run_folder::Qemu,
    settings::{QemuName, QemuPair},
};
use camino::{Utf8Path, Utf8PathBuf};
use lab::hypervisor::{
    proxmox::{
        Client,
        guest::{Existing, MonitorFolder, Ours},
    },
    qemu::Accelerator,
};
use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

/// What every trial of a run is made with.
#[derive(Clone, Debug)]
pub struct Equipment {
    /// What runs and migrates guests.
    pub hypervisor: Hypervisor,
    /// What executes the guest.
    pub accelerator: Accelerator,
    /// How much longer than usual a guest may take for what it does, because the nodes are slow:
    /// 1 or more. See [`patience`].
    pub patience: f64,
    /// How long a node that does not answer is waited for before a trial.
    pub node_patience: Duration,
    /// The guest's image, on this machine; nodes that are others are sent it.
    pub guest: Utf8PathBuf,
    /// The observer's program, so.
    pub observer: Utf8PathBuf,
}

/// What runs and migrates guests, and what it is to do that with.
#[derive(Clone, Debug)]
pub enum Hypervisor {
    /// Plain QEMU.
    Qemu(QemuEquipment),
    /// Proxmox VE.
    Proxmox(ProxmoxEquipment),
}

/// What Proxmox runs guests with.
#[derive(Clone, Debug)]
pub struct ProxmoxEquipment {
    /// Its API. What it may do decides how guests are made and migrations chosen: only root@pam,
    /// logged in by its password, may give a VM arguments for QEMU, or choose how it is migrated.
    pub client: Arc<Client>,
    /// How guests are known as ours.
    pub ours: Ours,
    /// What trials migrate.
    pub guest: ProxmoxGuest,
}

/// What trials on Proxmox migrate.
#[derive(Clone, Debug)]
pub enum ProxmoxGuest {
    /// A VM of ours, a new one for each trial.
    Own(OwnGuests),
    /// A VM that somebody has.
    Existing(ExistingGuest),
}

/// How VMs of ours are made.
#[derive(Clone, Debug)]
pub struct OwnGuests {
    /// The bridge on every node that they are connected to.
    pub bridge: String,
    /// What they boot.
    pub boot: ProxmoxBoot,
    /// Where each has a second monitor, on nodes that are reached by SSH as root; without one it is
    /// watched through the API. Only for root@pam.
    pub monitor: Option<MonitorFolder>,
}

/// A VM that somebody has, opted in by its name.
#[derive(Clone, Debug)]
pub struct ExistingGuest {
    /// Which, and where it is put back.
    pub vm: Existing,
    /// Its memory, bytes, where Proxmox says it.
    pub memory_bytes: Option<u64>,
    /// An address of it that is asked for answers.
    pub address: Option<Ipv4Addr>,
}

/// What guests on Proxmox boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxmoxBoot {
    /// The guest's image, brought to the nodes by SSH. Only for root@pam.
    Kernel,
    /// A CD with it, which was uploaded before.
    Cd {
        /// The volume, such as `shared:iso/guest.iso`.
        volume: String,
    },
}

/// What plain QEMU runs guests with.
#[derive(Clone, Debug)]
pub struct QemuEquipment {
    /// The lab's own QEMU.
    pub own: Utf8PathBuf,
    /// The QEMUs that take part, by name; empty where the lab's own alone does.
    pub named: BTreeMap<QemuName, Qemu>,
    /// The machine type that every guest has; `None` is the program's newest.
    pub machine: Option<String>,
    /// Most memory that TCG keeps translated code in, MiB, on nodes that have little.
    pub tcg_cache_mib: Option<u32>,
    /// Folder in which both guests' memories are files, for those who must reach them from
    /// outside; otherwise they are QEMU's own.
    pub memory_folder: Option<Utf8PathBuf>,
}

/// A guest that fills this much runs as fast as deadlines are made for, MiB/s. Virtual machines of
/// a busy laptop fill a few hundred under TCG, those within such machines a tenth of it.
const USUAL_FILL_MIB_PER_S: f64 = 200.0;
/// More patience than this does not help a node that is too slow.
const MOST_PATIENCE: f64 = 30.0;

/// How much longer than usual a guest may take where it fills so many MiB/s; 1 where that was not
/// measured (0).
#[must_use]
pub fn patience(fill_mib_per_s: f64) -> f64 {
    if fill_mib_per_s > 0.0 {
        (USUAL_FILL_MIB_PER_S / fill_mib_per_s).clamp(1.0, MOST_PATIENCE)
    } else {
        1.0
    }
}

impl Equipment {
    /// What is usually a deadline of the guest's, on these nodes.
    #[must_use]
    pub fn patient(&self, usual: Duration) -> Duration {
        usual.mul_f64(self.patience)
    }

    /// The QEMUs that take part, by name; empty where one alone does.
    #[must_use]
    pub fn qemus(&self) -> &BTreeMap<QemuName, Qemu> {
        static NONE: BTreeMap<QemuName, Qemu> = BTreeMap::new();
        match &self.hypervisor {
            Hypervisor::Qemu(qemu) => &qemu.named,
            Hypervisor::Proxmox(_) => &NONE,
        }
    }

    /// What a trial can do with its guest besides migrating it, by whether something can be run on
    /// the nodes.
    #[must_use]
    pub fn control(&self, has_shell: bool) -> Control {
        if !has_shell {
            return Control::Nothing;
        }
        match &self.hypervisor {
            Hypervisor::Proxmox(ProxmoxEquipment {
                guest: ProxmoxGuest::Existing(existing),
                ..
            }) => existing.address.map_or(Control::Nothing, Control::Probes),
            _ => Control::Workload,
        }
    }

    /// What is migrated, where it is no guest that works as it is told; likewise.
    #[must_use]
    pub fn other_guest(&self, has_shell: bool) -> Option<OtherGuest> {
        match &self.hypervisor {
            Hypervisor::Proxmox(ProxmoxEquipment {
                guest: ProxmoxGuest::Existing(ExistingGuest { vm, memory_bytes, .. }),
                ..
            }) => Some(OtherGuest::Existing {
                vmid: vm.vmid,
                name: vm.name.clone(),
                memory_bytes: *memory_bytes,
            }),
            _ if !has_shell => Some(OtherGuest::Idle),
            _ => None,
        }
    }

    /// The machine type that every guest has; `None` is the program's newest.
    #[must_use]
    pub fn machine(&self) -> Option<&str> {
        match &self.hypervisor {
            Hypervisor::Qemu(qemu) => qemu.machine.as_deref(),
            Hypervisor::Proxmox(_) => None,
        }
    }

    /// What a record says of the QEMUs at both ends; `None` where the manifest says it all.
    #[must_use]
    pub fn programs(&self, pair: &QemuPair) -> Option<Programs> {
        let program = |name: &QemuName| {
            let Qemu { version, sha256, .. } = self.qemus().get(name)?;
            Some(Program {
                name: name.to_string(),
                version: version.clone(),
                sha256: sha256.clone(),
            })
        };
        Some(Programs {
            source: program(&pair.source)?,
            target: program(&pair.target)?,
            machine: self.machine().map(str::to_owned),
        })
    }
}

impl Hypervisor {
    /// The driver's rules that a record names: those that its experiment asks for, or Proxmox's
    /// own, where Proxmox drives.
    #[must_use]
    pub fn policy<'a>(&self, asked: &'a str) -> &'a str {
        match self {
            Self::Qemu(_) => asked,
            Self::Proxmox(_) => "proxmox",
        }
    }
}

impl QemuEquipment {
    /// Of the lab's own QEMU alone.
    #[must_use]
    pub fn alone(own: Utf8PathBuf) -> Self {
        let named = BTreeMap::new();
        Self { own, named, machine: None, tcg_cache_mib: None, memory_folder: None }
    }

    /// The program of this name; `None` when the run has none.
    #[must_use]
    pub fn program(&self, name: &QemuName) -> Option<&Utf8Path> {
        match self.named.get(name) {
            Some(qemu) => Some(&qemu.path),
            None => name.is_lab().then_some(&self.own),
        }
    }
}
