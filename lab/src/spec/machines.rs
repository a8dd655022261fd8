//! What a lab file says of nodes that are machines: virtual ones, or such as one already has.

use super::{Boot, LabSpec, Provider};
use crate::units::Bytes;
use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the provider `vagrant`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a mapping with `box`, `cpus`, `memory`, `disk`, `boot` and `prefix`"
)]
pub struct VagrantSpec {
    /// `debian-13` or `debian-12` are boxes of our own, built from packages; anything else is the
    /// name of a published box. Default: `debian-13`.
    #[serde(rename = "box")]
    pub box_name: String,
    /// Version of a published box. Default: the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub box_version: Option<String>,
    /// What the names of domains, networks and volumes begin with. Default: `precopy`.
    pub prefix: String,
    /// Processors of each node. Default: 1.
    pub cpus: u32,
    /// Memory of each node. Default: 1 GiB.
    pub memory: Bytes,
    /// Disk of each node; grows as it is written. Default: 10 GiB.
    pub disk: Bytes,
    /// What nodes of our own boxes boot from: `direct`, a kernel beside their disk, or `disk`, what
    /// their disk has, as stacks need that bring a kernel of their own. Published boxes always boot
    /// from their disk. Default: `direct`.
    pub boot: Boot,
}

impl Default for VagrantSpec {
    fn default() -> Self {
        Self {
            box_name: "debian-13".to_owned(),
            box_version: None,
            prefix: "precopy".to_owned(),
            cpus: 1,
            memory: Bytes(1 << 30),
            disk: Bytes(10 << 30),
            boot: Boot::Direct,
        }
    }
}

impl VagrantSpec {
    /// Debian's name of the release that a box of our own is of; `None` for a published box.
    #[must_use]
    pub fn own_release(&self) -> Option<&'static str> {
        match self.box_name.as_str() {
            "debian-13" => Some("trixie"),
            "debian-12" => Some("bookworm"),
            _ => None,
        }
    }

    /// Whether nodes are started by another kernel than the one on their disk.
    #[must_use]
    pub fn boots_beside_disk(&self) -> bool {
        self.boot == Boot::Direct && self.own_release().is_some()
    }
}

/// One machine of the provider `hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `ssh`")]
pub struct HostSpec {
    /// Where SSH finds it, such as `root@pve1.example`, or a name from `~/.ssh/config`, which may
    /// give user, port, key and jump host. Default: none, for the nodes of a Proxmox cluster that
    /// is reached by its API alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<String>,
    /// Another configuration file for `ssh` than `~/.ssh/config`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ssh_config: Option<Utf8PathBuf>,
    /// Its network devices. Default: those by which its addresses are reached.
    #[serde(default, skip_serializing_if = "HostDevices::is_empty")]
    pub devices: HostDevices,
}

/// Network devices of one machine, each by its name there, such as `eno1`: what is shaped, and what
/// `set_up` gives an address or joins to the guests' bridge. Only those need naming that the
/// machine's addresses do not lead to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a mapping with `guest`, `migration` and `storage`, each a device's name"
)]
pub struct HostDevices {
    /// What the guest network is reached by; under a bridge the port that leads out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$"))]
    pub guest: Option<String>,
    /// What the migration network is reached by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$"))]
    pub migration: Option<String>,
    /// What the storage network is reached by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$"))]
    pub storage: Option<String>,
}

impl HostDevices {
    /// Whether none is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// All that are named, by their networks.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("guest", &self.guest), ("migration", &self.migration), ("storage", &self.storage)]
            .into_iter()
            .filter_map(|(network, device)| Some((network, device.as_deref()?)))
    }
}

/// The folder that all nodes share: exactly one of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping with `directory` or `nfs`")]
#[derive(Default)]
pub struct StorageSpec {
    /// A folder that every node has under this path already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub directory: Option<Utf8PathBuf>,
    /// A folder that one node exports and all of them mount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nfs: Option<NfsSpec>,
}

/// A folder shared by NFS over the storage network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `server` and `export`")]
pub struct NfsSpec {
    /// The node that has the folder.
    pub server: String,
    /// The folder there. Default: `/srv/precopy-lab/export`.
    #[serde(default = "default_export")]
    #[schemars(with = "String")]
    pub export: Utf8PathBuf,
    /// Where every node mounts it. Default: `/srv/precopy-lab/shared`.
    #[serde(default = "default_mount")]
    #[schemars(with = "String")]
    pub mount: Utf8PathBuf,
}

fn default_export() -> Utf8PathBuf {
    "/srv/precopy-lab/export".into()
}

fn default_mount() -> Utf8PathBuf {
    "/srv/precopy-lab/shared".into()
}

impl StorageSpec {
    /// The shared folder's path on every node.
    #[must_use]
    pub fn path(&self) -> Option<&Utf8PathBuf> {
        self.directory.as_ref().or_else(|| self.nfs.as_ref().map(|nfs| &nfs.mount))
    }
}

impl LabSpec {
    /// The folder that all nodes share: as the lab file says, or on Vagrant's nodes what the first
    /// of them exports. `None` where there is none, and on namespaces where the lab makes one.
    #[must_use]
    pub fn shared_folder(&self) -> Option<StorageSpec> {
        if self.storage.is_some() || self.provider != Provider::Vagrant {
            return self.storage.clone();
        }
        let server = self.nodes.first()?.clone();
        let nfs = NfsSpec { server, export: default_export(), mount: default_mount() };
        Some(StorageSpec { directory: None, nfs: Some(nfs) })
    }
}
