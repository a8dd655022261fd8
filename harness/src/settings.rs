//! The factors of an experiment, resolved for one cell.

pub mod level;
mod qemu;

pub(crate) use qemu::NAME_PATTERN;
pub use qemu::{QemuName, QemuPair};

use lab::{
    spec::Link,
    units::{BitRate, BlockRate, ByteRate, Bytes, Millis, PageRate},
};
use level::text_form;
use serde::{Deserialize, Serialize};

/// Everything that a trial is told to do. One field per factor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The guest's memory.
    pub memory: Bytes,
    /// The part of it that the workload touches.
    pub working_set: Bytes,
    /// The part of it that is filled before the migration, working set included. The rest is
    /// zero pages, which cost 9 bytes each on the stream.
    pub filled: Bytes,
    /// Pages touched per second.
    pub touch_rate: PageRate,
    /// Order of the touches.
    pub pattern: Pattern,
    /// What the pages hold.
    pub content: Content,
    /// Rate of the links that the guest is migrated over (`tc`); `None` is the rate that the lab
    /// file gives the migration network's.
    pub link_rate: Option<BitRate>,
    /// The hypervisor's own cap, which does not bind the stop phase.
    pub bandwidth_limit: BandwidthLimit,
    /// The downtime that the hypervisor aims at.
    pub downtime_limit: Millis,
    /// Which network the guest is migrated over. Not written where it is the migration network, as
    /// it was before there was a choice.
    #[serde(default, skip_serializing_if = "MigrationNetwork::is_dedicated")]
    pub network: MigrationNetwork,
    /// How the guest's memory travels. Not written where it is as the lab has it, as it was before
    /// there was a choice.
    #[serde(default, skip_serializing_if = "Transport::is_lab")]
    pub transport: Transport,
    /// Which QEMUs run at both ends. Not written where they are the lab's own, as they were
    /// before there were others.
    #[serde(default, skip_serializing_if = "QemuPair::is_lab")]
    pub qemu: QemuPair,
    /// The guest's disk on the lab's storage. Not written where there is none, like its rate.
    #[serde(default, skip_serializing_if = "DiskSize::is_none")]
    pub disk: DiskSize,
    /// Blocks of 4 KiB written to the disk per second.
    #[serde(default, skip_serializing_if = "BlockRate::is_zero")]
    pub disk_write_rate: BlockRate,
}

/// Order in which the workload touches its working set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// Touches nothing.
    Idle,
    /// Around and around.
    Sequential,
    /// Uniformly random.
    Random,
    /// Nine touches of ten in the first tenth of the set.
    Hotspot,
}

/// What the guest's pages hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// Pseudo-random words.
    Random,
    /// One such word in each 512 bytes.
    Sparse,
    /// Zeros.
    Zero,
}

/// The guest's disk: `none`, or its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskSize {
    /// There is none.
    #[default]
    None,
    /// This large.
    Size(Bytes),
}

impl DiskSize {
    /// Whether there is none.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Its size; nothing where there is none.
    #[must_use]
    pub const fn bytes(self) -> Bytes {
        match self {
            Self::None => Bytes(0),
            Self::Size(size) => size,
        }
    }
}

/// The hypervisor's own cap of the stream: `default`, `unlimited`, or a rate such as `32 MiB/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BandwidthLimit {
    /// As the hypervisor has it; QEMU's is 128 MiB/s.
    Default,
    /// None.
    Unlimited,
    /// This rate.
    Capped(ByteRate),
}

/// Which network guests are migrated over: `dedicated` or `shared`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MigrationNetwork {
    /// The migration network, which carries nothing else.
    #[default]
    Dedicated,
    /// The guest network, which carries heartbeats and requests too. The migration network is
    /// not used.
    Shared,
}

impl MigrationNetwork {
    /// Whether it is the migration network, as it is where nothing else is said.
    #[must_use]
    pub const fn is_dedicated(&self) -> bool {
        matches!(self, Self::Dedicated)
    }

    /// The link of each node that the migration goes over.
    #[must_use]
    pub const fn link(self) -> Link {
        match self {
            Self::Dedicated => Link::Migration,
            Self::Shared => Link::Guest,
        }
    }
}

/// How the guest's memory travels from node to node: `lab`, `insecure` or `secure`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// As the hypervisor has it: Proxmox by its datacenter's options, plain QEMU in the clear.
    #[default]
    Lab,
    /// In the clear, by TCP.
    Insecure,
    /// Through SSH.
    Secure,
}

impl Transport {
    /// Whether it is as the lab has it.
    #[must_use]
    pub const fn is_lab(&self) -> bool {
        matches!(self, Self::Lab)
    }
}

text_form!(Transport { Lab = "lab", Insecure = "insecure", Secure = "secure" });
text_form!(MigrationNetwork { Dedicated = "dedicated", Shared = "shared" });
text_form!(Pattern {
    Idle = "idle",
    Sequential = "sequential",
    Random = "random",
    Hotspot = "hotspot",
});
text_form!(Content { Random = "random", Sparse = "sparse", Zero = "zero" });
text_form!(DiskSize { None = "none" } or Size(Bytes));
text_form!(BandwidthLimit { Default = "default", Unlimited = "unlimited" } or Capped(ByteRate));
