//! The way back from a migration that was killed: its VM stays locked, and its QEMU may stand
//! still. Found on a real cluster, by killing migrations at every stage.

use super::own::DEADLINE;
use crate::hypervisor::proxmox::{
    call::Client,
    error::{AFTER_A_KILL, Error, Fault},
    form::Form,
    start::Start,
};

/// What was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// Nothing: the VM is not locked.
    Nothing,
    /// A lock alone, or with memory still moving.
    Lock,
    /// A VM that stood still with all of its memory sent, while the target waited for a word. Its
    /// next migration fails with `already running` and removes what was left on the target.
    Standstill,
}

/// Frees a VM from the lock of something that was killed. What still runs is left alone.
///
/// # Errors
/// [`Fault::Locked`] while a task of the VM runs; [`Fault::Unfit`] for others than root with a
/// ticket, as Proxmox takes a lock away for nobody else; else when Proxmox refuses.
pub async fn free(client: &Client, node: &str, vmid: u32) -> Result<Stale, Error> {
    let config = client.vm_config(node, vmid).await?;
    let Some(lock) = config.lock() else { return Ok(Stale::Nothing) };
    let path = format!("/nodes/{node}/qemu/{vmid}/config");
    let asked = || format!("PUT {path}");
    let tasks = client.cluster_tasks().await?;
    let of_vm = |task: &&super::TaskEntry| task.upid.id() == vmid.to_string();
    if tasks.iter().filter(of_vm).any(|task| task.status.is_none()) {
        return Err(Error::new(asked(), Fault::Locked { lock: lock.to_owned() }));
    }
    let who = client.credentials().who();
    if who != "root@pam" {
        let why = format!(
            "it is locked ({lock}) by what was killed, and {who} may not take that away: only \
             root@pam with its password may"
        );
        return Err(Error::new(asked(), Fault::Unfit { vmid, why, hint: AFTER_A_KILL }));
    }
    let status = client.vm_status(node, vmid).await?;
    let stands = status.qmpstatus.as_deref() == Some("postmigrate");
    if lock == "migrate" && stands {
        let form = Form::new().with_flag("skiplock", true);
        let resume = Start::of_vm(node, vmid, "status/resume", "qmresume", form);
        client.carry_out(&resume, DEADLINE).await?;
    } else if lock == "migrate" && status.is_running() {
        // What still moves ends, and with it the target's QEMU.
        client.monitor(node, vmid, "migrate_cancel").await?;
    }
    let form = Form::new().with("delete", "lock").with_flag("skiplock", true);
    client.put(&path, &form).await?;
    Ok(if stands { Stale::Standstill } else { Stale::Lock })
}
