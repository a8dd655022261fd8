//! A VM that somebody has as the guest of a trial: it is brought to the source, migrated, and left
//! where it is then.

use super::{Cap, ends::Ends, kind};
use crate::{
    record::Outcome,
    trial::{
        Order,
        equipment::{ExistingGuest, ProxmoxEquipment},
        guest::Migrated,
        outcome::Ended,
    },
};
use anyhow::Result;
use lab::{
    RunningLab,
    hypervisor::{
        proxmox::{guest::Existing, migrate::MigrationOrder},
        qemu::migration::{Sample, Side},
    },
};

/// It, in one trial.
#[derive(Debug)]
pub struct ExistingVm {
    equipment: ProxmoxEquipment,
    ends: Ends,
    vm: Existing,
    migration: MigrationOrder,
    /// Which end has it, as far as anybody could tell.
    holder: Option<Side>,
    /// What was said of its migration, in lines.
    words: String,
}

impl ExistingVm {
    /// Nothing is done yet.
    pub fn new(
        lab: &RunningLab,
        proxmox: &ProxmoxEquipment,
        existing: &ExistingGuest,
        order: &Order,
    ) -> Result<Self> {
        let ends = Ends::of(lab, &proxmox.client, order)?;
        let settings = &order.settings;
        let is_root = proxmox.client.credentials().is_root();
        let network = lab.spec.networks.of(settings.network.link());
        let vm = existing.vm.clone();
        let migration = MigrationOrder {
            kind: kind(settings),
            // Others than root get the datacenter's, which is refused where it is another one.
            network: is_root.then_some(network.cidr),
            // Only root may give one with the migration, and the VM keeps its own.
            bwlimit_kib_s: Cap::of(settings.bandwidth_limit, is_root)?.bwlimit_kib_s,
            ..vm.order(&ends.source.name, &ends.target.name, order.max_time)
        };
        let equipment = proxmox.clone();
        Ok(Self {
            equipment,
            ends,
            vm,
            migration,
            holder: Some(Side::Source),
            words: String::new(),
        })
    }

    /// Brings it to the source, unless it is there.
    pub async fn start(&mut self) -> Result<()> {
        let (client, source) = (&self.equipment.client, &self.ends.source.name);
        let brought = self.vm.bring(client, source, self.migration.max_time).await?;
        if let Some(migration) = brought {
            self.words += &format!("brought to {source} before: task {}\n", migration.upid);
        }
        Ok(())
    }

    pub async fn migrate(&mut self, live: &mut (dyn FnMut(&Sample) + Send)) -> Result<Migrated> {
        let watching = self.ends.by_api(self.vm.vmid).await?;
        let (migrated, holder) =
            self.ends.migrate(&self.migration, &watching, live, &mut self.words).await?;
        self.holder = holder;
        Ok(migrated)
    }

    /// Whether it is not at this end.
    pub fn is_dead(&self, side: Side) -> bool {
        self.holder != Some(side)
    }

    /// It does not answer, with what Proxmox says of it.
    pub async fn silent(&self, side: Side, what: &str, outcome: Outcome) -> Ended {
        self.ends.silent(self.vm.vmid, side, what, outcome).await
    }

    /// Which end's node is lost.
    pub async fn lost(&self) -> Option<Side> {
        self.ends.lost().await
    }

    /// Leaves it where it is, and gives what was said.
    pub fn end(&mut self) -> String {
        std::mem::take(&mut self.words)
    }
}
