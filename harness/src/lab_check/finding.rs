//! What a check of a lab found.

use super::Measured;
use serde::{Deserialize, Serialize};
use std::fmt;

/// As many faults are named in each record, so that its line stays short.
pub const MOST_FAULTS: usize = 4;

/// One check of a lab: what was measured and what that means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabCheck {
    /// When it began, UTC.
    pub at: jiff::Timestamp,
    /// How long it took.
    pub seconds: f64,
    /// What came of it, the worst first.
    pub findings: Vec<Finding>,
    /// What was measured.
    pub measured: Measured,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The lab is not what its file says, or cannot be measured on.
    Fail,
    /// It is, and yet this may be seen in the results.
    Warn,
    /// As it should be.
    Ok,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Whether a node does what it is asked.
    Reachable,
    /// What a link carries.
    Rate,
    /// How long a packet takes to another node and back.
    RoundTrip,
    /// The largest packet that arrives at another node.
    Mtu,
    /// Whether the addresses that guests get are free.
    GuestAddresses,
    /// Whether a node can write into the shared folder.
    StorageWrite,
    /// Whether a node reads there what another has written.
    StorageRead,
    /// What the shared folder has left.
    StorageSpace,
    /// A node's wall clock against this machine's.
    Clock,
    /// What a machine is busy with.
    Load,
    /// Memory that a machine has left.
    Memory,
    /// Whether all machines have the same kernel.
    Kernel,
    /// Whether all machines have the same QEMU.
    Qemu,
    /// Whether Proxmox's API lets us in.
    Api,
    /// Whether the cluster can change anything, and its nodes are online.
    Quorum,
    /// What we may do there.
    Privileges,
    /// Whether all nodes have the same Proxmox VE.
    Version,
    /// Whether all nodes have the same packages that migrate guests.
    Packages,
    /// Whether all nodes have the same processors.
    Processor,
    /// How the datacenter has guests migrated.
    MigrationOptions,
    /// A node's address in the migration network.
    MigrationAddress,
    /// What guests are connected to.
    Bridge,
    /// What the storage may hold.
    StorageContent,
    /// Whether a node has the storage.
    StorageActive,
    /// Whether the ids of our guests are free.
    Ids,
    /// Guests of ours that are still there.
    Leftovers,
    /// Guests that HA manages.
    Ha,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Reachable => "reachable",
            Self::Rate => "rate",
            Self::RoundTrip => "round trip",
            Self::Mtu => "MTU",
            Self::GuestAddresses => "guests' addresses",
            Self::StorageWrite => "storage written",
            Self::StorageRead => "storage shared",
            Self::StorageSpace => "storage space",
            Self::Clock => "clock",
            Self::Load => "load",
            Self::Memory => "memory",
            Self::Kernel => "kernel",
            Self::Qemu => "QEMU",
            Self::Api => "API",
            Self::Quorum => "quorum",
            Self::Privileges => "privileges",
            Self::Version => "Proxmox VE",
            Self::Packages => "packages",
            Self::Processor => "processor",
            Self::MigrationOptions => "migration options",
            Self::MigrationAddress => "address",
            Self::Bridge => "bridge",
            Self::StorageContent => "storage content",
            Self::StorageActive => "storage",
            Self::Ids => "VM ids",
            Self::Leftovers => "leftovers",
            Self::Ha => "HA",
        })
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What it is about.
    pub what: What,
    /// The network, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The nodes; of a link where it comes from and where it goes to.
    pub nodes: Vec<String>,
    /// What the lab's file says, or what there should be otherwise, in words.
    pub expected: String,
    /// What there is, in words.
    pub measured: String,
    /// What is tolerated, in words; empty where anything is, or only what is expected.
    pub tolerance: String,
    /// What there is as a number, in [`Self::unit`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The number's unit: `bit/s`, `ms`, `B`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What to do, where something is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// What it is about: `migration rate`.
    #[must_use]
    pub fn subject(&self) -> String {
        match &self.network {
            Some(network) => format!("{network} {}", self.what),
            None => self.what.to_string(),
        }
    }

    /// Whose: `node1→node2` of a link, else the nodes in a row.
    #[must_use]
    pub fn whose(&self) -> String {
        let between = match self.what {
            What::Rate | What::RoundTrip | What::Mtu | What::StorageRead => "→",
            _ => ", ",
        };
        self.nodes.join(between)
    }

    /// In one line: `migration rate node1→node2: 310 Mbit/s of 1 Gbit/s`.
    #[must_use]
    pub fn words(&self) -> String {
        let (subject, whose) = (self.subject(), self.whose());
        let against = match (self.what, self.value) {
            (_, None) => String::new(),
            (What::Rate, _) => format!(" of {}", self.expected),
            (What::Mtu, _) => format!(" instead of {}", self.expected),
            _ if self.tolerance.is_empty() => String::new(),
            _ => format!(" ({})", self.tolerance),
        };
        format!("{subject} {whose}: {}{against}", self.measured)
    }
}

impl LabCheck {
    /// Whether nothing failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.of(Severity::Fail).next().is_none()
    }

    /// The findings of this severity, in their order.
    pub fn of(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.severity == severity)
    }

    /// Takes a finding in that came of something else.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
        self.findings.sort_by_key(|finding| finding.severity);
    }

    /// What every record on this lab says: each failure in a line, [`MOST_FAULTS`] of them at
    /// most, and how many more there are.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> =
            self.of(Severity::Fail).map(|it| short(&it.words())).collect();
        let more = faults.len().saturating_sub(MOST_FAULTS);
        faults.truncate(MOST_FAULTS);
        if more > 0 {
            faults.push(format!("{more} more, in the manifest"));
        }
        faults
    }
}

/// Longest fault in a record, bytes.
pub const MAX_FAULT_BYTES: usize = 100;

/// One line, and not a long one: what a program complained may be any text.
fn short(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.len() <= MAX_FAULT_BYTES {
        return text;
    }
    let end = text.floor_char_boundary(MAX_FAULT_BYTES - '…'.len_utf8());
    format!("{}…", &text[..end])
}
