//! What came of a survey, as it is kept.

use super::privileges::Lack;
use crate::hypervisor::proxmox::Error;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A cluster, as its API tells of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Survey {
    /// Who asked: `user@realm`, or `user@realm!name`.
    pub who: String,
    /// Whether that is an API token.
    pub is_token: bool,
    /// Whether that is root@pam by its password, who alone may choose how a migration goes.
    pub is_root: bool,
    /// The cluster.
    pub cluster: Answer<Cluster>,
    /// The datacenter's options.
    pub datacenter: Answer<Datacenter>,
    /// The lab's nodes, in its order.
    pub nodes: Vec<NodeSurvey>,
    /// How the datacenter defines the lab's storage; nothing where it does not.
    pub definition: Answer<Option<Definition>>,
    /// Guests with an id of ours or our tag.
    pub guests: Answer<Vec<Guest>>,
    /// Whether who asked is shown all guests.
    pub sees_all_guests: bool,
    /// Privileges that are missing.
    pub lacks: Answer<Vec<Lack>>,
}

/// What was asked for, or why it was not told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<T> {
    /// This was told.
    Told(T),
    /// Nothing was.
    Refused(Refusal),
}

/// Why something was not told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// In words.
    pub why: String,
    /// What helps, where something does.
    pub hint: Option<String>,
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        let why = format!("{}: {}", error.asked(), error.fault());
        Self { why, hint: error.fault().hint() }
    }
}

impl<T> From<Result<T, Error>> for Answer<T> {
    fn from(result: Result<T, Error>) -> Self {
        match result {
            Ok(told) => Self::Told(told),
            Err(error) => Self::Refused(Refusal::from(&error)),
        }
    }
}

impl<T> Answer<T> {
    /// What was told, where something was.
    pub fn told(&self) -> Option<&T> {
        match self {
            Self::Told(told) => Some(told),
            Self::Refused(_) => None,
        }
    }

    /// Something else of what was told.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Told(told) => Answer::Told(of(told)),
            Self::Refused(refusal) => Answer::Refused(refusal),
        }
    }
}

/// A cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its name; `None` for a node that is alone.
    pub name: Option<String>,
    /// Whether enough nodes see each other to change anything.
    pub quorate: bool,
    /// All of its nodes, each with whether it is online.
    pub online: BTreeMap<String, bool>,
}

/// What the datacenter says of migrations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datacenter {
    /// `secure` or `insecure`; Proxmox takes `secure` where nothing is said.
    pub kind: Option<String>,
    /// The network, as CIDR; the cluster's own where nothing is said.
    pub network: Option<String>,
    /// The limit on their speed, bytes a second.
    pub limit_bytes_s: Option<u64>,
}

/// How a storage is defined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// `dir`, `nfs`, `rbd`, …
    pub kind: String,
    /// What it may hold: `images`, `iso`, …
    pub content: Vec<String>,
    /// The nodes that have it; empty: all.
    pub nodes: Vec<String>,
    /// Whether it is switched off.
    pub disabled: bool,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeSurvey {
    /// Its name.
    pub name: String,
    /// How it is.
    pub health: Answer<Health>,
    /// Its packages.
    pub versions: Answer<Versions>,
    /// Its clock.
    pub clock: Answer<Clock>,
    /// Its network interfaces, as they are configured.
    pub interfaces: Answer<Vec<Address>>,
    /// The lab's storage, as the node has it; nothing where it does not.
    pub storage: Answer<Option<Capacity>>,
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Version of `pve-manager`, which is that of Proxmox VE.
    pub manager: String,
    /// Release of the kernel that runs.
    pub kernel: Option<String>,
    /// Processes that want a processor, averaged over a minute.
    pub load: Option<f64>,
    /// The processor's name.
    pub model: String,
    /// Processors.
    pub processors: u64,
    /// Whether they can run guests themselves, without which these are emulated.
    pub virtualizes: bool,
    /// What they can do. Not kept: it is long.
    #[serde(skip)]
    pub flags: BTreeSet<String>,
    /// What another node's can do and this one's not.
    pub lacks_flags: Vec<String>,
    /// Memory that programs can still get, bytes.
    pub available_bytes: u64,
}

/// Versions of installed packages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Of `qemu-server`, on which depends what migrations do.
    pub qemu_server: Option<String>,
    /// Of `pve-qemu-kvm`.
    pub qemu: Option<String>,
}

/// A node's clock against ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// The node's time less ours, seconds.
    pub offset_s: f64,
    /// The true offset is at most this far from it, seconds.
    pub error_s: f64,
    /// The zone by which its logs are stamped.
    pub zone: String,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Its name.
    pub interface: String,
    /// Whether guests can be connected to it.
    pub is_bridge: bool,
    /// Its IPv4 address with the prefix of its network.
    pub cidr: Option<String>,
    /// Whether it is up.
    pub active: bool,
    /// Its largest packet, where that is configured, bytes.
    pub mtu: Option<u64>,
}

/// A storage on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Whether it can be used there now.
    pub active: bool,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Whether all nodes see the same.
    pub shared: bool,
    /// Bytes that are left.
    pub available_bytes: Option<u64>,
}

/// A guest, a container included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// Its id.
    pub vmid: u32,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub node: String,
    /// `running`, `stopped`, `unknown`, …
    pub status: String,
    /// Whether it has our tag.
    pub tagged: bool,
    /// Whether it has an id of ours.
    pub in_range: bool,
    /// HA's state, where HA manages it.
    pub ha: Option<String>,
    /// What locks its configuration.
    pub lock: Option<String>,
}
