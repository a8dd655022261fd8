//! What the token's user may do.

use super::{
    request::{Reply, Request},
    world::World,
};
use lab::playbook::PROXMOX_PRIVILEGES;

/// Whether what is granted on one path holds on another.
pub(super) fn covers(granted: &str, path: &str) -> bool {
    granted == path || granted == "/" || path.starts_with(&format!("{granted}/"))
}

/// What it takes to set a key of a VM's configuration.
fn privilege(key: &str, value: &str) -> Option<&'static str> {
    Some(match key {
        "vmid" | "start" => return None,
        "memory" | "balloon" => "VM.Config.Memory",
        "cores" | "cpu" => "VM.Config.CPU",
        "kvm" | "vga" | "serial0" => "VM.Config.HWType",
        "boot" => "VM.Config.Disk",
        _ if key.starts_with("net") => "VM.Config.Network",
        _ if key.starts_with("ide") && value.contains("media=cdrom") => "VM.Config.CDROM",
        _ if key.starts_with("ide") => "VM.Config.Disk",
        _ => "VM.Config.Options",
    })
}

impl World {
    /// Grants what the README's commands grant, for VMs with these ids.
    pub fn grant(&mut self, ids: std::ops::RangeInclusive<u32>) {
        let fixed = ["/storage/shared", "/sdn/zones/localnetwork/vmbr0", "/nodes"];
        let paths = ids.map(|id| format!("/vms/{id}")).chain(fixed.map(str::to_owned));
        for path in paths {
            let all = PROXMOX_PRIVILEGES.iter();
            self.granted.extend(all.map(|privilege| (path.clone(), (*privilege).to_owned())));
        }
    }

    /// Whether somebody may do something.
    pub(super) fn may(&self, who: &str, path: &str, privilege: &str) -> Result<(), Reply> {
        let mut granted = self.granted.iter();
        let held = granted.any(|(granted, it)| it == privilege && covers(granted, path));
        if who == "root@pam" || held {
            return Ok(());
        }
        Err(Reply::error(403, &format!("Permission check failed ({path}, {privilege})")))
    }

    /// Whether somebody may make this VM.
    pub(super) fn may_create(&self, who: &str, vmid: &str, request: &Request) -> Result<(), Reply> {
        let vm = format!("/vms/{vmid}");
        self.may(who, &vm, "VM.Allocate")?;
        for (key, value) in &request.parameters {
            if let Some(privilege) = privilege(key, value) {
                self.may(who, &vm, privilege)?;
            }
            if let Some((storage, _)) = value.split_once(":iso/") {
                self.may(who, &format!("/storage/{storage}"), "Datastore.Audit")?;
            }
            if let Some((_, bridge)) = value.split_once(",bridge=") {
                self.may(who, &format!("/sdn/zones/localnetwork/{bridge}"), "SDN.Use")?;
            }
        }
        Ok(())
    }

    /// Whether somebody may do this with a VM that there is.
    pub(super) fn may_act(&self, who: &str, vmid: &str, what: &[&str]) -> Result<(), Reply> {
        let privilege = match what {
            ["status", "current"] | ["config"] => "VM.Audit",
            ["status", ..] => "VM.PowerMgmt",
            ["monitor"] => "Sys.Audit",
            [] => "VM.Allocate",
            _ => return Ok(()),
        };
        self.may(who, &format!("/vms/{vmid}"), privilege)
    }
}
