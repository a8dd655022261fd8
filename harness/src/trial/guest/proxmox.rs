//! A guest on Proxmox VE: a VM of our own, made for the trial, migrated by Proxmox and removed.

mod removal;
mod told;

pub use removal::{ready, sweep};
pub use told::Told;

use super::Migrated;
use crate::{
    record::Outcome,
    settings::{BandwidthLimit, Settings, Transport},
    trial::{
        Equipment, Order,
        equipment::{ProxmoxBoot, ProxmoxEquipment},
        nodes,
        outcome::Ended,
    },
};
use anyhow::{Context, Result, bail};
use camino::Utf8PathBuf;
use lab::{
    RunningLab, facts,
    hypervisor::{
        proxmox::{
            capabilities::InfoMigrateFormat,
            guest::{self, Boot, GuestSpec},
            migrate::{Live, Migration, MigrationOrder, Monitor, Watching, migrate},
        },
        qemu::{
            Accelerator,
            migration::{Sample, Side},
        },
    },
    node::Node,
    spec::MigrationType,
};
use std::time::Duration;
use tokio::time::timeout;

/// A node that does not tell its load within this time is lost.
const LOOK_DEADLINE: Duration = Duration::from_secs(15);

/// The guest of one trial.
#[derive(Debug)]
pub struct OnProxmox {
    equipment: ProxmoxEquipment,
    source: Node,
    target: Node,
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
        order: &Order,
    ) -> Result<Self> {
        let [source, target, _] = nodes::of(lab, order)?;
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
            bridge: proxmox.bridge.clone(),
            mac: wire::mac_of_ipv4(address.octets()),
            kvm: equipment.accelerator == Accelerator::Kvm,
            boot: match &proxmox.boot {
                // Where its file lies is known when it is delivered.
                ProxmoxBoot::Kernel => {
                    Boot::Kernel { file: Utf8PathBuf::new(), command_line: String::new() }
                }
                ProxmoxBoot::Cd { volume } => Boot::Cd { volume: volume.clone() },
            },
            monitor: proxmox.monitor.clone().filter(|_| is_root),
            arguments: Vec::new(),
            migrate_downtime: Some(settings.downtime_limit.duration()),
            migrate_speed_mib_s: cap.speed_mib_s,
        };
        let network = lab.spec.networks.of(settings.network.link());
        let migration = MigrationOrder {
            // Of the VM that is yet to be made.
            vmid: 0,
            source: source.name.clone(),
            target: target.name.clone(),
            kind: kind(settings),
            // Others than root get the datacenter's, which is refused where it is another one.
            network: is_root.then_some(network.cidr),
            bwlimit_kib_s: cap.bwlimit_kib_s,
            max_time: order.max_time,
        };
        Ok(Self {
            equipment: proxmox.clone(),
            source: source.clone(),
            target: target.clone(),
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
                self.source.deliver(&self.image),
                self.target.deliver(&self.image)
            )?;
            if here != there {
                bail!("the guest's image lies at {here} on one node and at {there} on the other");
            }
            *file = here;
        }
        let client = &self.equipment.client;
        let made = guest::Guest::create(client, &self.source.name, &self.spec).await?;
        self.migration.vmid = made.vmid;
        self.vm.insert(made).start(client).await?;
        Ok(())
    }

    pub async fn migrate(&mut self, live: &mut (dyn FnMut(&Sample) + Send)) -> Result<Migrated> {
        let watching = self.watching().await?;
        let client = &self.equipment.client;
        let tell = |what: Live<'_>| match what {
            Live::Sample(sample) => live(sample),
            Live::Line(_) => {}
        };
        let migration = migrate(client, &self.migration, &watching, tell).await?;
        self.words += &told::words(&migration);
        self.holder = self.side_of(migration.node.as_deref());
        let told = Told::of(&migration);
        let Migration { log, .. } = migration;
        Ok(Migrated {
            end_s: told.end_s,
            began_s: told.began_s.unwrap_or(0.0),
            log,
            told: Some(told),
        })
    }

    /// By monitors of our own where it has them, else through the API.
    async fn watching(&self) -> Result<Watching> {
        let (vmid, node) = (self.migration.vmid, &self.source.name);
        if let Some(folder) = &self.spec.monitor {
            let monitor =
                |node: &Node| Box::new(Monitor { node: node.clone(), socket: folder.socket(vmid) });
            let (source, target) = (monitor(&self.source), monitor(&self.target));
            return Ok(Watching::Monitors { source, target });
        }
        let status = self.equipment.client.vm_status(node, vmid).await?;
        let running =
            status.running_qemu.context("Proxmox does not say which QEMU runs the guest")?;
        let version = running.parse().with_context(|| format!("the QEMU `{running}`"))?;
        Ok(Watching::Api(InfoMigrateFormat::of(version)))
    }

    fn side_of(&self, node: Option<&str>) -> Option<Side> {
        match node? {
            name if name == self.source.name => Some(Side::Source),
            name if name == self.target.name => Some(Side::Target),
            _ => None,
        }
    }

    fn node(&self, side: Side) -> &Node {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    /// Whether the guest is not at this end.
    pub fn is_dead(&self, side: Side) -> bool {
        self.holder != Some(side)
    }

    /// A guest that does not answer, with what Proxmox says of it.
    pub async fn silent(&self, side: Side, what: &str, outcome: Outcome) -> Ended {
        let Some(vm) = &self.vm else { return Ended::new(Outcome::Failed, what) };
        let (vmid, node) = (vm.vmid, &self.node(side).name);
        match self.equipment.client.vm_status(node, vmid).await {
            Ok(status) if status.is_running() => match status.qmpstatus.as_deref() {
                None | Some("running") => Ended::new(outcome, what),
                Some(other) => {
                    let why = format!("{what}: Proxmox says that VM {vmid} on {node} is `{other}`");
                    Ended::new(Outcome::Failed, why)
                }
            },
            Ok(status) => {
                let why =
                    format!("{what}: Proxmox says that VM {vmid} on {node} is {}", status.status);
                Ended::new(Outcome::Failed, why)
            }
            Err(error) => Ended::new(Outcome::Failed, format!("{what}; then: {error}")),
        }
    }

    /// Which end's node cannot be reached, or is not seen by the cluster any more.
    pub async fn lost(&self) -> Option<Side> {
        let status = self.equipment.client.cluster_status().await.ok();
        for side in [Side::Source, Side::Target] {
            let node = self.node(side);
            let seen = status.as_ref().and_then(|status| {
                status.nodes.iter().find(|seen| seen.name == node.name).map(|seen| seen.online)
            });
            let answers = matches!(timeout(LOOK_DEADLINE, facts::load(node)).await, Ok(Ok(_)));
            if seen == Some(false) || !answers {
                return Some(side);
            }
        }
        None
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
