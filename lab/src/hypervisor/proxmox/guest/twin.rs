//! What a killed migration leaves on its target once all memory was sent: a second QEMU of the VM,
//! which waits for a word and would stand in the way of whoever gets the VM's id there.

use super::own::{DEADLINE, Guest};
use crate::hypervisor::proxmox::{
    call::Client,
    error::{Error, Fault},
    form::Form,
    migration_log::MigrationLog,
    start::Start,
    tasks::Exit,
};

/// Has Proxmox remove it, as was found on a real cluster: a migration to there fails, for the VM is
/// `already running`, and cleans up. The VM is on the target afterwards if nothing was in the way.
///
/// # Errors
/// When Proxmox does not tell where it is, or begins no migration.
pub(super) async fn remove(client: &Client, guest: &Guest) -> Result<(), Error> {
    let Guest { vmid, node } = guest;
    let tasks = client.cluster_tasks().await?;
    let killed = tasks.iter().filter(|task| {
        let upid = &task.upid;
        let of_vm = upid.kind() == "qmigrate" && upid.id() == vmid.to_string();
        let was_killed = task.status.as_deref().is_some_and(|it| Exit::of(it) == Exit::Killed);
        of_vm && upid.node() == node && was_killed
    });
    let Some(newest) = killed.max_by_key(|task| task.upid.start_s()) else { return Ok(()) };
    let lines = client.task_log(&newest.upid, 0).await?;
    let log = MigrationLog::read(lines.iter().map(|line| line.t.as_str()));
    let Some(target) = log.target else { return Ok(()) };
    let form = Form::new().with("target", target).with_flag("online", true);
    let start = Start::of_vm(node, *vmid, "migrate", "qmigrate", form);
    match client.carry_out(&start, DEADLINE).await {
        Err(error) if matches!(error.fault(), Fault::TaskFailed { .. }) => Ok(()),
        done => done,
    }
}
