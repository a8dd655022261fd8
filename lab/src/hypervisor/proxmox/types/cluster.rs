//! Of the cluster as a whole.

use crate::hypervisor::proxmox::lenient;
use serde::{Deserialize, Deserializer, Serialize};

/// `/version`, of the node that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Of `pve-manager`, such as `9.1.7`.
    pub version: String,
    /// Such as `9.1`.
    pub release: String,
    /// The commit it was built from.
    #[serde(default)]
    pub repoid: String,
}

/// `/cluster/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterStatus {
    /// The cluster's name; `None` for a node that is alone.
    pub name: Option<String>,
    /// Whether enough nodes see each other to change anything. A node alone is.
    pub quorate: bool,
    /// Its nodes, by name.
    pub nodes: Vec<ClusterNode>,
}

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterNode {
    /// Its name.
    pub name: String,
    /// Its main address.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub ip: Option<String>,
    /// Whether the others see it.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub online: bool,
    /// Whether it is the one that answers.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub local: bool,
    /// Its number; 0 for a node alone.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub nodeid: Option<u64>,
}

impl<'de> Deserialize<'de> for ClusterStatus {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let entries = Vec::<serde_json::Value>::deserialize(from)?;
        let mut status = Self { name: None, quorate: false, nodes: Vec::new() };
        let mut cluster = false;
        for entry in entries {
            if entry["type"] == "cluster" {
                let own: Cluster = serde_json::from_value(entry).map_err(D::Error::custom)?;
                (status.name, status.quorate, cluster) = (Some(own.name), own.quorate, true);
            } else if entry["type"] == "node" {
                status.nodes.push(serde_json::from_value(entry).map_err(D::Error::custom)?);
            }
        }
        status.quorate |= !cluster;
        status.nodes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(status)
    }
}

#[derive(Deserialize)]
struct Cluster {
    name: String,
    #[serde(default, deserialize_with = "lenient::flag")]
    quorate: bool,
}

/// A line of `/nodes`. Without Sys.Audit only names and states are told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeEntry {
    /// Its name.
    pub node: String,
    /// `online`, `offline` or `unknown`.
    #[serde(default)]
    pub status: String,
    /// SHA-256 of its certificate.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub ssl_fingerprint: Option<String>,
    /// Processors.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub maxcpu: Option<u64>,
    /// Memory, bytes.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub maxmem: Option<u64>,
    /// Memory in use, bytes.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub mem: Option<u64>,
    /// Seconds.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub uptime: Option<u64>,
}

/// A line of `/cluster/resources`. Where a VM is, is current; how it is may be 10 s old.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// `qemu`, `lxc`, `node`, `storage`, `sdn`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Such as `qemu/101`.
    pub id: String,
    /// Where it is.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub node: Option<String>,
    /// Of a guest.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub vmid: Option<u32>,
    /// Of a guest.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub name: Option<String>,
    /// Of a storage.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub storage: Option<String>,
    /// `running`, `stopped`, `online`, `available`, `unknown`, …
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub status: Option<String>,
    /// Of a guest: what locks its configuration.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub lock: Option<String>,
    /// Of a guest, with `;` between them.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub tags: Option<String>,
    /// Of a guest: HA's state, where HA manages it.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub hastate: Option<String>,
    /// Whether it is a template.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub template: bool,
    /// Of a storage.
    #[serde(default, deserialize_with = "lenient::some_flag")]
    pub shared: Option<bool>,
    /// Of a storage: what it may hold.
    #[serde(default, deserialize_with = "lenient::words")]
    pub content: Vec<String>,
    /// Memory, bytes.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub maxmem: Option<u64>,
    /// Seconds.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub uptime: Option<u64>,
}

/// `/cluster/options`, as far as migrations depend on them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterOptions {
    /// How migrations go unless they say otherwise.
    pub migration: Option<Migration>,
    /// Limits on speed, as Proxmox writes them: `migration=102400`, KiB/s.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub bwlimit: Option<String>,
}

/// The datacenter's setting of migrations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// `secure` or `insecure`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The network, as CIDR.
    pub network: Option<String>,
}

impl<'de> Deserialize<'de> for Migration {
    /// A mapping, or `type=insecure,network=…` as the file has it.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(from)?;
        let pairs = value.as_str().unwrap_or_default();
        let of = |name: &str| {
            let in_text = pairs.split(',').find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
            value[name].as_str().or(in_text).map(str::to_owned)
        };
        // `type` is its default key.
        let bare = pairs.split(',').find(|p| !p.is_empty() && !p.contains('=')).map(str::to_owned);
        Ok(Self { kind: of("type").or(bare), network: of("network") })
    }
}

impl ClusterOptions {
    /// The limit on migrations' speed, bytes a second.
    #[must_use]
    pub fn migration_limit_bytes_s(&self) -> Option<u64> {
        let limits = self.bwlimit.as_deref()?;
        let of = |name: &str| {
            limits.split(',').find_map(|p| p.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
        };
        let kib: u64 = of("migration").or_else(|| of("default"))?;
        (kib > 0).then(|| kib.saturating_mul(1024))
    }
}
