//! Making, starting, stopping and removing VMs of the double.

use super::{
    real::{Does, Pending},
    request::{Reply, Request},
    vms::Vm,
    world::World,
};
use lab::hypervisor::qemu::Qmp;
use serde_json::json;
use std::sync::Arc;

fn done() -> (Vec<String>, String) {
    (vec!["TASK OK".to_owned()], "OK".to_owned())
}

impl World {
    pub(super) fn create(&mut self, node: &str, request: &Request, who: &str) -> Reply {
        let id = request.parameter("vmid").expect("an id").to_owned();
        if request.parameter("args").is_some() && who != "root@pam" {
            return Reply::error(500, "only root can set 'args' config");
        }
        if let Err(reply) = self.may_create(who, &id, request) {
            return reply;
        }
        let vmid = id.parse().expect("a number");
        if let Some(vm) = self.vm(vmid) {
            let why =
                format!("unable to create VM {id} - VM {id} already exists on node '{}'", vm.node);
            return Reply::error(500, &why);
        }
        let there = request.parameters.iter().filter(|(key, _)| key != "vmid").cloned();
        let config = there.collect();
        self.vms.push(Vm { config, running: false, ..Vm::new(vmid, node) });
        Reply::data(&json!(self.start_task(node, "qmcreate", &id, who, done())))
    }

    pub(super) fn destroy(&mut self, node: &str, id: &str, who: &str) -> Reply {
        if let Err(reply) = self.may_act(who, id, &[]) {
            return reply;
        }
        let at = self.vms.iter().position(|vm| vm.vmid.to_string() == id && vm.node == node);
        let Some(at) = at else {
            let file = format!("nodes/{node}/qemu-server/{id}.conf");
            return Reply::error(500, &format!("Configuration file '{file}' does not exist"));
        };
        if let Some(lock) = &self.vms[at].lock {
            return Reply::error(500, &format!("VM is locked ({lock})"));
        }
        if self.vms[at].running {
            return Reply::error(500, &format!("VM {id} is running - destroy failed"));
        }
        self.vms.remove(at);
        Reply::data(&json!(self.start_task(node, "qmdestroy", id, who, done())))
    }

    /// `status/start`, `status/stop`, `status/resume`.
    pub(super) fn act(&mut self, vm: &Vm, what: &str, request: &Request, who: &str) -> Reply {
        if let Some(lock) = &vm.lock
            && request.parameter("skiplock") != Some("1")
        {
            return Reply::error(500, &format!("VM is locked ({lock})"));
        }
        let id = vm.vmid.to_string();
        let upid = self.start_task(&vm.node, &format!("qm{what}"), &id, who, done());
        let own = self.vm(vm.vmid).expect("there");
        match what {
            "start" => own.running = true,
            "stop" => own.running = false,
            "resume" => own.qmpstatus = "running".to_owned(),
            _ => panic!("{what}"),
        }
        let _by_itself = match what {
            "start" => self.really(&upid, vm, Does::Start),
            "stop" => self.really(&upid, vm, Does::Stop),
            _ => false,
        };
        Reply::data(&json!(upid))
    }

    /// Where true QEMUs run VMs, a task does something with one. Gives whether they do.
    pub(super) fn really(&mut self, upid: &str, vm: &Vm, does: Does) -> bool {
        if self.real.is_none() {
            return false;
        }
        let task = self.tasks.iter_mut().find(|task| task.upid == upid).expect("just started");
        (task.is_real, task.log) = (true, Vec::new());
        let (vmid, node) = (vm.vmid, vm.node.clone());
        self.pending.push(Pending { upid: upid.to_owned(), vmid, node, does });
        true
    }

    /// The VM that a call asks for its state, with the QEMU that knows it.
    pub(super) fn status_of(&mut self, request: &Request) -> Option<(u32, Arc<Qmp>)> {
        let parts = request.parts();
        let [_, node, _, vmid, "status", "current"] =
            &parts.iter().map(String::as_str).collect::<Vec<_>>()[..]
        else {
            return None;
        };
        let vmid = vmid.parse().ok()?;
        let qemu = self.real.as_ref()?.running.get(&((*node).to_owned(), vmid))?;
        Some((vmid, Arc::clone(&qemu.qmp)))
    }

    /// The QEMU whose monitor a call talks to, and what it says.
    pub(super) fn monitor_of(&mut self, request: &Request) -> Option<(Arc<Qmp>, String)> {
        let parts = request.parts();
        let [_, node, _, vmid, what] = &parts[..] else { return None };
        let vmid = vmid.parse().ok().filter(|_| what == "monitor")?;
        self.vm(vmid).filter(|vm| vm.node == *node)?;
        let who = self.who(request).ok()?;
        self.may_act(&who, &vmid.to_string(), &["monitor"]).ok()?;
        let qemu = self.real.as_ref()?.running.get(&(node.clone(), vmid))?;
        Some((Arc::clone(&qemu.qmp), request.parameter("command")?.to_owned()))
    }
}
