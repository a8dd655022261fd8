//! A VM that somebody has, before the first trial and after the last.

use crate::{color::Paint, exit::Result, show};
use harness::{
    run_folder::{Home, RunWriter},
    trial::{self, Equipment, ExistingGuest, Hypervisor, ProxmoxEquipment, ProxmoxGuest},
};
use std::time::Duration;

/// Writes down where it is put back, before anything is migrated.
///
/// # Errors
/// When that cannot be written.
pub fn keep_home(writer: &RunWriter, equipment: &Equipment) -> Result {
    let Some(ExistingGuest { vm, .. }) = of(equipment) else { return Ok(()) };
    let home = Home { vmid: vm.vmid, name: vm.name.clone(), node: vm.home.clone() };
    writer.write_home(&home)?;
    Ok(())
}

/// Puts it back, however the run ended; what cannot be done is said with what helps.
pub async fn put_back(equipment: &Equipment, max_time: Duration, paint: Paint) {
    let Some(ExistingGuest { vm, .. }) = of(equipment) else { return };
    match trial::put_back(equipment, max_time).await {
        Ok(words) => words.iter().for_each(|words| show::tell(words)),
        Err(error) => show::tell(&format!(
            "{} VM {} ({}) may not be back on {}: {error:#}\n\nhint: `qm migrate {} {} --online` on \
             the node that it is on, or resume the run, which puts it back at its end",
            paint.warning("warning:"),
            vm.vmid,
            vm.name,
            vm.home,
            vm.vmid,
            vm.home
        )),
    }
}

fn of(equipment: &Equipment) -> Option<&ExistingGuest> {
    match &equipment.hypervisor {
        Hypervisor::Proxmox(ProxmoxEquipment {
            guest: ProxmoxGuest::Existing(existing), ..
        }) => Some(existing),
        _ => None,
    }
}
