//! The arguments of `schema`.

use clap::{Args, ValueEnum};
use harness::schemas::Kind;

/// Examples for `--help`.
pub const EXAMPLES: &str = "\
Examples:
  cargo xtask schema experiment > experiment.schema.json   for an editor that wants a file
  cargo xtask schema --write                               after a change of what files may say

Editors with a YAML language server find the schema by this line at the top of a file:
  # yaml-language-server: $schema=../schemas/experiment.schema.json";

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Whose schema
    #[arg(value_enum, required_unless_present = "write", conflicts_with = "write")]
    pub kind: Option<KindName>,
    /// Write all of them to `schemas` of this repository
    #[arg(long)]
    pub write: bool,
}

/// A kind of file, by its word.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum KindName {
    /// labs/*.yaml
    Lab,
    /// experiments/*.yaml
    Experiment,
    /// a playbook as it is rendered for a node
    Playbook,
}

impl From<KindName> for Kind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Lab => Self::Lab,
            KindName::Experiment => Self::Experiment,
            KindName::Playbook => Self::Playbook,
        }
    }
}
