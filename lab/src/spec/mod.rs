//! The lab file: which nodes and networks there are, who provides them, what runs guests.

mod api;
mod check;
mod cidr;
mod existing;
mod link;
mod machines;
mod proxmox;

pub use api::{ApiSpec, NotVmIds, PASSWORD_VARIABLE, TOKEN_VARIABLE, VmIds};
pub use check::LINK_RATE;
pub use cidr::Ipv4Cidr;
pub use existing::ExistingSpec;
pub use link::Link;
pub use machines::{HostDevices, HostSpec, NfsSpec, StorageSpec, VagrantSpec};
pub use proxmox::ProxmoxSpec;

use crate::{
    schema,
    units::BitRate,
    yaml::{self, FileError, Report, did_you_mean, one_of, with_hint},
};
use camino::{Utf8Path, Utf8PathBuf};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, collections::BTreeMap, fmt, net::Ipv4Addr};

/// Addresses at the top of the guest network that are kept for guests.
pub const GUEST_SLOTS: u32 = 16;

/// A lab, as its file declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `name`, `provider` and `hypervisor`")]
pub struct LabSpec {
    /// The lab's name: letters, digits and dashes, at most 20.
    #[schemars(regex(pattern = "^[A-Za-z][A-Za-z0-9-]{0,19}$"))]
    pub name: String,
    /// What makes the nodes exist.
    pub provider: Provider,
    /// What runs and migrates guests on them.
    pub hypervisor: HypervisorKind,
    /// The nodes' names, three or more; letters, digits and dashes, at most 10 characters, since
    /// network interfaces are named after them. Default: `node1`, `node2`, `node3`.
    #[serde(default = "default_nodes")]
    #[schemars(length(min = 3), inner(regex(pattern = "^[A-Za-z][A-Za-z0-9-]{0,9}$")))]
    pub nodes: Vec<String>,
    /// The lab's networks.
    #[serde(default)]
    pub networks: Networks,
    /// The folder that all nodes share, for the guests' disks. Default: on namespaces a folder of
    /// the lab's own, on Vagrant's nodes one that the first of them exports by NFS, on machines
    /// that one already has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageSpec>,
    /// Settings of the hypervisor `qemu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qemu: Option<QemuSpec>,
    /// Settings of the hypervisor `proxmox`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxmox: Option<ProxmoxSpec>,
    /// Settings of the provider `vagrant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vagrant: Option<VagrantSpec>,
    /// The machines of the provider `hosts`, by the nodes' names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<BTreeMap<String, HostSpec>>,
    /// Whether `lab-up` may set the machines of `hosts` up, by the playbook of `qemu`: packages, the
    /// guests' bridge and tap, addresses, shared folder. Nothing takes that back. Default: `false`,
    /// then they are used as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_up: Option<bool>,
    /// How nodes get packages while `lab-up` sets them up: `cached`, through this machine, which
    /// fetches each file once, or `direct`, each by itself. A node whose apt has a proxy already
    /// keeps that. Default: `cached`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<PackageSource>,
}

fn default_nodes() -> Vec<String> {
    ["node1", "node2", "node3"].map(str::to_owned).to_vec()
}

/// The networks of a lab. Each node has a link to all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a mapping with `guest`, `migration` and `storage`, each a network"
)]
pub struct Networks {
    /// Management and guest LAN: heartbeats and the harness's own traffic.
    /// Default: `10.77.0.0/24`, MTU 1500, unlimited.
    pub guest: Network,
    /// What guests are migrated over. Default: `10.78.0.0/24`, MTU 1500, 1 Gbit/s.
    pub migration: Network,
    /// What nodes reach their shared storage over. Default: none; NFS then goes over `guest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<Network>,
}

impl Default for Networks {
    fn default() -> Self {
        let network = |subnet, link_rate| Network {
            cidr: Ipv4Cidr::new(Ipv4Addr::new(10, subnet, 0, 0), 24),
            mtu: default_mtu(),
            link_rate,
        };
        Self {
            guest: network(77, None),
            migration: network(78, Some(BitRate(1_000_000_000))),
            storage: None,
        }
    }
}

impl Networks {
    /// All there are, by name.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Network)> {
        [("guest", &self.guest), ("migration", &self.migration)]
            .into_iter()
            .chain(self.storage.as_ref().map(|storage| ("storage", storage)))
    }
}

impl Networks {
    /// The network that a link leads to.
    #[must_use]
    pub const fn of(&self, link: Link) -> &Network {
        match link {
            Link::Guest => &self.guest,
            Link::Migration => &self.migration,
        }
    }
}

/// One network, a bridge of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `cidr`, `mtu` and `link_rate`")]
pub struct Network {
    /// Its addresses, such as `10.77.0.0/24`.
    pub cidr: Ipv4Cidr,
    /// Largest packet in bytes, 576 to 9000. Default: 1500.
    #[serde(default = "default_mtu")]
    #[schemars(range(min = *check::MTU.start(), max = *check::MTU.end()))]
    pub mtu: u32,
    /// Rate of each node's link, each way, by `tc`; `unlimited`, here `None`, shapes nothing.
    /// Default: `unlimited`.
    #[serde(default, serialize_with = "write_rate", deserialize_with = "read_rate")]
    #[schemars(schema_with = "rate_schema")]
    pub link_rate: Option<BitRate>,
}

const fn default_mtu() -> u32 {
    1500
}

impl Network {
    /// Address of the node with this index, from 0: `node1` has `.1`.
    #[must_use]
    pub fn node_address(&self, index: usize) -> Ipv4Addr {
        self.cidr.host(u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1))
    }

    /// Address of a guest: the [`GUEST_SLOTS`] top ones are theirs, the highest is slot 0;
    /// higher slots begin again, so a trial's number will do.
    #[must_use]
    pub fn guest_address(&self, slot: u32) -> Ipv4Addr {
        self.cidr.host(self.cidr.hosts().saturating_sub(slot % GUEST_SLOTS))
    }
}

/// Settings of the hypervisor `qemu`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping with `binary` and `accelerator`")]
pub struct QemuSpec {
    /// The program. Default: the best that is found on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub binary: Option<Utf8PathBuf>,
    /// What runs the guest's instructions. Default: `auto`.
    pub accelerator: Accelerator,
}

/// A word of a lab file: some are known and built, some known and not built yet.
macro_rules! words {
    (
        $(#[$doc:meta])* $type:ident, $what:literal, later: [$($later:literal),*],
        { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type { $($(#[$variant_doc])* $variant,)+ }

        impl $type {
            /// As it is written in a lab file.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                schema::words(&[$($word),+])
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                yaml::from_text(deserializer, concat!("the word for the ", $what), |text| match text {
                    $($word => Ok(Self::$variant),)+
                    word => Err(refusal($what, word, &[$($word),+], &[$($later),*])),
                })
            }
        }
    };
}

fn refusal(what: &str, word: &str, known: &[&str], later: &[&str]) -> String {
    if later.contains(&word) {
        let hint = format!("use {}", one_of(known));
        return with_hint(format!("{what} `{word}` is not built yet"), Some(&hint));
    }
    let hint = did_you_mean(word, known.iter().chain(later).copied())
        .map(|meant| format!("did you mean `{meant}`?"));
    with_hint(format!("expected {}, got `{word}`", one_of(known)), hint.as_deref())
}

words! {
    /// What makes a lab's nodes exist.
    Provider, "provider", later: [],
    {
        /// Network namespaces of this machine.
        Netns = "netns",
        /// Virtual machines that Vagrant makes with libvirt.
        Vagrant = "vagrant",
        /// Machines that one already has, by SSH.
        Hosts = "hosts",
    }
}

words! {
    /// What runs and migrates a lab's guests.
    HypervisorKind, "hypervisor", later: [],
    {
        /// Plain QEMU over QMP.
        Qemu = "qemu",
        /// Proxmox VE, through its API.
        Proxmox = "proxmox",
    }
}

words! {
    /// How nodes get packages while they are set up.
    PackageSource, "way to packages", later: [],
    {
        /// Through this machine, which fetches each file once.
        Cached = "cached",
        /// Each node by itself.
        Direct = "direct",
    }
}

words! {
    /// What a virtual node boots from.
    #[derive(Default)]
    Boot, "way to boot", later: [],
    {
        /// A kernel beside its disk, which the hypervisor of this machine starts: seconds faster.
        #[default]
        Direct = "direct",
        /// Its own disk, by the boot loader there: the kernel that packages on it bring.
        Disk = "disk",
    }
}

words! {
    /// What runs a guest's instructions.
    #[derive(Default)]
    Accelerator, "accelerator", later: [],
    {
        /// KVM where a guest was seen to run well under it, else TCG.
        #[default]
        Auto = "auto",
        /// The host's processor.
        Kvm = "kvm",
        /// QEMU's translator.
        Tcg = "tcg",
    }
}

words! {
    /// How guests' memory travels from node to node.
    MigrationType, "migration type", later: [],
    {
        /// As it is, by TCP.
        Insecure = "insecure",
        /// Through an SSH connection, which one processor encrypts.
        Secure = "secure",
    }
}

/// How a link that is not shaped is written.
const UNLIMITED: &str = "unlimited";

fn write_rate<S: Serializer>(rate: &Option<BitRate>, serializer: S) -> Result<S::Ok, S::Error> {
    match rate {
        Some(rate) => rate.serialize(serializer),
        None => serializer.serialize_str(UNLIMITED),
    }
}

fn rate_schema(generator: &mut SchemaGenerator) -> Schema {
    schema::words_or(generator, &[UNLIMITED], &[SchemaGenerator::subschema_for::<BitRate>])
}

fn read_rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BitRate>, D::Error> {
    yaml::from_text(deserializer, "a link rate, or `unlimited`", |text| {
        if text == UNLIMITED {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|error: crate::units::QuantityError| {
            let hint = error.hint().unwrap_or("`unlimited` shapes nothing");
            with_hint(&error, Some(hint))
        })
    })
}

impl LabSpec {
    /// The settings of the hypervisor `proxmox`, where it is the lab's.
    #[must_use]
    pub fn proxmox(&self) -> Option<ProxmoxSpec> {
        (self.hypervisor == HypervisorKind::Proxmox)
            .then(|| self.proxmox.clone().unwrap_or_default())
    }

    /// The VM that trials migrate instead of guests of their own, where the lab names one.
    #[must_use]
    pub fn existing(&self) -> Option<&ExistingSpec> {
        self.proxmox.as_ref()?.guest.as_ref()
    }

    /// Whether its nodes are machines that one already has, and that a playbook may change.
    #[must_use]
    pub fn sets_up_hosts(&self) -> bool {
        self.provider == Provider::Hosts && self.set_up == Some(true)
    }

    /// Whether links have the rates of the lab file while nothing is measured. Those of machines that
    /// are used as they are do not: only experiments shape them, for as long as they last.
    #[must_use]
    pub fn shapes_at_rest(&self) -> bool {
        self.provider != Provider::Hosts || self.sets_up_hosts()
    }

    /// Reads and checks a lab file's text; `file_name` is for the report.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Report> {
        let parsed = yaml::parse::<Self>(file_name, text)?;
        let problems = check::problems(&parsed);
        parsed.checked(problems)
    }

    /// Reads and checks a lab file.
    ///
    /// # Errors
    /// When it cannot be read, or anything is wrong with it.
    pub fn read(path: &Utf8Path) -> Result<Self, FileError> {
        Ok(Self::parse(path.as_str(), &yaml::read_text(path)?)?)
    }
}

#[cfg(test)]
mod tests;
