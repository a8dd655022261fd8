//! What there is to say of a lab that consists of nothing.

use lab::units::BitRate;
use serde::{Deserialize, Serialize};

/// The model lab, as a run's manifest has it in place of a lab file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelLab {
    /// Its name, and the word for it on the command line.
    pub name: String,
    /// What runs guests on it.
    pub hypervisor: String,
    /// Names for the roles of a trial, so that its records have what others have.
    pub nodes: Vec<String>,
    /// Its links.
    pub networks: ModelNetworks,
}

/// The links of the model lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelNetworks {
    /// What guests are migrated over.
    pub migration: ModelLink,
}

/// A link of the model lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelLink {
    /// What the level `lab` of the factor `link_rate` means.
    pub link_rate: BitRate,
}

impl ModelLab {
    /// The word for it on the command line.
    pub const NAME: &str = "model";

    /// The link rate of a trial that leaves it to the lab.
    #[must_use]
    pub const fn link_rate(&self) -> BitRate {
        self.networks.migration.link_rate
    }
}

impl Default for ModelLab {
    /// As `labs/local.yaml` is: three nodes, links of 1 Gbit/s.
    fn default() -> Self {
        Self {
            name: Self::NAME.to_owned(),
            hypervisor: super::ACCELERATOR.to_owned(),
            nodes: ["node1", "node2", "node3"].map(str::to_owned).to_vec(),
            networks: ModelNetworks { migration: ModelLink { link_rate: BitRate(1_000_000_000) } },
        }
    }
}
