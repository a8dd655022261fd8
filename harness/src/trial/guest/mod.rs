//! The guest of a trial, whatever runs and migrates it: all that the stages know of hypervisors.

mod proxmox;
mod qemu;

pub use proxmox::{ExistingVm, OnProxmox, Told, load, ready, sweep};
pub use qemu::Pair;

use super::{
    Equipment, Order,
    equipment::{Hypervisor, ProxmoxGuest},
    outcome::Ended,
};
use crate::record::Outcome;
use anyhow::Result;
use lab::{
    RunningLab,
    hypervisor::qemu::{
        Vm,
        migration::{MigrationLog, Sample, Side},
    },
};
use std::{future::Future, pin::Pin};

/// Something that is waited for apart from everything else that is done with a guest.
pub type Waiting<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A guest: before it is started, while it runs, and until nothing of it is left. Dropping it ends
/// it as far as that can be done without waiting.
#[derive(Debug)]
pub enum Guest {
    /// Two plain QEMUs, one at each end.
    Qemu(Box<Pair>),
    /// A VM of ours on Proxmox.
    Proxmox(Box<OnProxmox>),
    /// A VM of somebody's there.
    Existing(Box<ExistingVm>),
}

/// What came of a migration. Times are seconds since it was asked for.
#[derive(Debug)]
pub struct Migrated {
    /// What both QEMUs said, and how it ended.
    pub log: MigrationLog,
    /// When QEMU began.
    pub began_s: f64,
    /// When it had ended, whatever the end was.
    pub end_s: f64,
    /// What Proxmox tells besides, where it has migrated.
    pub told: Option<Told>,
}

impl Guest {
    /// The guest of a trial; nothing is made yet.
    ///
    /// # Errors
    /// When the lab lacks what it needs.
    pub fn of(lab: &RunningLab, equipment: &Equipment, order: &Order) -> Result<Self> {
        match &equipment.hypervisor {
            Hypervisor::Qemu(qemu) => {
                Ok(Self::Qemu(Box::new(Pair::new(lab, equipment, qemu, order)?)))
            }
            Hypervisor::Proxmox(proxmox) => Ok(match &proxmox.guest {
                ProxmoxGuest::Own(own) => {
                    Self::Proxmox(Box::new(OnProxmox::new(lab, equipment, proxmox, own, order)?))
                }
                ProxmoxGuest::Existing(existing) => {
                    Self::Existing(Box::new(ExistingVm::new(lab, proxmox, existing, order)?))
                }
            }),
        }
    }

    /// Makes all that it consists of and starts it on the source.
    ///
    /// # Errors
    /// When it does not come up. What there is of it then is ended by [`Self::end`].
    pub async fn start(&mut self) -> Result<()> {
        match self {
            Self::Qemu(pair) => pair.start().await,
            Self::Proxmox(guest) => guest.start().await,
            Self::Existing(vm) => vm.start().await,
        }
    }

    /// Prepares its migration, as far as that costs time of its own.
    ///
    /// # Errors
    /// When the hypervisor refuses.
    pub async fn prepare(&self) -> Result<()> {
        match self {
            Self::Qemu(pair) => pair.prepare().await,
            // Proxmox does it when it migrates.
            Self::Proxmox(_) | Self::Existing(_) => Ok(()),
        }
    }

    /// Migrates it, and calls `live` with every sample. What goes wrong once it was begun is an end
    /// in the log.
    ///
    /// # Errors
    /// When it was not begun.
    pub async fn migrate(&mut self, live: &mut (dyn FnMut(&Sample) + Send)) -> Result<Migrated> {
        match self {
            Self::Qemu(pair) => pair.migrate(live).await,
            Self::Proxmox(guest) => guest.migrate(live).await,
            Self::Existing(vm) => vm.migrate(live).await,
        }
    }

    /// Waits until one of its ends has died by itself; gives which. Never comes true where nobody
    /// tells.
    pub fn dies(&self) -> Waiting<Side> {
        match self {
            Self::Qemu(pair) => pair.dies(),
            // Nobody tells; whoever waits for the guest has a deadline.
            Self::Proxmox(_) | Self::Existing(_) => Box::pin(std::future::pending()),
        }
    }

    /// Likewise of one end.
    pub fn end_dies(&self, side: Side) -> Waiting<()> {
        match self {
            Self::Qemu(pair) => pair.end_dies(side),
            Self::Proxmox(_) | Self::Existing(_) => Box::pin(std::future::pending()),
        }
    }

    /// An end that has died before the migration.
    pub async fn died(&mut self, side: Side) -> Ended {
        match self {
            Self::Qemu(pair) => pair.died(side).await,
            Self::Proxmox(guest) => guest.silent(side, "the guest has died", Outcome::Failed).await,
            Self::Existing(vm) => vm.silent(side, "the guest has died", Outcome::Failed).await,
        }
    }

    /// Whether this end has died, or is known not to have the guest.
    pub fn is_dead(&self, side: Side) -> bool {
        match self {
            Self::Qemu(pair) => pair.is_dead(side),
            Self::Proxmox(guest) => guest.is_dead(side),
            Self::Existing(vm) => vm.is_dead(side),
        }
    }

    /// A guest on this end that does not answer: because what runs it has died, or because it is
    /// dead itself, which is then `outcome`.
    pub async fn silent(&mut self, side: Side, what: &str, outcome: Outcome) -> Ended {
        match self {
            Self::Qemu(pair) => pair.silent(side, what, outcome).await,
            Self::Proxmox(guest) => guest.silent(side, what, outcome).await,
            Self::Existing(vm) => vm.silent(side, what, outcome).await,
        }
    }

    /// Whose node is lost, if one is.
    pub async fn lost(&self) -> Option<Side> {
        match self {
            Self::Qemu(pair) => pair.lost(),
            Self::Proxmox(guest) => guest.lost().await,
            Self::Existing(vm) => vm.lost().await,
        }
    }

    /// The QEMU of this end, where it is one of ours.
    pub fn vm(&self, side: Side) -> Option<&Vm> {
        match self {
            Self::Qemu(pair) => pair.vm(side),
            Self::Proxmox(_) | Self::Existing(_) => None,
        }
    }

    /// Asks for the end, as far as that needs no waiting.
    pub fn kill(&self) {
        match self {
            Self::Qemu(pair) => pair.kill(),
            Self::Proxmox(_) | Self::Existing(_) => {}
        }
    }

    /// Ends it, waits until nothing is left of it, and gives what was said of it meanwhile, in
    /// lines.
    pub async fn end(&mut self) -> String {
        match self {
            Self::Qemu(pair) => pair.end().await,
            Self::Proxmox(guest) => guest.end().await,
            Self::Existing(vm) => vm.end(),
        }
    }
}
