//! Of storage.

use crate::hypervisor::proxmox::lenient;
use serde::{Deserialize, Serialize};

/// A line of `/storage`: how the datacenter defines it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageEntry {
    /// Its name.
    pub storage: String,
    /// `dir`, `nfs`, `rbd`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// What it may hold.
    #[serde(default, deserialize_with = "lenient::words")]
    pub content: Vec<String>,
    /// Whether all nodes see the same; some kinds always are, and do not say so here.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub shared: bool,
    /// The nodes that have it; empty: all.
    #[serde(default, deserialize_with = "lenient::words")]
    pub nodes: Vec<String>,
    /// Whether it is switched off.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub disable: bool,
    /// Of those that are a folder: where, the same on all nodes.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub path: Option<String>,
    /// Of those that a server has.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub server: Option<String>,
    /// Of NFS.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub export: Option<String>,
}

/// A storage as a node finds it now: a line of `/nodes/{node}/storage`, or its `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageStatus {
    /// Its name; a storage's own `status` does not repeat it.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub storage: Option<String>,
    /// `dir`, `nfs`, `rbd`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// What it may hold.
    #[serde(default, deserialize_with = "lenient::words")]
    pub content: Vec<String>,
    /// Whether it can be used on this node now.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub active: bool,
    /// Whether it is switched on.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub enabled: bool,
    /// Whether all nodes see the same.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub shared: bool,
    /// Bytes.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub total: Option<u64>,
    /// Bytes.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub used: Option<u64>,
    /// Bytes.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub avail: Option<u64>,
}

/// A line of `/nodes/{node}/storage/{storage}/content`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Its name, such as `shared:iso/guest.iso`.
    pub volid: String,
    /// `images`, `iso`, …
    pub content: String,
    /// Such as `raw`.
    #[serde(default)]
    pub format: String,
    /// Bytes.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub size: Option<u64>,
    /// Bytes that are used of those.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub used: Option<u64>,
    /// The VM it belongs to.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub vmid: Option<u32>,
    /// When it was made, seconds since 1970.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub ctime: Option<u64>,
}
