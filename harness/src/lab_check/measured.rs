//! What was measured of a lab, as it came.

use lab::hypervisor::proxmox::survey::{Answer, Survey};
use serde::{Deserialize, Serialize};

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The machines that the nodes are; nodes that are this machine count as one.
    pub machines: Vec<Machine>,
    /// Ways from node to node.
    pub ways: Vec<Way>,
    /// The shared folder, as each node sees it.
    pub storage: Vec<Store>,
    /// Whether the guests' addresses are free, as each node was answered; empty where nobody else
    /// can have them.
    #[serde(default)]
    pub addresses: Vec<Answered>,
    /// Wall clocks of nodes that are other machines.
    pub clocks: Vec<Clock>,
    /// What a Proxmox cluster's API tells; nothing where none was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxmox: Option<Answer<Survey>>,
}

/// What a node was answered when it asked for the guests' addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The node.
    pub node: String,
    /// Those that somebody has.
    pub taken: Reading<Vec<Taken>>,
}

/// An address that somebody has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Taken {
    /// The address.
    pub address: std::net::Ipv4Addr,
    /// The hardware address of who has it.
    pub mac: String,
}

/// A measurement, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading<T> {
    /// What it gave.
    Measured(T),
    /// What went wrong.
    Failed(String),
}

impl<T> From<anyhow::Result<T>> for Reading<T> {
    fn from(result: anyhow::Result<T>) -> Self {
        match result {
            Ok(value) => Self::Measured(value),
            Err(error) => Self::Failed(format!("{error:#}")),
        }
    }
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The nodes that it is.
    pub nodes: Vec<String>,
    /// What it says of itself.
    pub facts: Reading<Facts>,
}

/// What a machine says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Processes that want a processor, averaged over a minute, before the check.
    pub load: f64,
    /// Processors.
    pub processors: u32,
    /// Memory that programs can have without swapping, bytes.
    pub memory_available_bytes: u64,
    /// Release of the kernel.
    pub kernel: String,
    /// What QEMU says when asked for its version; `None` where there is none.
    pub qemu: Option<String>,
}

/// A way from one node to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// The network: `guest`, `migration` or `storage`.
    pub network: String,
    /// Where it begins.
    pub from: String,
    /// Through which device, where that is known.
    pub device: Option<String>,
    /// Where it ends.
    pub to: String,
    /// The address there.
    pub address: String,
    /// The largest packet that arrives, bytes; 0 when none does.
    pub mtu: Reading<u32>,
    /// There and back again; `None` where only the other direction was asked.
    pub round_trip: Option<Reading<RoundTrip>>,
    /// What one TCP stream carried, bits of payload per second; `None` where it was not measured.
    pub carried_bits_per_s: Option<Reading<f64>>,
}

/// Round trips of small packets, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundTrip {
    /// Packets sent.
    pub sent: u32,
    /// Packets answered; where none was, the times are zero.
    pub answered: u32,
    /// The shortest, milliseconds.
    pub min_ms: f64,
    /// The median.
    pub median_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// The shared folder, as a node sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Store {
    /// The node.
    pub node: String,
    /// The folder there.
    pub folder: String,
    /// A small file, written and synced with its folder.
    pub wrote: Reading<Wrote>,
    /// The files that other nodes wrote, by their names.
    pub read: Vec<(String, Seen)>,
}

/// A small file that was written.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wrote {
    /// Until it was on the disk, milliseconds.
    pub ms: f64,
    /// What the file system has left, bytes.
    pub free_bytes: u64,
}

/// What a node sees of another's file after that has closed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// The same bytes.
    Same,
    /// Other bytes.
    Other,
    /// Nothing, and why.
    Nothing(String),
}

/// A node's wall clock against this machine's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// The node.
    pub node: String,
    /// When the check began.
    pub first: Reading<Offset>,
    /// When it ended.
    pub last: Reading<Offset>,
    /// Time between the two, seconds.
    pub apart_s: f64,
}

/// How far a clock is from ours.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offset {
    /// The node's time less ours, milliseconds.
    pub offset_ms: f64,
    /// The true offset is at most this far from it, milliseconds.
    pub error_ms: f64,
}
