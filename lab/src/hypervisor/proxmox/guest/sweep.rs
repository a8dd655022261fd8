//! Removing what earlier runs left: VMs with our tag and an id of ours, and no others.

use super::{
    own::{DEADLINE, Guest},
    spec::Ours,
    stale::{self, Stale},
    twin,
};
use crate::hypervisor::proxmox::{call::Client, error::Error};

/// A VM that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Which.
    pub guest: Guest,
    /// What a killed migration had left of it.
    pub stale: Stale,
}

/// VMs that are ours, with the nodes they are on. Changes nothing.
///
/// # Errors
/// When Proxmox does not tell.
pub async fn find(client: &Client, ours: &Ours) -> Result<Vec<Guest>, Error> {
    let mut found = Vec::new();
    for resource in client.resources("vm").await? {
        let (Some(vmid), Some(node)) = (resource.vmid, resource.node) else { continue };
        if resource.kind != "qemu" || !ours.ids.contains(&vmid) {
            continue;
        }
        // The list's tags may be old: the configuration decides.
        if ours.has(vmid, &client.vm_config(&node, vmid).await?.tags()) {
            found.push(Guest { vmid, node });
        }
    }
    Ok(found)
}

/// Removes them all, running or not: ends what is still done with them, such as a migration, and
/// takes away the locks of what was killed.
///
/// # Errors
/// At the first that cannot be removed.
pub async fn sweep(client: &Client, ours: &Ours) -> Result<Vec<Swept>, Error> {
    let mut swept = Vec::new();
    for guest in find(client, ours).await? {
        let tasks = client.cluster_tasks().await?;
        let id = guest.vmid.to_string();
        for task in tasks.iter().filter(|task| task.upid.id() == id && task.status.is_none()) {
            client.stop_task(&task.upid).await?;
            client.follow(&task.upid, client.patience.pause, DEADLINE, |_| ()).await?;
        }
        // A migration that was not ended in time may have moved it.
        let Some(node) = client.node_of(guest.vmid).await? else { continue };
        let guest = Guest { node, ..guest };
        let stale = stale::free(client, &guest.node, guest.vmid).await?;
        if stale == Stale::Standstill {
            // Where it cannot be removed, a later migration to there does it.
            let _twin_stays = twin::remove(client, &guest).await;
        }
        let Some(node) = client.node_of(guest.vmid).await? else { continue };
        let guest = Guest { node, ..guest };
        guest.destroy(client, ours).await?;
        swept.push(Swept { guest, stale });
    }
    Ok(swept)
}
