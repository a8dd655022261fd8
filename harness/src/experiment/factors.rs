//! The factors: declared once, here.

mod one_or_list;

use crate::settings::{
    BandwidthLimit, Content, DiskSize, MigrationNetwork, Pattern, QemuPair, Settings, Transport,
    level::{Level, LevelError, text_form},
};
use lab::{
    schema,
    units::{BitRate, BlockRate, Bytes, Millis, PageRate},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Memory of the guest that it needs for itself and cannot fill: image, tables, queues, and the
/// ranges that the firmware keeps.
pub const GUEST_OWN: Bytes = Bytes(16 << 20);

/// The factors that are of the migration and not of the guest.
pub const OF_MIGRATION: &[&str] = &["link_rate", "bandwidth_limit", "network", "transport"];

/// Those of a guest of ours that hold whether or not it can be told what to do.
pub const OF_IDLE_GUEST: &[&str] = &["memory", "downtime_limit"];

/// How much of the guest is filled: `working_set`, `memory` (all that it can fill), or a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filled {
    /// No more than the workload touches.
    WorkingSet,
    /// All of the memory less [`GUEST_OWN`].
    Memory,
    /// This much.
    Size(Bytes),
}

/// The rate of the links that guests are migrated over: `lab` is that of the migration network's
/// as the lab made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkRate {
    /// As the lab file says.
    Lab,
    /// This rate.
    Shaped(BitRate),
}

text_form!(Filled { WorkingSet = "working_set", Memory = "memory" } or Size(Bytes));
text_form!(LinkRate { Lab = "lab" } or Shaped(BitRate));

/// Declares the factors, each with its type and its default level. A factor that came later is
/// not written in a plan where it has its default, so that older plans keep their hashes.
macro_rules! factors {
    ($($(#[doc = $doc:literal])* $name:ident: $type:ty = $default:expr $(, unwritten if $skip:literal)?;)+) => {
        /// The levels of every factor. In YAML a factor has one level or a list of them.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields, expecting = "a mapping of factors to their levels")]
        pub struct Factors {
            $($(#[doc = $doc])*
            #[serde(with = "one_or_list")]
            pub $name: Vec<$type>,)+
        }

        impl JsonSchema for Factors {
            fn schema_name() -> Cow<'static, str> {
                "Factors".into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let defaults = serde_json::to_value(Self::default()).unwrap_or_default();
                schema::mapping([$({
                    let name = stringify!($name);
                    let mut levels = one_or_list::schema::<$type>(generator);
                    levels.insert("default".to_owned(), defaults[name].clone());
                    (name.to_owned(), levels, words_of_docs(&[$($doc),*]))
                }),+])
            }
        }

        impl JsonSchema for Selection {
            fn schema_name() -> Cow<'static, str> {
                "Selection".into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                schema::mapping([$((
                    stringify!($name).to_owned(),
                    json_schema!({ "allOf": [generator.subschema_for::<$type>()] }),
                    words_of_docs(&[$($doc),*]),
                )),+])
            }
        }

        impl Default for Factors {
            fn default() -> Self {
                Self { $($name: vec![$default],)+ }
            }
        }

        /// One level of each factor.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        pub struct Levels {
            $($(#[doc = $doc])* $(#[serde(skip_serializing_if = $skip)])? pub $name: $type,)+
        }

        /// Some of the factors, one level each: what an exclude, an include or a filter names.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields, expecting = "a mapping of factors to one level each")]
        pub struct Selection {
            $($(#[doc = $doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<$type>,)+
        }

        /// The names of all factors, in the order in which they are written.
        pub const NAMES: &[&str] = &[$(stringify!($name)),+];

        impl Factors {
            /// The first level of each factor; `None` when one has no level.
            #[must_use]
            pub fn first(&self) -> Option<Levels> {
                Some(Levels { $($name: self.$name.first()?.clone(),)+ })
            }

            /// The full factorial; the last factor varies fastest. Empty when a factor has no
            /// level.
            #[must_use]
            pub fn product(&self) -> Vec<Levels> {
                let mut rows: Vec<Levels> = self.first().into_iter().collect();
                $(rows = rows
                    .iter()
                    .flat_map(|row| {
                        self.$name.iter().map(|level| Levels { $name: level.clone(), ..row.clone() })
                    })
                    .collect();)+
                rows
            }

            /// How many cells the full factorial has; `None` when that is beyond counting.
            #[must_use]
            pub fn cells(&self) -> Option<usize> {
                let mut cells = 1_usize;
                $(cells = cells.checked_mul(self.$name.len())?;)+
                Some(cells)
            }

            /// Every level by itself: its factor, its index there, and a selection of it.
            #[must_use]
            pub fn each(&self) -> Vec<(&'static str, usize, Selection)> {
                let mut each = Vec::new();
                $(for (index, level) in self.$name.iter().enumerate() {
                    let selection = Selection { $name: Some(level.clone()), ..Selection::default() };
                    each.push((stringify!($name), index, selection));
                })+
                each
            }

            /// Each factor with its levels as text.
            #[must_use]
            pub fn texts(&self) -> Vec<(&'static str, Vec<String>)> {
                vec![$((stringify!($name), self.$name.iter().map(ToString::to_string).collect()),)+]
            }
        }

        impl Levels {
            /// Each factor with its level as text.
            #[must_use]
            pub fn texts(&self) -> Vec<(&'static str, String)> {
                vec![$((stringify!($name), self.$name.to_string()),)+]
            }
        }

        impl Selection {
            /// Whether the levels are those it names.
            #[must_use]
            pub fn matches(&self, levels: &Levels) -> bool {
                $(self.$name.as_ref().is_none_or(|level| *level == levels.$name))&&+
            }

            /// These levels, but those it names.
            #[must_use]
            pub fn over(&self, levels: &Levels) -> Levels {
                Levels { $($name: self.$name.as_ref().unwrap_or(&levels.$name).clone(),)+ }
            }

            /// Each factor that it names, with its level as text.
            #[must_use]
            pub fn texts(&self) -> Vec<(&'static str, String)> {
                [$((stringify!($name), self.$name.as_ref().map(ToString::to_string)),)+]
                    .into_iter()
                    .filter_map(|(name, level)| Some((name, level?)))
                    .collect()
            }

            /// Names one more factor. `None` when there is none of that name.
            pub fn set(&mut self, name: &str, level: &str) -> Option<Result<(), LevelError>> {
                match name {
                    $(stringify!($name) => Some(Level::read(level).map(|level| self.$name = Some(level))),)+
                    _ => None,
                }
            }
        }
    };
}

factors! {
    /// The guest's memory. Default: `256 MiB`.
    memory: Bytes = Bytes(256 << 20);
    /// The part of it that the workload touches. Default: `64 MiB`.
    working_set: Bytes = Bytes(64 << 20);
    /// The part of it that is filled before the migration, working set included: `working_set`,
    /// `memory` (all that the guest can fill) or a size. Default: `working_set`.
    filled: Filled = Filled::WorkingSet;
    /// Pages of 4 KiB touched per second. Default: `1000 pages/s`.
    touch_rate: PageRate = PageRate(1000);
    /// Order of the touches: `idle`, `sequential`, `random`, `hotspot`. Default: `random`.
    pattern: Pattern = Pattern::Random;
    /// What the pages hold: `random`, `sparse`, `zero`. Default: `random`.
    content: Content = Content::Random;
    /// Rate of the links that guests are migrated over; `lab` is that of the lab file's migration
    /// network. Default: `lab`.
    link_rate: LinkRate = LinkRate::Lab;
    /// The hypervisor's own cap: `default`, `unlimited` or a rate. Default: `default`.
    bandwidth_limit: BandwidthLimit = BandwidthLimit::Default;
    /// The downtime that the hypervisor aims at. Default: `300 ms`.
    downtime_limit: Millis = Millis(300);
    /// Which network guests are migrated over: `dedicated`, the migration network, or `shared`,
    /// the guest network with its heartbeats. Default: `dedicated`.
    network: MigrationNetwork =
        MigrationNetwork::Dedicated, unwritten if "MigrationNetwork::is_dedicated";
    /// How the guest's memory travels, on Proxmox VE: `insecure`, in the clear, `secure`, through
    /// SSH, or `lab`, as the datacenter has it. Default: `lab`.
    transport: Transport = Transport::Lab, unwritten if "Transport::is_lab";
    /// Which QEMUs run at both ends: `lab`, a name below `qemus`, or
    /// `NAME to NAME`. Default: `lab`.
    qemu: QemuPair = QemuPair::lab(), unwritten if "QemuPair::is_lab";
    /// A disk of the guest's on the storage that the lab's nodes share: `none`, or its size.
    /// Default: `none`.
    disk: DiskSize = DiskSize::None, unwritten if "DiskSize::is_none";
    /// Blocks of 4 KiB written to the disk per second. Default: `0 blocks/s`.
    disk_write_rate: BlockRate = BlockRate(0), unwritten if "BlockRate::is_zero";
}

impl Levels {
    /// What a trial is told to do.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            memory: self.memory,
            working_set: self.working_set,
            filled: match self.filled {
                Filled::WorkingSet => self.working_set,
                Filled::Memory => fillable(self.memory),
                Filled::Size(size) => size,
            },
            touch_rate: self.touch_rate,
            pattern: self.pattern,
            content: self.content,
            link_rate: match self.link_rate {
                LinkRate::Lab => None,
                LinkRate::Shaped(rate) => Some(rate),
            },
            bandwidth_limit: self.bandwidth_limit,
            downtime_limit: self.downtime_limit,
            network: self.network,
            transport: self.transport,
            qemu: self.qemu.clone(),
            disk: self.disk,
            disk_write_rate: self.disk_write_rate,
        }
    }
}

/// The lines of a documentation as one text.
fn words_of_docs(lines: &[&str]) -> String {
    let words = lines.iter().flat_map(|line| line.split_whitespace());
    words.collect::<Vec<_>>().join(" ")
}

/// As much as a guest of this memory can fill.
#[must_use]
pub const fn fillable(memory: Bytes) -> Bytes {
    Bytes(memory.0.saturating_sub(GUEST_OWN.0))
}
