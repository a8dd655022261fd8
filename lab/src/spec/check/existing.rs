//! What a lab file may not say of a VM that somebody has.

use crate::{
    spec::{ExistingSpec, ProxmoxSpec, VmIds},
    yaml::{Parsed, Problem},
};

/// Everything that is wrong with it.
pub(super) fn problems<T>(parsed: &Parsed<T>, proxmox: &ProxmoxSpec, problems: &mut Vec<Problem>) {
    let Some(ExistingSpec { vmid, name, address }) = &proxmox.guest else { return };
    let at = |key| ["proxmox", "guest", key];
    let ids = VmIds::POSSIBLE;
    if !ids.contains(*vmid) {
        let what = format!("`{vmid}` is no id that a VM can have");
        problems.push(parsed.problem(&at("vmid"), what).hint(format!("its ids are {ids}")));
    } else if proxmox.vmids.contains(*vmid) {
        let own = proxmox.vmids;
        let what = format!("VM {vmid} has an id that guests of this program get, and lose");
        problems.push(
            parsed.problem(&at("vmid"), what).hint(format!(
                "`vmids: {own}` must be ids that nothing else uses; give others there"
            )),
        );
    }
    // As Proxmox takes it: a DNS name.
    let label = |label: &str| {
        let ends = |c: char| c.is_ascii_alphanumeric();
        label.starts_with(ends)
            && label.ends_with(ends)
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    if !name.split('.').all(label) {
        let what = format!("`{}` is no name of a VM", name.escape_debug());
        problems.push(parsed.problem(&at("name"), what).hint("`qm list` on its node shows it"));
    }
    if let Some(address) = address
        && (address.is_loopback()
            || address.is_multicast()
            || address.is_unspecified()
            || address.is_broadcast())
    {
        let what = format!("`{address}` is no address of a VM");
        problems.push(parsed.problem(&at("address"), what).hint(
            "one that answers to `ping` from every node; without one nobody times the outage",
        ));
    }
}
