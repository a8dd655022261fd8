//! What the double says of its cluster when it is looked at.

use super::{
    privileges::covers,
    request::{Reply, Request},
    world::World,
};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

/// What reads give, to be changed by tests.
pub struct Facts {
    /// By node: `status`, `network`, `storage`, `packages`.
    pub nodes: BTreeMap<String, Value>,
    /// By node: how far its clock is ahead, seconds.
    pub clocks: BTreeMap<String, i64>,
    pub storages: Value,
    pub options: Value,
    /// Guests beside those of the world.
    pub guests: Vec<Value>,
}

impl Facts {
    /// Three nodes alike, with a shared storage and a migration network.
    pub fn cluster() -> Self {
        let node = |number: u32| {
            let value = json!({
                "status": {
                    "uptime": 4478, "loadavg": ["0.84", "2.50", "6.10"],
                    "pveversion": "pve-manager/9.1.7/ad92ef6082138bff",
                    "memory": {"total": 25_276_502_016u64, "used": 5_878_829_056u64,
                        "free": 18_742_317_056u64, "available": 19_397_672_960u64},
                    "cpuinfo": {"model": "Intel(R) Xeon(R) Processor", "cpus": 2, "hvm": "1",
                        "flags": "fpu vmx aes avx2"},
                    "current-kernel": {"release": "6.17.2-1-pve"},
                },
                "network": [
                    {"iface": "vmbr0", "type": "bridge", "active": 1,
                        "cidr": format!("192.0.2.1{number}/26")},
                    {"iface": "eth1", "type": "eth", "active": 1,
                        "cidr": format!("192.0.2.14{number}/26")},
                    {"iface": "eth0", "type": "eth", "active": 1},
                ],
                "storage": [
                    {"storage": "local", "type": "dir", "active": 1, "enabled": 1, "shared": 0,
                        "content": "iso,images"},
                    {"storage": "shared", "type": "nfs", "active": 1, "enabled": 1, "shared": 1,
                        "content": "images,iso", "avail": 68_289_703_936u64},
                ],
                "packages": [
                    {"Package": "qemu-server", "CurrentState": "Installed", "OldVersion": "9.1.6",
                        "Version": "9.1.6"},
                    {"Package": "pve-qemu-kvm", "CurrentState": "Installed", "Version": "10.1.2-7"},
                ],
            });
            (format!("pve{number}"), value)
        };
        Self {
            nodes: [1, 2, 3].map(node).into(),
            clocks: BTreeMap::new(),
            storages: json!([
                {"storage": "local", "type": "dir", "content": "iso,images"},
                {"storage": "shared", "type": "nfs", "content": "images,iso", "shared": 1},
            ]),
            options: json!({"migration": {"type": "insecure", "network": "192.0.2.128/26"}}),
            guests: Vec::new(),
        }
    }

    pub fn node(&mut self, name: &str) -> &mut Value {
        self.nodes.get_mut(name).expect("a node")
    }
}

impl World {
    /// Reads of the cluster's facts; `None` for any other call.
    pub(super) fn fact(&self, request: &Request, who: &str) -> Option<Reply> {
        if request.method != "GET" {
            return None;
        }
        let parts = request.parts();
        let path: Vec<&str> = parts.iter().map(String::as_str).collect();
        let of = |node: &str, what: &str| {
            let known = self.facts.nodes.get(node).map(|facts| facts[what].clone());
            Some(Reply::data(&known.unwrap_or(Value::Null)))
        };
        match path[..] {
            ["cluster", "options"] => Some(Reply::data(&self.facts.options)),
            ["storage"] => Some(Reply::data(&self.facts.storages)),
            ["nodes", node, what @ ("status" | "network" | "storage")] => of(node, what),
            ["nodes", node, "apt", "versions"] => of(node, "packages"),
            ["nodes", node, "time"] => {
                let ahead = self.facts.clocks.get(node).copied().unwrap_or(0);
                let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
                let now = i64::try_from(now.as_secs()).expect("seconds") + ahead;
                Some(Reply::data(&json!({"timezone": "UTC", "localtime": now, "time": now})))
            }
            ["access", "permissions"] => Some(self.permissions(request.parameter("path")?, who)),
            _ => None,
        }
    }

    /// What is granted on the path, or on one above it.
    fn permissions(&self, path: &str, who: &str) -> Reply {
        let mut held: Map<String, Value> = self
            .granted
            .iter()
            .filter(|(granted, _)| covers(granted, path))
            .map(|(_, privilege)| (privilege.clone(), json!(1)))
            .collect();
        if who == "root@pam" {
            let all = lab::playbook::PROXMOX_PRIVILEGES.iter();
            held = all.map(|privilege| ((*privilege).to_owned(), json!(1))).collect();
        }
        Reply::data(&json!({ path: held }))
    }
}
