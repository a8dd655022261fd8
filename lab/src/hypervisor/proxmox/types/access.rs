//! Of who may do what.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// `/access/permissions`: what the user who asks may do, by path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permissions(BTreeMap<String, Granted>);

/// Privileges, each with whether it holds for what lies below too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
struct Granted(BTreeMap<String, bool>);

/// The privileges of a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Role(pub BTreeSet<String>);

impl<'de> Deserialize<'de> for Granted {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // The values are not lenient flags: 0 is a privilege that does not propagate.
        let all = BTreeMap::<String, Value>::deserialize(from)?;
        Ok(Self(all.into_iter().map(|(name, value)| (name, truth(&value))).collect()))
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let all = BTreeMap::<String, Value>::deserialize(from)?;
        Ok(Self(all.into_iter().filter(|(_, value)| truth(value)).map(|(name, _)| name).collect()))
    }
}

/// Perl's.
fn truth(value: &Value) -> bool {
    match value {
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty() && text != "0",
        _ => false,
    }
}

impl Permissions {
    /// Whether a privilege is held on a path: by the nearest path above it that is listed, as
    /// Proxmox decides it.
    ///
    /// Ask `/access/permissions?path=…` where it matters: only for that path is the answer sure.
    #[must_use]
    pub fn has(&self, path: &str, privilege: &str) -> bool {
        if let Some(granted) = self.0.get(path) {
            return granted.0.contains_key(privilege);
        }
        let mut above = path;
        while let Some((parent, _)) = above.rsplit_once('/') {
            let listed = self.0.get(if parent.is_empty() { "/" } else { parent });
            if let Some(granted) = listed {
                return granted.0.get(privilege) == Some(&true);
            }
            above = parent;
        }
        false
    }

    /// Of these privileges, those that are not held on a path.
    #[must_use]
    pub fn missing<'a>(&self, path: &str, privileges: &[&'a str]) -> Vec<&'a str> {
        privileges.iter().copied().filter(|privilege| !self.has(path, privilege)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_nearest_counts() {
        let permissions: Permissions = serde_json::from_value(json!({
            "/": {"Sys.Audit": 1, "Sys.Modify": 0},
            "/vms": {"VM.Audit": 1, "VM.Migrate": 0},
            "/vms/101": {"VM.Migrate": 1},
        }))
        .unwrap();
        let has = |path, privilege| permissions.has(path, privilege);
        assert!(has("/", "Sys.Modify") && has("/nodes/pve1", "Sys.Audit"));
        assert!(!has("/nodes/pve1", "Sys.Modify"), "it does not propagate");
        assert!(has("/vms/101", "VM.Migrate") && !has("/vms/101", "VM.Audit"));
        assert!(has("/vms/102", "VM.Audit") && !has("/vms/102", "VM.Migrate"));
        let missing = permissions.missing("/vms/101", &["VM.Migrate", "VM.Audit"]);
        assert_eq!(missing, ["VM.Audit"]);
        let none: Permissions = serde_json::from_value(json!({})).unwrap();
        assert!(!none.has("/", "Sys.Audit"));
    }
}
