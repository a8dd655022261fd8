//! A guest on Proxmox VE: a VM of our own, made for the trial, migrated by Proxmox and removed.

mod ends;
mod existing;
mod removal;
mod told;

pub use existing::ExistingVm;
pub use removal::{load, ready, sweep};
pub use told::Told;

use super::Migrated;
use crate::{
    record::Outcome,
    settings::{BandwidthLimit, Settings, Transport},
    trial::{
        Equipment, Order,
        equipment::{OwnGuests, ProxmoxBoot, ProxmoxEquipment},
        outcome::Ended,
    },
};
use anyhow::{Result, bail};
use camino::Utf8PathBuf;
use ends::Ends;
use lab::{
    RunningLab,
    hypervisor::{
        proxmox::{
            guest::{self, Boot, GuestSpec},
            migrate::{MigrationOrder, Monitor, Watching},
        },
        qemu::{
            Accelerator,
            migration::{Sample, Side},
        },
    },
    node::Node,
    spec::MigrationType,
};

/// The guest of one trial.
#[derive(Debug)]
pub struct OnProxmox {
    equipment: ProxmoxEquipment,
    ends: Ends,
    spec: GuestSpec,
    /// The guest's image, on this machine.
    image: Utf8PathBuf,
    migration: MigrationOrder,
    /// Once it is made.
    vm: Option<guest::Guest>,
    /// Which end has it after its migration, as far as anybody could tell.
    holder: Option<Side>,
    /// What was said of its migration, in lines.
    words: String,
}

impl OnProxmox {
    /// Nothing is made yet.
    pub fn new(
        lab: &RunningLab,
        equipment: &Equipment,
        proxmox: &ProxmoxEquipment,
        own: &OwnGuests,
        order: &Order,
    ) -> Result<Self> {
        let ends = Ends::of(lab, &proxmox.client, order)?;
        let settings = &order.settings;
        let address = lab.spec.networks.guest.guest_address(0);
        let is_root = proxmox.client.credentials().is_root();
        let cap = Cap::of(settings.bandwidth_limit, is_root)?;
        if !settings.disk.is_none() {
            bail!("guests on Proxmox VE have no disk of their own yet");
        }
        let spec = GuestSpec {
            ours: proxmox.ours.clone(),
            name: format!("precopy-lab-{}", order.trial),
            memory: settings.memory,
            bridge: own.bridge.clone(),
            mac: wire::mac_of_ipv4(address.octets()),
            kvm: equipment.accelerator == Accelerator::Kvm,
            boot: match &own.boot {
                // Where its file lies is known when it is delivered.
                ProxmoxBoot::Kernel => {
                    Boot::Kernel { file: Utf8PathBuf::new(), command_line: String::new() }
                }
                ProxmoxBoot::Cd { volume } => Boot::Cd { volume: volume.clone() },
            },
            monitor: own.monitor.clone().filter(|_| is_root),
            arguments: Vec::new(),
            migrate_downtime: Some(settings.downtime_limit.duration()),
            migrate_speed_mib_s: cap.speed_mib_s,
        };
        let network = lab.spec.networks.of(settings.network.link());
        let migration = MigrationOrder {
            // Of the VM that is yet to be made.
            vmid: 0,
            source: ends.source.name.clone(),
            target: ends.target.name.clone(),
            kind: kind(settings),
            // Others than root get the datacenter's, which is refused where it is another one.
            network: is_root.then_some(network.cidr),
            bwlimit_kib_s: cap.bwlimit_kib_s,
            max_time: order.max_time,
            may_end_worker: true,
        };
        Ok(Self {
            equipment: proxmox.clone(),
            ends,
            spec,
            image: equipment.guest.clone(),
            migration,
            vm: None,
            holder: Some(Side::Source),
            words: String::new(),
        })
    }

    pub async fn start(&mut self) -> Result<()> {
        if let Boot::Kernel { file, .. } = &mut self.spec.boot {
            // Where it is already, nothing is sent.
            let (here, there) = tokio::try_join!(
                self.ends.source.deliver(&self.image),
                self.ends.target.deliver(&self.image)
            )?;
            if here != there {
                bail!("the guest's image lies at {here} on one node and at {there} on the other");
            }
            *file = here;
        }
        let client = &self.equipment.client;
        let made = guest::Guest::create(client, &self.ends.source.name, &self.spec).await?;
        self.migration.vmid = made.vmid;
        self.vm.insert(made).start(client).await?;
        if !self.ends.source.has_shell() {
            self.ends.settled(self.migration.vmid).await?;
        }
        Ok(())
    }

    pub async fn migrate(&mut self, live: &mut (dyn FnMut(&Sample) + Send)) -> Result<Migrated> {
        let watching = self.watching().await?;
        let (migrated, holder) =
            self.ends.migrate(&self.migration, &watching, live, &mut self.words).await?;
        self.holder = holder;
        Ok(migrated)
    }

    /// By monitors of our own where it has them, else through the API.
    async fn watching(&self) -> Result<Watching> {
        let vmid = self.migration.vmid;
        let Some(folder) = &self.spec.monitor else { return self.ends.by_api(vmid).await };
        let monitor =
            |node: &Node| Box::new(Monitor { node: node.clone(), socket: folder.socket(vmid) });
        let (source, target) = (monitor(&self.ends.source), monitor(&self.ends.target));
        Ok(Watching::Monitors { source, target })
    }

    /// Whether the guest is not at this end.
    pub fn is_dead(&self, side: Side) -> bool {
        self.holder != Some(side)
    }

    /// A guest that does not answer, with what Proxmox says of it.
    pub async fn silent(&self, side: Side, what: &str, outcome: Outcome) -> Ended {
        match &self.vm {
            Some(vm) => self.ends.silent(vm.vmid, side, what, outcome).await,
            None => Ended::new(Outcome::Failed, what),
        }
    }

    /// Which end's node is lost.
    pub async fn lost(&self) -> Option<Side> {
        self.ends.lost().await
    }

    /// Removes it, wherever it is.
    pub async fn end(&mut self) -> String {
        let mut words = std::mem::take(&mut self.words);
        if let Some(vm) = self.vm.take()
            && let Err(error) = removal::remove(&self.equipment, vm.vmid).await
        {
            words += &format!("VM {} may be left, until a run begins or ends: {error}\n", vm.vmid);
        }
        words
    }
}

/// What is asked for; `None` leaves it to the datacenter.
fn kind(settings: &Settings) -> Option<MigrationType> {
    match settings.transport {
        Transport::Lab => None,
        Transport::Insecure => Some(MigrationType::Insecure),
        Transport::Secure => Some(MigrationType::Secure),
    }
}

/// A cap, as Proxmox takes it: of root for each migration, of others in the VM's configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cap {
    bwlimit_kib_s: Option<u64>,
    speed_mib_s: Option<u64>,
}

impl Cap {
    fn of(limit: BandwidthLimit, is_root: bool) -> Result<Self> {
        const KIB: u64 = 1 << 10;
        const MIB: u64 = 1 << 20;
        let whole = |bytes: u64, unit: u64, name: &str| {
            if bytes == 0 || !bytes.is_multiple_of(unit) {
                bail!("Proxmox takes a `bandwidth_limit` in whole {name}/s of this user");
            }
            Ok(Some(bytes / unit))
        };
        Ok(match (limit, is_root) {
            (BandwidthLimit::Default, _) | (BandwidthLimit::Unlimited, false) => Self::default(),
            (BandwidthLimit::Unlimited, true) => Self { bwlimit_kib_s: Some(0), ..Self::default() },
            (BandwidthLimit::Capped(rate), true) => {
                Self { bwlimit_kib_s: whole(rate.0, KIB, "KiB")?, ..Self::default() }
            }
            (BandwidthLimit::Capped(rate), false) => {
                Self { speed_mib_s: whole(rate.0, MIB, "MiB")?, ..Self::default() }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab::units::ByteRate;

    #[test]
    fn a_cap_is_of_root_or_of_the_vm() {
        let of = |limit, is_root| {
            let cap = Cap::of(limit, is_root).map_err(|error| error.to_string())?;
            Ok::<_, String>((cap.bwlimit_kib_s, cap.speed_mib_s))
        };
        let capped = |bytes| BandwidthLimit::Capped(ByteRate(bytes));
        assert_eq!(of(BandwidthLimit::Default, true), Ok((None, None)));
        assert_eq!(of(BandwidthLimit::Unlimited, true), Ok((Some(0), None)));
        assert_eq!(of(capped(20 << 20), true), Ok((Some(20 << 10), None)));
        assert_eq!(of(capped(20 << 20), false), Ok((None, Some(20))));
        assert_eq!(of(capped(1536 << 10), true), Ok((Some(1536), None)));
        assert!(of(capped(1536 << 10), false).unwrap_err().contains("whole MiB/s"));
        assert!(of(capped(1000), true).unwrap_err().contains("whole KiB/s"));
    }
}
