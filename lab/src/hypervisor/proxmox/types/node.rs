//! Of one node.

use crate::hypervisor::proxmox::{
    lenient,
    version::{NotAVersion, Version},
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// `/nodes/{node}/status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Since it was started, seconds.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub uptime: Option<u64>,
    /// Mean number of processes that want to run: over 1, 5 and 15 minutes.
    #[serde(default, deserialize_with = "fractions")]
    pub loadavg: Vec<f64>,
    /// Memory.
    pub memory: Memory,
    /// Processors.
    pub cpuinfo: CpuInfo,
    /// The kernel that runs; Proxmox VE 8 and later.
    #[serde(rename = "current-kernel")]
    pub current_kernel: Option<Kernel>,
    /// Such as `pve-manager/9.1.7/ad92ef6082138bff`.
    #[serde(default)]
    pub pveversion: String,
}

/// Memory, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// All there is.
    #[serde(deserialize_with = "lenient::number")]
    pub total: u64,
    /// In use.
    #[serde(deserialize_with = "lenient::number")]
    pub used: u64,
    /// Used for nothing.
    #[serde(deserialize_with = "lenient::number")]
    pub free: u64,
    /// What programs can still get; Proxmox VE 9.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub available: Option<u64>,
}

/// Processors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuInfo {
    /// Such as `Intel(R) Xeon(R) Processor`.
    #[serde(default)]
    pub model: String,
    /// How many run programs at once.
    #[serde(deserialize_with = "lenient::number")]
    pub cpus: u64,
    /// Cores in all.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub cores: Option<u64>,
    /// Sockets.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub sockets: Option<u64>,
    /// Whether it can run guests itself: `0` or empty without it.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub hvm: Option<String>,
    /// With spaces between them.
    #[serde(default)]
    pub flags: String,
}

impl CpuInfo {
    /// Whether the processor can run guests (`svm` or `vmx`): a node's KVM may still be closed.
    #[must_use]
    pub fn has_virtualization(&self) -> bool {
        self.flags.split(' ').any(|flag| flag == "svm" || flag == "vmx")
    }
}

/// A kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// Such as `6.17.2-1-pve`.
    pub release: String,
    /// When it was built, and how.
    #[serde(default)]
    pub version: String,
}

/// A line of `/nodes/{node}/network`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name.
    pub iface: String,
    /// `eth`, `bridge`, `bond`, `vlan`, …
    #[serde(default, rename = "type")]
    pub kind: String,
    /// Its IPv4 address, where it has one.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub address: Option<String>,
    /// The address with the length of its network's prefix.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub cidr: Option<String>,
    /// Its IPv6 address with the length of its network's prefix.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub cidr6: Option<String>,
    /// Of a bridge, with spaces between them.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub bridge_ports: Option<String>,
    /// Whether it is up.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub active: bool,
    /// Whether it comes up with the node.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub autostart: bool,
    /// Its largest packet, where that is set.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub mtu: Option<u64>,
}

/// `/nodes/{node}/time`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeTime {
    /// The node's clock, seconds since 1970.
    #[serde(deserialize_with = "lenient::number")]
    pub time: u64,
    /// The same as the zone's clocks show it.
    #[serde(deserialize_with = "lenient::number")]
    pub localtime: u64,
    /// The node's zone, by which its logs are stamped.
    pub timezone: String,
}

/// A line of `/nodes/{node}/apt/versions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    #[serde(rename = "Package")]
    pub package: String,
    /// The version that there is to be had, which is the installed one where that is newest.
    #[serde(default, rename = "Version", deserialize_with = "lenient::some_text")]
    pub version: Option<String>,
    /// The version that is installed.
    #[serde(default, rename = "OldVersion", deserialize_with = "lenient::some_text")]
    pub old_version: Option<String>,
    /// `Installed`, `NotInstalled`, …
    #[serde(default, rename = "CurrentState")]
    pub current_state: String,
    /// Of `proxmox-ve`: the kernel that runs.
    #[serde(default, rename = "RunningKernel", deserialize_with = "lenient::some_text")]
    pub running_kernel: Option<String>,
}

impl Package {
    /// The installed version; `None` where it is not installed.
    ///
    /// # Errors
    /// A version that is not understood.
    pub fn installed(&self) -> Option<Result<Version, NotAVersion>> {
        let version = self.old_version.as_ref().or(self.version.as_ref())?;
        (self.current_state == "Installed").then(|| version.parse())
    }
}

/// Numbers, as Perl sends them: texts.
fn fractions<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
    use serde::de::Error;
    let values = Vec::<Value>::deserialize(from)?;
    let numbers = values.iter().map(|value| {
        let wrong = || D::Error::custom(format!("a number is expected, not {value}"));
        lenient::fraction(value).ok_or_else(wrong)
    });
    numbers.collect()
}
