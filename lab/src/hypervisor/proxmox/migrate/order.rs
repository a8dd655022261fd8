//! What a migration is to do, and whether it can.

use crate::{
    hypervisor::proxmox::{
        call::Client,
        error::{Error, Fault},
        form::Form,
        start::Start,
    },
    spec::{Ipv4Cidr, MigrationType},
};
use std::time::Duration;

/// A live migration of a VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationOrder {
    /// Which VM.
    pub vmid: u32,
    /// Where it is.
    pub source: String,
    /// Where it is to go.
    pub target: String,
    /// How its memory travels; `None` is as the datacenter's options have it. Only root's ticket
    /// may choose.
    pub kind: Option<MigrationType>,
    /// The network that it travels through, likewise.
    pub network: Option<Ipv4Cidr>,
    /// Cap on its speed, KiB/s; 0 is none. Proxmox takes it of those who may modify the datacenter,
    /// and its own options of all others: the log says what was in force.
    pub bwlimit_kib_s: Option<u64>,
    /// When it is cancelled, from when it was asked for.
    pub max_time: Duration,
    /// Whether Proxmox's worker may be ended where its QEMU cannot be told to cancel. What it leaves
    /// when all memory was just sent is a VM that stands still on its source: only one of ours may
    /// come to that.
    pub may_end_worker: bool,
}

impl MigrationOrder {
    pub(super) fn start(&self) -> Start<'_> {
        let form = Form::new().with("target", &self.target).with_flag("online", true);
        let kind = self.kind.map(|kind| match kind {
            MigrationType::Secure => "secure",
            MigrationType::Insecure => "insecure",
        });
        let form = form
            .with_some("migration_type", kind)
            .with_some("migration_network", self.network)
            .with_some("bwlimit", self.bwlimit_kib_s);
        Start::of_vm(&self.source, self.vmid, "migrate", "qmigrate", form)
    }

    /// Looks whether Proxmox would migrate it, changing nothing. That it would is no promise: it
    /// does not look whether the target is up.
    ///
    /// # Errors
    /// What stands against it: it is not there, not running, locked, managed by HA, has something
    /// of its node; or the user may not choose what is to be chosen.
    pub async fn check(&self, client: &Client) -> Result<(), Error> {
        let Self { vmid, source, target, .. } = self;
        let path = format!("/nodes/{source}/qemu/{vmid}/migrate");
        let wrong = |fault| Err(Error::new(format!("POST {path}"), fault));
        let unfit = |why: String, hint| wrong(Fault::Unfit { vmid: *vmid, why, hint });
        let who = client.credentials().who();
        if (self.kind.is_some() || self.network.is_some()) && who != "root@pam" {
            let said = format!(
                "{who} may not choose a migration's type or network; leave both out, and the \
                 datacenter's option `migration` counts"
            );
            return wrong(Fault::RootOnly { said });
        }
        let config = client.vm_config(source, *vmid).await?;
        if let Some(lock) = config.lock() {
            return wrong(Fault::Locked { lock: lock.to_owned() });
        }
        let status = client.vm_status(source, *vmid).await?;
        if status.is_ha_managed() {
            return unfit(
                "HA manages it, and would migrate it when it sees fit".to_owned(),
                "take it out of HA (`ha-manager remove vm:ID`) or choose another",
            );
        }
        if !status.is_running() {
            return unfit("it does not run".to_owned(), "start it: only live ones are measured");
        }
        let precheck = client.precheck(source, *vmid, target).await?;
        let attached = precheck.local_disks.iter().filter(|disk| !disk.is_unused);
        let disks: Vec<&str> = attached.map(|disk| disk.volid.as_str()).collect();
        if !disks.is_empty() {
            return unfit(
                format!("only {source} has {}", disks.join(", ")),
                "put its disks and CDs on a storage that all nodes share, or eject them",
            );
        }
        if !precheck.local_resources.is_empty() {
            return unfit(
                format!("it uses devices of {source}: {}", precheck.local_resources.join(", ")),
                "take them off the VM",
            );
        }
        let lacks = precheck.not_allowed_nodes.get(target);
        let missing: Vec<&str> = lacks
            .iter()
            .flat_map(|lacks| lacks.unavailable_storages.iter().chain(&lacks.unavailable_resources))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            return unfit(
                format!("{target} lacks {}", missing.join(", ")),
                "`pvesm status` on the node lists its storages; they must be enabled there",
            );
        }
        Ok(())
    }
}
