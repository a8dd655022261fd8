//! What a lab file says of a VM that somebody has, and that trials migrate instead of ours.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A VM of the cluster that trials migrate instead of guests of their own, and put back at the end.
/// Nothing else is done to it. It must run on disks that all nodes share, and not be managed by HA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `vmid`, `name` and `address`")]
pub struct ExistingSpec {
    /// Its id.
    pub vmid: u32,
    /// Its name in Proxmox, which must be this: so nobody's VM is migrated for a mistyped id.
    pub name: String,
    /// An address of its own that answers to ping, asked by the witness to time the outage. Default:
    /// none, then nobody times it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Ipv4Addr>,
}
