//! Of one VM.

use crate::hypervisor::proxmox::{
    lenient,
    version::{NotAVersion, Version},
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// `/nodes/{node}/qemu/{vmid}/config`: every key as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct VmConfig(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for VmConfig {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let all = BTreeMap::<String, Value>::deserialize(from)?;
        let text = |value: Value| match value {
            Value::String(text) => text,
            Value::Bool(is) => u8::from(is).to_string(),
            other => other.to_string(),
        };
        let there = all.into_iter().filter(|(_, value)| !value.is_null());
        Ok(Self(there.map(|(key, value)| (key, text(value))).collect()))
    }
}

impl VmConfig {
    /// A key's value, as the file has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// What locks it.
    #[must_use]
    pub fn lock(&self) -> Option<&str> {
        self.get("lock")
    }

    /// Its tags.
    #[must_use]
    pub fn tags(&self) -> Vec<&str> {
        let tags = self.get("tags").unwrap_or_default().split([';', ',', ' ']);
        tags.filter(|tag| !tag.is_empty()).collect()
    }

    /// Memory at its start, bytes. Proxmox writes MiB, `512` or `current=512`.
    #[must_use]
    pub fn memory_bytes(&self) -> Option<u64> {
        let memory = self.get("memory").unwrap_or("512");
        let mib = memory
            .split(',')
            .find_map(|part| part.strip_prefix("current=").unwrap_or(part).parse::<u64>().ok());
        mib?.checked_mul(1 << 20)
    }

    /// Virtual processors.
    #[must_use]
    pub fn vcpus(&self) -> u64 {
        let number = |key| self.get(key).and_then(|text| text.parse::<u64>().ok());
        number("vcpus")
            .unwrap_or(number("sockets").unwrap_or(1).saturating_mul(number("cores").unwrap_or(1)))
    }

    /// Drives as `(key, value)`: disks and CD drives.
    pub fn drives(&self) -> impl Iterator<Item = (&str, &str)> {
        let buses = ["ide", "sata", "scsi", "virtio", "efidisk", "tpmstate"];
        let is_drive = move |key: &str| {
            buses.iter().any(|bus| {
                let number = key.strip_prefix(bus);
                number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
            })
        };
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .filter(move |(key, _)| is_drive(key))
    }
}

/// `/nodes/{node}/qemu/{vmid}/status/current`, or a line of `/nodes/{node}/qemu`. Do not ask for
/// the former often: it asks QEMU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmStatus {
    /// Its id.
    #[serde(deserialize_with = "lenient::number")]
    pub vmid: u32,
    /// `running` or `stopped`.
    pub status: String,
    /// QEMU's own word: `running`, `paused`, `postmigrate`, `inmigrate`, …
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub qmpstatus: Option<String>,
    /// Its name.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub name: Option<String>,
    /// What locks its configuration.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub lock: Option<String>,
    /// Its QEMU's process on the node.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub pid: Option<u32>,
    /// Of its QEMU, seconds.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub uptime: Option<u64>,
    /// Virtual processors.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub cpus: Option<u64>,
    /// Memory, bytes.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub maxmem: Option<u64>,
    /// Share of its processors that it uses.
    #[serde(default, deserialize_with = "lenient::some_fraction")]
    pub cpu: Option<f64>,
    /// Whether HA manages it.
    pub ha: Option<Ha>,
    /// The QEMU that runs it, such as `10.0.13`.
    #[serde(default, rename = "running-qemu", deserialize_with = "lenient::some_text")]
    pub running_qemu: Option<String>,
    /// The machine that runs, such as `pc-i440fx-10.0+pve0`.
    #[serde(default, rename = "running-machine", deserialize_with = "lenient::some_text")]
    pub running_machine: Option<String>,
    /// With `;` between them.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub tags: Option<String>,
    /// Whether it is a template.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub template: bool,
}

impl VmStatus {
    /// Whether its QEMU runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.status == "running"
    }

    /// Whether HA manages it: then HA migrates it, when it sees fit.
    #[must_use]
    pub fn is_ha_managed(&self) -> bool {
        self.ha.as_ref().is_some_and(|ha| ha.managed)
    }

    /// The version of the QEMU that runs it, where that is told.
    ///
    /// # Errors
    /// A version that is not understood.
    pub fn qemu(&self) -> Option<Result<Version, NotAVersion>> {
        self.running_qemu.as_deref().map(str::parse)
    }
}

/// HA's part in a VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ha {
    /// Whether it manages the VM.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub managed: bool,
    /// What HA wants of it, such as `started`.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub state: Option<String>,
}

/// `GET …/migrate`: what stands against a migration. That nothing does is no promise: a node that
/// is down is listed as allowed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Precheck {
    /// Whether it would be a live migration.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub running: bool,
    /// Disks and CDs that only the source has.
    #[serde(default)]
    pub local_disks: Vec<LocalDisk>,
    /// Devices of the source.
    #[serde(default)]
    pub local_resources: Vec<String>,
    /// Where it could go. Before `qemu-server` 8.3.9 only told of VMs that are stopped.
    pub allowed_nodes: Option<Vec<String>>,
    /// Where it could not, with what is missing there.
    #[serde(default)]
    pub not_allowed_nodes: BTreeMap<String, NotAllowed>,
    /// Whether connections' states could go along; from 9.0.10.
    #[serde(default, rename = "has-dbus-vmstate", deserialize_with = "lenient::some_flag")]
    pub has_dbus_vmstate: Option<bool>,
}

/// What a node lacks. Nothing need be said: Proxmox also lists nodes that lack nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotAllowed {
    /// Storages.
    #[serde(default)]
    pub unavailable_storages: Vec<String>,
    /// Mapped devices.
    #[serde(default, rename = "unavailable-resources")]
    pub unavailable_resources: Vec<String>,
    /// HA rules that forbid it; from 9.0.14.
    #[serde(default, rename = "blocking-ha-resources")]
    pub blocking_ha_resources: Vec<Value>,
}

/// A disk or CD that only the source has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalDisk {
    /// Its name, such as `local:iso/guest.iso`.
    pub volid: String,
    /// The drive it is in.
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub drivename: Option<String>,
    /// Bytes.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub size: Option<u64>,
    /// Whether it is a CD.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub cdrom: bool,
    /// Whether it is in no drive.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub is_unused: bool,
}
