//! A VM that somebody has, opted in by its id and name: it is migrated and put back, and nothing
//! else.

use super::own::DEADLINE;
use crate::{
    hypervisor::{
        proxmox::{
            call::Client,
            error::{Error, Fault},
            migrate::{Migration, MigrationOrder, Watching, migrate},
        },
        qemu::migration::End,
    },
    wait::{self, Pauses},
};
use std::{ops::ControlFlow, time::Duration};

/// Such a VM, and the node where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Existing {
    /// Its id.
    pub vmid: u32,
    /// Its name, by which it was opted in.
    pub name: String,
    /// Where it is put back.
    pub home: String,
}

impl Existing {
    /// Finds it, changing nothing.
    ///
    /// # Errors
    /// [`Fault::Unfit`] where there is none of this id, or it has another name.
    pub async fn find(client: &Client, vmid: u32, name: &str) -> Result<Self, Error> {
        let mut found = Self { vmid, name: name.to_owned(), home: String::new() };
        found.home = found.node(client).await?;
        Ok(found)
    }

    /// The node that it is on now.
    ///
    /// # Errors
    /// As for [`Self::find`].
    pub async fn node(&self, client: &Client) -> Result<String, Error> {
        let Self { vmid, name, .. } = self;
        let unfit = |why, hint| {
            Err(Error::new("GET /cluster/resources", Fault::Unfit { vmid: *vmid, why, hint }))
        };
        let Some(node) = client.node_of(*vmid).await? else {
            let why = "the cluster has no such VM".to_owned();
            return unfit(why, "`qm list` on each node lists those it has");
        };
        // The list's names may be old: the configuration decides.
        let config = client.vm_config(&node, *vmid).await?;
        let its_name = config.get("name").unwrap_or_default();
        if its_name != name {
            let why = format!("its name is `{its_name}`, not `{name}`");
            return unfit(why, "only a VM that is opted in by its own name is migrated");
        }
        Ok(node)
    }

    /// Looks whether it may be migrated to `target` from where it is, changing nothing.
    ///
    /// # Errors
    /// As for [`Self::find`] and [`MigrationOrder::check`].
    pub async fn check(&self, client: &Client, target: &str) -> Result<(), Error> {
        let node = self.node(client).await?;
        self.order(&node, target, Duration::ZERO).check(client).await
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
            may_end_worker: false,
        }
    }

    /// Brings it to a node by a live migration that nobody watches; gives that, and `None` if it is
    /// there.
    ///
    /// # Errors
    /// When it is nowhere, or stands against being migrated; [`Fault::Unfit`], too, when the
    /// migration did not bring it there.
    pub async fn bring(
        &self,
        client: &Client,
        target: &str,
        max_time: Duration,
    ) -> Result<Option<Migration>, Error> {
        let node = self.node(client).await?;
        if node == target {
            return Ok(None);
        }
        let order = self.order(&node, target, max_time);
        let migration = migrate(client, &order, &Watching::Nothing, |_| ()).await?;
        let words = match &migration.log.end {
            End::Completed(_) => return Ok(Some(migration)),
            End::TimedOut(_) => format!("it did not get there within {} s", max_time.as_secs()),
            End::Cancelled => "somebody cancelled its migration".to_owned(),
            End::Failed(words) => words.clone(),
        };
        let why = format!("it is on {node}, and was not brought to {target}: {words}");
        let fault =
            Fault::Unfit { vmid: self.vmid, why, hint: "the task's log on its node tells more" };
        Err(Error::new(format!("POST /nodes/{node}/qemu/{}/migrate", self.vmid), fault))
    }

    /// Puts it back where it was found, by a live migration; gives that, and `None` if it is there.
    /// A migration of it that we have begun and that still runs is cancelled in QEMU before, where we
    /// may; it ends in either case, and so does whatever else is done with it.
    ///
    /// # Errors
    /// As for [`Self::bring`], and when it does not become free in time.
    pub async fn put_back(
        &self,
        client: &Client,
        max_time: Duration,
    ) -> Result<Option<Migration>, Error> {
        self.settle(client, max_time).await?;
        self.bring(client, &self.home, max_time).await
    }

    /// Waits until nothing is done with it. A task is ended for nobody's sake: what Proxmox's worker
    /// leaves when it is killed at the wrong moment is a VM that stands still on its source.
    async fn settle(&self, client: &Client, max_time: Duration) -> Result<(), Error> {
        let (id, who) = (self.vmid.to_string(), client.credentials().who());
        for task in client.cluster_tasks().await? {
            if task.upid.id() != id || task.status.is_some() {
                continue;
            }
            if task.upid.kind() == "qmigrate" && task.upid.user() == who {
                // QEMU does nothing once all memory is sent; then the migration comes to its end.
                let node = task.upid.node();
                let _may_be_over = client.monitor(node, self.vmid, "migrate_cancel").await;
            }
            let deadline = max_time + DEADLINE;
            client.follow(&task.upid, client.patience.pause, deadline, |_| ()).await?;
        }
        let pause = client.patience.pause;
        let pauses = Pauses { first: pause, longest: pause * 4 };
        // A task that was ended leaves its lock for a moment.
        wait::backing_off(pauses, client.patience.settle, || async move {
            let looked = async {
                let node = self.node(client).await?;
                client.vm_config(&node, self.vmid).await
            };
            match looked.await {
                Ok(config) => match config.lock() {
                    None => ControlFlow::Break(Ok(())),
                    Some(lock) => {
                        let fault = Fault::Locked { lock: lock.to_owned() };
                        ControlFlow::Continue(Error::new(format!("VM {}", self.vmid), fault))
                    }
                },
                Err(error) if matches!(error.fault(), Fault::NoVm { .. }) => {
                    ControlFlow::Continue(error)
                }
                Err(error) => ControlFlow::Break(Err(error)),
            }
        })
        .await
    }
}
