//! A VM that somebody has, opted in by its id: it is migrated and put back, and nothing else.

use crate::hypervisor::proxmox::{
    call::Client,
    error::{Error, Fault},
    migrate::{Migration, MigrationOrder, Watching, migrate},
};
use std::time::Duration;

/// Such a VM, and the node where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Existing {
    /// Its id.
    pub vmid: u32,
    /// Where it is put back.
    pub home: String,
}

impl Existing {
    /// Finds it and looks whether it may be migrated to `target`, changing nothing.
    ///
    /// # Errors
    /// [`Fault::Unfit`] where there is none, else as for [`MigrationOrder::check`].
    pub async fn find(client: &Client, vmid: u32, target: &str) -> Result<Self, Error> {
        let Some(home) = client.node_of(vmid).await? else {
            let why = "the cluster has no such VM".to_owned();
            let hint = "`qm list` on each node lists those it has";
            return Err(Error::new("GET /cluster/resources", Fault::Unfit { vmid, why, hint }));
        };
        let existing = Self { vmid, home };
        existing.order(&existing.home, target, Duration::ZERO).check(client).await?;
        Ok(existing)
    }

    /// A migration of it, with the datacenter's type, network and limits.
    #[must_use]
    pub fn order(&self, source: &str, target: &str, max_time: Duration) -> MigrationOrder {
        MigrationOrder {
            vmid: self.vmid,
            source: source.to_owned(),
            target: target.to_owned(),
            kind: None,
            network: None,
            bwlimit_kib_s: None,
            max_time,
        }
    }

    /// Puts it back where it was found, by a live migration; gives that, and `None` if it is there.
    ///
    /// # Errors
    /// When it is nowhere, or stands against being migrated. That the migration was begun says
    /// nothing of its end.
    pub async fn put_back(
        &self,
        client: &Client,
        max_time: Duration,
    ) -> Result<Option<Migration>, Error> {
        let Self { vmid, home } = self;
        let Some(node) = client.node_of(*vmid).await? else {
            let why = "it is not in the cluster any more".to_owned();
            let hint = "somebody has removed it";
            let fault = Fault::Unfit { vmid: *vmid, why, hint };
            return Err(Error::new("GET /cluster/resources", fault));
        };
        if node == *home {
            return Ok(None);
        }
        let order = self.order(&node, home, max_time);
        migrate(client, &order, &Watching::Nothing, |_| ()).await.map(Some)
    }
}
