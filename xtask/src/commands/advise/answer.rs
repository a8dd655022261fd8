//! What `advise` found out, as `--json` prints it.

use super::words;
use harness::{
    advice::{Advice, Links, Way},
    carried,
};
use serde::Serialize;

/// The version of what [`Answer`] has.
pub const SCHEMA: u32 = 1;

/// Everything.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The lab's name.
    pub lab: String,
    /// How the datacenter's migrations go.
    pub datacenter: Datacenter,
    /// What ways between nodes carry, where that was measured.
    pub ways: Vec<Way>,
    /// What counts for a guest on any node.
    pub links: Links,
    /// Why nothing is known of secure migrations, where nothing is, and what helps.
    pub no_secure: Option<NoSecure>,
    /// The VMs that were named, in that order.
    pub vms: Vec<Vm>,
    /// What is to be said of links alone, in sentences.
    pub sentences: Vec<String>,
}

/// How the datacenter's migrations go.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Datacenter {
    /// `secure` or `insecure`.
    pub kind: String,
    /// Over which network; the cluster's own where none is set.
    pub network: Option<String>,
    /// The cap on all migrations, bytes a second.
    pub cap_bytes_per_s: Option<f64>,
}

/// Why nothing is known of secure migrations.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NoSecure {
    /// In words.
    pub why: String,
    /// What helps.
    pub remedy: String,
}

impl NoSecure {
    /// Of a measurement that failed.
    pub fn measured(why: String) -> Self {
        Self { remedy: carried::remedy(&why).to_owned(), why }
    }

    /// Where nothing was measured.
    pub fn not_measured() -> Self {
        Self {
            why: "not measured".to_owned(),
            remedy: "name the nodes' `hosts` in the lab file, so that it is measured by SSH, or \
                     what you know of it by `--secure-rate`"
                .to_owned(),
        }
    }
}

/// What is to be said of a VM.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "a handful of them")]
pub enum Vm {
    /// It was looked at.
    Seen {
        /// What is to be expected of its migrations.
        advice: Advice,
        /// The same in sentences.
        sentences: Vec<String>,
    },
    /// It could not be looked at.
    Refused {
        /// Its id.
        vmid: u32,
        /// Why.
        why: String,
        /// What helps, where something does.
        remedy: Option<String>,
    },
}

impl Vm {
    /// With its sentences.
    pub fn seen(advice: Advice, datacenter: &Datacenter) -> Self {
        Self::Seen { sentences: words::of_vm(&advice, datacenter), advice }
    }
}
