//! What a rendered playbook says.

use crate::{
    schema,
    units::Millis,
    yaml::{from_text, with_hint},
};
use camino::Utf8PathBuf;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, fmt};

/// What makes of a Debian machine a node of a lab: steps, one after the other.
///
/// All nodes have the same steps in the same order; what they say may differ from node to node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `name` and `steps`")]
pub struct Playbook {
    /// Its name: letters, digits and dashes.
    pub name: String,
    /// The steps. Each begins when the one before is done on all of its nodes.
    pub steps: Vec<Step>,
}

/// One step. Its scripts are run as root by `sh -eu`, with nothing to read.
///
/// It is done when `check` exits with 0 and every file is as it should be; then nothing else
/// runs. Otherwise the files are written, `action` runs, the node reboots where `reboot` says so,
/// `verify` must exit with 0, and `check` and files are looked at once more: a step that is not
/// done after it acted has failed. An action may be cut off anywhere and must then do its work
/// when it is run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `name`, and `check` or `files`")]
pub struct Step {
    /// Its name, of which there is one in a playbook: letters, digits and dashes.
    pub name: String,
    /// Which nodes it is for. Default: `all`.
    #[serde(default)]
    pub on: On,
    /// Whether nodes go side by side. Default: `parallel`.
    #[serde(default)]
    pub order: Order,
    /// Exits with 0 when the step is done; must change nothing. May be left out where there are
    /// files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Files that must be as they are here; what differs is written before the action.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// What makes it done. May be left out where there are files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Must exit with 0 after the action, and after the reboot if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<String>,
    /// Whether the node reboots after the action. Default: it does not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reboot: bool,
    /// Names of secrets, which the scripts find in environment variables of the same names. They
    /// are struck out of all that is kept of their output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Files on the node that others need, fetched when the step is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collect: Vec<Collect>,
    /// How long it may take on one node, everything together. Default: 10 min.
    #[serde(default = "default_deadline")]
    pub deadline: Millis,
}

/// Long enough for what one node downloads and installs while it is slow.
const fn default_deadline() -> Millis {
    Millis(10 * 60 * 1000)
}

/// Which nodes a step is for, by their place in the lab file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// Every node.
    #[default]
    All,
    /// The first node only.
    First,
    /// All but the first.
    Others,
}

impl On {
    /// Whether the node with this index, from 0, is one of them.
    #[must_use]
    pub const fn includes(self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::First => index == 0,
            Self::Others => index > 0,
        }
    }
}

/// Whether nodes go side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// All at once.
    #[default]
    Parallel,
    /// Node after node, each wholly done before the next begins, and none after one that failed.
    Serial,
}

/// A file on a node. Its owner is root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `path`, `mode` and `content`")]
pub struct File {
    /// Where it lies, from the root. Folders on the way are made; a link there is replaced.
    #[schemars(with = "String")]
    pub path: Utf8PathBuf,
    /// Who may read, write and run it.
    pub mode: Mode,
    /// All that it holds.
    pub content: String,
}

/// A file that a step leaves on a node, of at most 1 MiB. This program keeps it in the lab's folder,
/// `collected/<node>/<name>`, where only this user can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `path` and `share`")]
pub struct Collect {
    /// Where it lies, from the root.
    #[schemars(with = "String")]
    pub path: Utf8PathBuf,
    /// Where the other nodes get it before the next step, readable by root alone. It travels by
    /// this program's own connections. Only for steps of the first node. Default: they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub share: Option<Utf8PathBuf>,
}

/// A file's permissions, in four octal digits: `"0644"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub u16);

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:04o}", self.0))
    }
}

impl JsonSchema for Mode {
    fn schema_name() -> Cow<'static, str> {
        "Mode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let expected = "permissions in four octal digits, such as `\"0644\"`";
        schema::text(expected, "^0[0-7]{3}$", &["0644", "0755"])
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer, "permissions, such as `\"0644\"`", |text| {
            let digits = text.strip_prefix('0').filter(|digits| digits.len() == 3);
            digits.and_then(|digits| u16::from_str_radix(digits, 8).ok()).map(Self).ok_or_else(
                || {
                    with_hint(
                        format!("expected permissions, such as `\"0644\"`, got `{text}`"),
                        Some("four octal digits, the first of them 0"),
                    )
                },
            )
        })
    }
}
