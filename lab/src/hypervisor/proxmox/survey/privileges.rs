//! What experiments need to be allowed, what of it is missing, and the commands that grant it.

use super::found::{Answer, Versions};
use crate::{
    hypervisor::proxmox::{Capabilities, Client, Error},
    playbook::PROXMOX_PRIVILEGES,
    spec::ProxmoxSpec,
};
use serde::{Deserialize, Serialize};

/// The role that has all that is needed, as the playbook of Proxmox calls it too.
pub const ROLE: &str = "PrecopyLab";

/// The role that may migrate a VM that one has, and nothing else.
const MIGRATE_ROLE: &str = "PrecopyLabMigrate";
/// What it has: migrating, and seeing how that goes on.
const MIGRATE_PRIVILEGES: [&str; 3] = ["Sys.Audit", "VM.Audit", "VM.Migrate"];

/// Proxmox's own role that may look at everything.
const AUDITOR: &str = "PVEAuditor";

/// A path on which privileges are missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lack {
    /// Such as `/storage/shared`.
    pub path: String,
    /// What is missing there.
    pub privileges: Vec<String>,
    /// What it is needed for.
    pub purpose: String,
}

/// What is missing, and what else privileges tell.
pub(super) struct Lacks {
    pub lacks: Vec<Lack>,
    pub sees_all_guests: bool,
}

/// Asks path by path: only so is the answer sure.
pub(super) async fn lacks(
    client: &Client,
    proxmox: &ProxmoxSpec,
    versions: &[&Versions],
) -> Answer<Lacks> {
    look(client, proxmox, versions).await.into()
}

async fn look(
    client: &Client,
    proxmox: &ProxmoxSpec,
    versions: &[&Versions],
) -> Result<Lacks, Error> {
    let guest = format!("/vms/{}", proxmox.vmids.first);
    let storage = format!("/storage/{}", proxmox.storage);
    let bridge = format!("/sdn/zones/localnetwork/{}", proxmox.bridge);
    // Of the oldest node; a version that is not known counts as Proxmox VE 9.
    let monitor = versions
        .iter()
        .filter_map(|of| of.qemu_server.as_ref()?.parse().ok())
        .min()
        .map_or("Sys.Audit", |version| Capabilities::of(version).monitor_privilege);
    let of =
        |prefix: &'static str| PROXMOX_PRIVILEGES.iter().filter(move |it| it.starts_with(prefix));
    let guests: Vec<&str> = of("VM.").copied().chain([monitor]).collect();
    let stores: Vec<&str> = of("Datastore.").copied().collect();
    let whole: (&str, &[&str], &str) =
        ("/", &["Sys.Audit"], "to see quorum, nodes and the datacenter's options");
    let existing = proxmox.guest.as_ref().map(|guest| format!("/vms/{}", guest.vmid));
    let to_migrate = ["VM.Audit", "VM.Migrate", monitor];
    let own: [(&str, &[&str], &str); 3] = [
        (&guest, &guests, "to make, start, watch, migrate and remove guests of our own"),
        (&storage, &stores, "to put a guest's boot image and disk there"),
        (&bridge, &["SDN.Use"], "to connect a guest to the bridge"),
    ];
    let asked = match &existing {
        Some(path) => {
            let purpose = "to migrate it and to watch that";
            vec![whole, (path.as_str(), &to_migrate[..], purpose)]
        }
        None => std::iter::once(whole).chain(own).collect(),
    };
    let mut lacks = Vec::new();
    for (path, privileges, purpose) in asked {
        let held = client.permissions(Some(path)).await?;
        let missing = held.missing(path, privileges);
        if !missing.is_empty() {
            lacks.push(Lack {
                path: path.to_owned(),
                privileges: missing.into_iter().map(str::to_owned).collect(),
                purpose: purpose.to_owned(),
            });
        }
    }
    let all = client.permissions(Some("/vms")).await?;
    Ok(Lacks { lacks, sees_all_guests: all.has("/vms", "VM.Audit") })
}

/// Whom to grant what.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// `user@realm` or `user@realm!name`.
    pub who: &'a str,
    /// The lab's settings.
    pub proxmox: &'a ProxmoxSpec,
}

impl Grant<'_> {
    /// The command, run as root on a node, that makes the role.
    #[must_use]
    pub fn role(&self) -> String {
        if self.proxmox.guest.is_some() {
            let privileges = MIGRATE_PRIVILEGES.join(" ");
            return format!("pveum role add {MIGRATE_ROLE} --privs '{privileges}'");
        }
        format!("pveum role add {ROLE} --privs '{}'", PROXMOX_PRIVILEGES.join(" "))
    }

    /// The command, run as root on a node, that grants what is missing on a path. A token gets
    /// what its user has too, for with separated privileges it has what both have.
    #[must_use]
    pub fn command(&self, path: &str) -> String {
        let whom = match self.who.split_once('!') {
            Some((user, _)) => format!("--users {user} --tokens '{}'", self.who),
            None => format!("--users {}", self.who),
        };
        if path == "/" {
            return format!("pveum acl modify / {whom} --roles {AUDITOR} --propagate 0");
        }
        if self.proxmox.guest.is_some() {
            return format!("pveum acl modify {path} {whom} --roles {MIGRATE_ROLE}");
        }
        if path.starts_with("/vms/") {
            let ids = self.proxmox.vmids;
            return format!(
                "for id in $(seq {} {}); do pveum acl modify /vms/$id {whom} --roles {ROLE}; done",
                ids.first, ids.last
            );
        }
        format!("pveum acl modify {path} {whom} --roles {ROLE}")
    }
}
