//! VMs of the double.

use super::{
    monitor::Dirtying,
    real::Does,
    request::{Reply, Request},
    world::World,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

/// A VM.
#[derive(Clone, Debug)]
pub struct Vm {
    pub vmid: u32,
    pub node: String,
    pub lock: Option<String>,
    /// Something holds its configuration's file.
    pub file_locked: bool,
    pub config: BTreeMap<String, String>,
    pub ha: bool,
    pub running: bool,
    /// QEMU's own word for how it is.
    pub qmpstatus: String,
    /// What its monitor says to everything.
    pub monitor: String,
    /// What it says of how fast memory is dirtied, where it says that.
    pub dirtying: Option<Dirtying>,
}

impl Vm {
    pub fn new(vmid: u32, node: &str) -> Self {
        let config = [("memory", "512"), ("cores", "1"), ("name", "dirty")];
        Self {
            vmid,
            node: node.to_owned(),
            lock: None,
            file_locked: false,
            config: config.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            ha: false,
            running: true,
            qmpstatus: "running".to_owned(),
            monitor: String::new(),
            dirtying: None,
        }
    }

    pub(super) fn status(&self) -> &'static str {
        if self.running { "running" } else { "stopped" }
    }
}

/// Parameters of a migration, as this version's schema has them.
const MIGRATE: [&str; 8] = [
    "target",
    "online",
    "migration_type",
    "migration_network",
    "force",
    "bwlimit",
    "with-local-disks",
    "targetstorage",
];
/// Those of them that only root may give.
const ROOT_ONLY: [&str; 3] = ["migration_type", "migration_network", "force"];

impl World {
    /// The VM whose file a call waits for, and how long at most.
    pub(super) fn waits_for_file(&self, request: &Request) -> Option<(u32, Duration)> {
        let parts = request.parts();
        let [_, _, _, vmid, what] = &parts[..] else { return None };
        let vm = self.vms.iter().find(|vm| vm.vmid.to_string() == *vmid)?;
        (what == "config" && request.method != "GET" && vm.file_locked)
            .then_some((vm.vmid, self.lock_wait))
    }

    /// `/nodes/{node}/qemu/{vmid}/…`
    pub(super) fn vm_call(
        &mut self,
        node: &str,
        vmid: &str,
        what: &[String],
        request: &Request,
        who: &str,
    ) -> Reply {
        let file = format!("nodes/{node}/qemu-server/{vmid}.conf");
        let id = vmid.parse().unwrap_or(0);
        let Some(vm) = self.vm(id).filter(|vm| vm.node == node).cloned() else {
            return Reply::error(500, &format!("Configuration file '{file}' does not exist"));
        };
        let what: Vec<&str> = what.iter().map(String::as_str).collect();
        let reads = request.method == "GET" || what[..] != ["config"];
        if reads && let Err(reply) = self.may_act(who, vmid, &what) {
            return reply;
        }
        match (request.method.as_str(), &what[..]) {
            ("GET", ["status", "current"]) => {
                let mut status = json!({"vmid": vm.vmid, "status": vm.status(), "qmpstatus": vm.qmpstatus,
                    "name": "dirty", "pid": 495, "cpus": 1, "maxmem": 536_870_912_u64,
                    "ha": {"managed": u8::from(vm.ha)}, "running-qemu": "10.0.13"});
                if let Some(lock) = vm.lock {
                    status["lock"] = json!(lock);
                }
                Reply::data(&status)
            }
            ("GET", ["config"]) => {
                let mut config = json!(vm.config);
                if let Some(lock) = &vm.lock {
                    config["lock"] = json!(lock);
                }
                Reply::data(&config)
            }
            ("POST", ["status", action]) => self.act(&vm, action, request, who),
            ("POST" | "PUT", ["config"]) => self.configure(&vm, request, who),
            ("GET", ["migrate"]) => Reply::data(&json!({"running": 1, "local_disks": [],
                "local_resources": [], "allowed_nodes": ["pve2", "pve3"], "not_allowed_nodes": {}})),
            ("POST", ["migrate"]) => self.migrate(&vm, request, who),
            ("POST", ["monitor"]) => self.say(&vm, request, who),
            _ => Reply::error(501, &format!("Method '{}' not implemented", request.name())),
        }
    }

    fn configure(&mut self, vm: &Vm, request: &Request, who: &str) -> Reply {
        if !self.quorate {
            return Reply::error(500, "cluster not ready - no quorum?");
        }
        if request.parameter("args").is_some() && who != "root@pam" {
            return Reply::error(500, "only root can set 'args' config");
        }
        if let Some(lock) = &vm.lock
            && request.parameter("skiplock") != Some("1")
        {
            return Reply::error(500, &format!("VM is locked ({lock})"));
        }
        if request.parameter("skiplock").is_some() && who != "root@pam" {
            return Reply::parameters(&[("skiplock", "Only root may use this option.")]);
        }
        let own = self.vm(vm.vmid).expect("there");
        for (key, value) in &request.parameters {
            match key.as_str() {
                "delete" if value == "lock" => own.lock = None,
                "skiplock" => {}
                "delete" => {
                    own.config.remove(value);
                }
                _ => {
                    own.config.insert(key.clone(), value.clone());
                }
            }
        }
        if request.method == "PUT" {
            return Reply::data(&Value::Null);
        }
        let id = vm.vmid.to_string();
        let done = (vec!["TASK OK".to_owned()], "OK".to_owned());
        Reply::data(&json!(self.start_task(&vm.node, "qmconfig", &id, who, done)))
    }

    fn migrate(&mut self, vm: &Vm, request: &Request, who: &str) -> Reply {
        if let Some((key, _)) =
            request.parameters.iter().find(|(key, _)| !MIGRATE.contains(&key.as_str()))
        {
            let why = "property is not defined in schema and the schema does not allow additional properties";
            return Reply::parameters(&[(key, why)]);
        }
        let Some(target) = request.parameter("target").map(str::to_owned) else {
            return Reply::parameters(&[("target", "property is missing and it is not optional")]);
        };
        if let Some(online) = request.parameter("online").filter(|o| !["0", "1"].contains(o)) {
            let why = format!("type check ('boolean') failed - got '{online}'");
            return Reply::parameters(&[("online", &why)]);
        }
        if let Some(option) = ROOT_ONLY.iter().find(|o| request.parameter(o).is_some())
            && who != "root@pam"
        {
            return Reply::parameters(&[(option, "Only root may use this option.")]);
        }
        if let Err(reply) = self.may(who, &format!("/vms/{}", vm.vmid), "VM.Migrate") {
            return reply;
        }
        if !self.quorate {
            return Reply::error(500, "cluster not ready - no quorum?");
        }
        if target == vm.node {
            return Reply::parameters(&[("target", "target is local node.")]);
        }
        if !self.nodes.contains_key(&target) {
            return Reply::error(500, &format!("no such cluster node '{target}'"));
        }
        if let Some(lock) = &vm.lock {
            return Reply::error(500, &format!("VM is locked ({lock})"));
        }
        if request.parameter("online") != Some("1") {
            return Reply::error(500, "can't migrate running VM without --online");
        }
        // Nothing else is looked at before the task: a node that is down is found out by it.
        let script = if self.nodes[&target] {
            self.migration.clone()
        } else {
            let why = "Can't connect to destination address using public key";
            let line =
                format!("2026-11-22 09:47:20 ERROR: migration aborted (duration 00:00:04): {why}");
            (vec![line, "TASK ERROR: migration aborted".to_owned()], "migration aborted".to_owned())
        };
        let id = vm.vmid.to_string();
        let bwlimit_kib = request.parameter("bwlimit").map(|kib| kib.parse().expect("a number"));
        let own = self.facts.options["migration"]["type"].as_str();
        let secure = request.parameter("migration_type").or(own) != Some("insecure");
        let does = Does::Migrate { target: target.clone(), bwlimit_kib, secure };
        let upid = self.start_task(&vm.node, "qmigrate", &id, who, script);
        if !self.really(&upid, vm, does) {
            self.tasks.last_mut().expect("just started").moves_to = Some(target);
        }
        self.vm(vm.vmid).expect("there").lock = Some("migrate".to_owned());
        Reply::data(&json!(upid))
    }
}
