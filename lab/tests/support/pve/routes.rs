//! Which call is which.

use super::{
    request::{Reply, Request},
    world::World,
};
use serde_json::{Value, json};

impl World {
    pub(super) fn answer(&mut self, request: &Request) -> Reply {
        if request.path == "/access/ticket" && request.method == "POST" {
            return self.log_in(request);
        }
        let in_url = ["GET", "DELETE"].contains(&request.method.as_str());
        if in_url && !request.body.is_empty() {
            let text = format!("Unexpected content for method '{}'", request.method);
            return Reply::bare(501, &text);
        }
        match self.who(request) {
            Ok(who) => self.route(request, &who),
            Err(reply) => reply,
        }
    }

    fn route(&mut self, request: &Request, who: &str) -> Reply {
        let parts = request.parts();
        let path: Vec<&str> = parts.iter().map(String::as_str).collect();
        if let ["nodes", node, ..] = path[..] {
            match self.nodes.get(node) {
                None => {
                    let why = "failed to get address info for: pve9: Temporary failure in name resolution";
                    return Reply::error(500, &format!("hostname lookup '{node}' failed - {why}"));
                }
                // Handed on to a node that does not answer.
                Some(false) => return Reply::bare(595, "No route to host"),
                Some(true) => {}
            }
        }
        if let Some(reply) = self.fact(request, who) {
            return reply;
        }
        match (request.method.as_str(), &path[..]) {
            ("GET", ["version"]) => Reply::data(
                &json!({"version": "9.1.7", "repoid": "ad92ef6082138bff", "release": "9.1"}),
            ),
            ("GET", ["cluster", "status"]) => self.status(),
            ("GET", ["cluster", "tasks"]) => self.list_tasks(None, request),
            ("GET", ["cluster", "nextid"]) => Reply::data(&json!("102")),
            ("GET", ["cluster", "resources"]) => {
                let vms = self.vms.iter().map(|vm| {
                    json!({"type": "qemu", "id": format!("qemu/{}", vm.vmid), "vmid": vm.vmid,
                        "node": vm.node, "status": vm.status()})
                });
                let others = self.facts.guests.iter().cloned();
                Reply::data(&Value::Array(vms.chain(others).collect()))
            }
            ("GET", ["nodes"]) => {
                let nodes = self.nodes.iter().map(|(name, up)| {
                    json!({"node": name, "status": if *up { "online" } else { "offline" }})
                });
                Reply::data(&Value::Array(nodes.collect()))
            }
            ("GET", ["nodes", node, "tasks"]) => self.list_tasks(Some(node), request),
            ("GET" | "DELETE", ["nodes", node, "tasks", upid, what @ ..]) => {
                self.task(node, upid, what.first().copied().unwrap_or(""), request)
            }
            ("POST", ["nodes", _, "storage", storage, "upload"]) => {
                self.upload(storage, request, who)
            }
            ("GET", ["nodes", _, "storage", storage, "content"]) => self.content(storage, request),
            ("POST", ["nodes", node, "qemu"]) => self.create(node, request, who),
            ("DELETE", ["nodes", node, "qemu", vmid]) => self.destroy(node, vmid, who),
            (_, ["nodes", node, "qemu", vmid, ..]) => {
                self.vm_call(node, vmid, &parts[4..], request, who)
            }
            _ => Reply::error(501, &format!("Method '{}' not implemented", request.name())),
        }
    }

    fn status(&self) -> Reply {
        let cluster = json!({"type": "cluster", "name": "lab", "nodes": self.nodes.len(),
            "quorate": u8::from(self.quorate), "version": 3, "id": "cluster"});
        let nodes = self.nodes.iter().map(
            |(name, up)| json!({"type": "node", "name": name, "online": u8::from(*up), "local": 0}),
        );
        Reply::data(&Value::Array(std::iter::once(cluster).chain(nodes).collect()))
    }
}
