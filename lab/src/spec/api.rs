//! What a lab file says of the API of a Proxmox cluster that one already has.

use super::LabSpec;
use crate::{
    schema,
    yaml::{from_text, with_hint},
};
use camino::Utf8PathBuf;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

/// The variable that has the password of a user.
pub const PASSWORD_VARIABLE: &str = "PRECOPY_PVE_PASSWORD";
/// The variable that has the secret of an API token.
pub const TOKEN_VARIABLE: &str = "PRECOPY_PVE_TOKEN";

/// Where the API of a cluster is, who asks and how its certificates are judged. Secrets never
/// stand here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping with `user`, `fingerprints` or `ca`, and the like"
)]
pub struct ApiSpec {
    /// Nodes that are asked, each `host` or `host:port`; the next is asked when one does not
    /// answer. Default: the lab's hosts as `ssh` names them, without SSH the nodes' names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// Who asks: `user@realm` with a password, or `user@realm!name`, an API token.
    pub user: String,
    /// The environment variable that has the password or the token's secret. Default:
    /// `PRECOPY_PVE_PASSWORD`, of a token `PRECOPY_PVE_TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_variable: Option<String>,
    /// The file whose first line is the password or the token's secret, which nobody else may
    /// read (mode 0600). Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub secret_file: Option<Utf8PathBuf>,
    /// SHA-256 fingerprints of certificates, by the nodes' addresses as `nodes` has them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fingerprints: BTreeMap<String, String>,
    /// A copy of the cluster's authority, `/etc/pve/pve-root-ca.pem`: a file of this machine, for
    /// all nodes that have no fingerprint here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ca: Option<Utf8PathBuf>,
}

impl ApiSpec {
    /// Whether an API token asks.
    #[must_use]
    pub fn is_token(&self) -> bool {
        self.user.contains('!')
    }

    /// The environment variable that has the secret, where no file has it.
    #[must_use]
    pub fn variable(&self) -> &str {
        let usual = if self.is_token() { TOKEN_VARIABLE } else { PASSWORD_VARIABLE };
        self.secret_variable.as_deref().unwrap_or(usual)
    }
}

impl LabSpec {
    /// The API of a cluster that one already has, where the lab is of one.
    #[must_use]
    pub fn api(&self) -> Option<&ApiSpec> {
        self.proxmox.as_ref()?.api.as_ref()
    }

    /// Addresses at which that API is asked, `host` or `host:port`.
    #[must_use]
    pub fn api_nodes(&self) -> Vec<String> {
        match self.api() {
            Some(api) if !api.nodes.is_empty() => api.nodes.clone(),
            _ => self.nodes.iter().map(|node| self.host_of(node)).collect(),
        }
    }

    /// A node's machine, as SSH is told; its name where it is not reached by SSH.
    fn host_of(&self, node: &str) -> String {
        let host = self.hosts.as_ref().and_then(|hosts| hosts.get(node));
        let ssh = host.and_then(|host| host.ssh.as_deref());
        let name = ssh.map(|ssh| ssh.rsplit_once('@').map_or(ssh, |(_, host)| host));
        name.unwrap_or(node).to_owned()
    }

    /// Whether nodes are reached by SSH: all of those of `hosts`, or none.
    #[must_use]
    pub fn has_ssh(&self) -> bool {
        self.hosts.as_ref().is_some_and(|hosts| hosts.values().any(|host| host.ssh.is_some()))
    }
}

/// Ids of VMs, from the first to the last: `9900-9999`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VmIds {
    /// The first.
    pub first: u32,
    /// The last, which is one of them.
    pub last: u32,
}

impl VmIds {
    /// Ids that Proxmox takes.
    pub const POSSIBLE: Self = Self { first: 100, last: 999_999_999 };

    /// Whether an id is one of them.
    #[must_use]
    pub const fn contains(self, vmid: u32) -> bool {
        self.first <= vmid && vmid <= self.last
    }
}

impl Default for VmIds {
    fn default() -> Self {
        Self { first: 9900, last: 9999 }
    }
}

impl fmt::Display for VmIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}-{}", self.first, self.last))
    }
}

/// Why a text is no range of ids.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the first and the last id of a range, such as `9900-9999`, got `{0}`")]
pub struct NotVmIds(String);

impl FromStr for VmIds {
    type Err = NotVmIds;

    fn from_str(text: &str) -> Result<Self, NotVmIds> {
        let number = |digits: &str| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| plain)
        };
        let read = || {
            let (first, last) = text.split_once('-')?;
            Some(Self { first: number(first)?, last: number(last)? })
        };
        read().ok_or_else(|| NotVmIds(text.to_owned()))
    }
}

impl JsonSchema for VmIds {
    fn schema_name() -> Cow<'static, str> {
        "VmIds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let expected = "the first and the last id of a range, such as `9900-9999`";
        schema::text(expected, "^[0-9]{3,9}-[0-9]{3,9}$", &["9900-9999"])
    }
}

impl Serialize for VmIds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VmIds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer, "a range of ids, such as `9900-9999`", |text| {
            text.parse().map_err(|error| with_hint(error, None))
        })
    }
}
