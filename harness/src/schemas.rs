//! The JSON Schemas of all files that people write. Committed in `schemas/`, where editors find
//! them by a line in each file.

use crate::experiment::Experiment;
use lab::{playbook::Playbook, schema, spec::LabSpec};
use serde_json::Value;

/// Folder of the committed schemas, from the repository's root.
pub const FOLDER: &str = "schemas";

/// A kind of file that has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What a lab is: `labs/`.
    Lab,
    /// What an experiment is: `experiments/`.
    Experiment,
    /// How a node is set up, as it is rendered from `playbooks-templates/`.
    Playbook,
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Lab, Self::Experiment, Self::Playbook];

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lab => "lab",
            Self::Experiment => "experiment",
            Self::Playbook => "playbook",
        }
    }

    /// Name of the committed file in [`FOLDER`].
    #[must_use]
    pub fn file_name(self) -> String {
        format!("{}.schema.json", self.name())
    }

    /// The line by which a file, in a folder beside [`FOLDER`], names its schema to editors.
    #[must_use]
    pub fn mention(self) -> String {
        format!("# yaml-language-server: $schema=../{FOLDER}/{}", self.file_name())
    }

    /// The schema.
    #[must_use]
    pub fn schema(self) -> Value {
        let title = format!("precopy-lab: {}", self.name());
        match self {
            Self::Lab => schema::of::<LabSpec>(&title),
            Self::Experiment => schema::of::<Experiment>(&title),
            Self::Playbook => schema::of::<Playbook>(&title),
        }
    }

    /// The schema as it is printed and committed.
    #[must_use]
    pub fn text(self) -> String {
        format!("{:#}\n", self.schema())
    }
}
