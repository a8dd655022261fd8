//! Tasks of the double: they go on when they are looked at, so that no test depends on time.

use super::{
    request::{Reply, Request},
    world::{Listing, World},
};
use serde_json::{Value, json};

/// A task.
#[derive(Clone, Debug)]
pub struct Task {
    pub upid: String,
    pub node: String,
    pub kind: String,
    pub id: String,
    pub log: Vec<String>,
    /// Lines that have been written.
    pub written: usize,
    /// How it will have ended.
    pub exit: String,
    pub ended: bool,
    /// It goes on by itself, and not when it is looked at.
    pub is_real: bool,
    /// It was told to end.
    pub signalled: bool,
    /// Where its VM goes if it ends well.
    pub moves_to: Option<String>,
}

/// Proxmox's default.
const LIMIT: usize = 50;

impl World {
    /// Starts a task and gives its name, as an answer.
    pub fn start_task(
        &mut self,
        node: &str,
        kind: &str,
        id: &str,
        user: &str,
        (log, exit): (Vec<String>, String),
    ) -> String {
        let number = self.number();
        let start = 0x6B02_B900 + number;
        let upid = format!("UPID:{node}:{number:08X}:{number:08X}:{start:08X}:{kind}:{id}:{user}:");
        self.tasks.push(Task {
            upid: upid.clone(),
            node: node.to_owned(),
            kind: kind.to_owned(),
            id: id.to_owned(),
            log,
            written: 0,
            exit,
            ended: false,
            is_real: false,
            signalled: false,
            moves_to: None,
        });
        upid
    }

    fn real_task(&mut self, upid: &str) -> &mut Task {
        self.tasks.iter_mut().find(|task| task.upid == upid).expect("a task")
    }

    /// What a task that goes on by itself writes.
    pub(super) fn write_line(&mut self, upid: &str, line: String) {
        let task = self.real_task(upid);
        task.log.push(line);
        task.written = task.log.len();
    }

    pub(super) fn end_task(&mut self, upid: &str, last: Option<String>, exit: String) {
        if let Some(last) = last {
            self.write_line(upid, last);
        }
        let task = self.real_task(upid);
        (task.exit, task.ended) = (exit, true);
    }

    pub(super) fn is_signalled(&mut self, upid: &str) -> bool {
        self.real_task(upid).signalled
    }

    /// One look later.
    fn go_on(&mut self, upid: &str) {
        let lines = self.lines_a_look;
        let Some(task) = self.tasks.iter_mut().find(|task| task.upid == upid) else { return };
        if task.is_real {
            return;
        }
        task.written = task.written.saturating_add(lines).min(task.log.len());
        if task.written < task.log.len() || task.ended {
            return;
        }
        task.ended = true;
        let (good, to) =
            (task.exit == "OK" || task.exit.starts_with("WARNINGS"), task.moves_to.clone());
        let id = task.id.parse().unwrap_or(0);
        let leaves_lock = self.leaves_lock;
        if let Some(vm) = self.vm(id) {
            vm.lock = vm.lock.take().filter(|_| leaves_lock);
            if let (true, Some(to)) = (good, to) {
                vm.node = to;
            }
        }
    }

    pub(super) fn list_tasks(&self, node: Option<&str>, request: &Request) -> Reply {
        let times =
            self.asked.iter().filter(|r| r.method == "POST" && r.path.ends_with("/migrate"));
        match (self.listing, times.count()) {
            (Listing::EmptyUntil(n), times) if times < n => return Reply::data(&json!([])),
            (Listing::BrokenFrom(n), times) if times >= n => {
                return Reply::error(500, "something is broken");
            }
            _ => {}
        }
        // Only those that have ended, unless all are asked for; a cluster's list has all.
        let all = node.is_none() || request.parameter("source") == Some("all");
        let limit = request.parameter("limit").map_or(LIMIT, |n| n.parse().expect("a number"));
        let wanted = |task: &&Task| {
            (all || task.ended)
                && node.is_none_or(|node| task.node == node)
                && request.parameter("typefilter").is_none_or(|kind| task.kind == kind)
                && request.parameter("vmid").is_none_or(|id| task.id == id)
        };
        let entries = self.tasks.iter().rev().filter(wanted).take(limit).map(|task| {
            let mut entry =
                json!({"upid": task.upid, "node": task.node, "type": task.kind, "id": task.id});
            if task.ended {
                entry["status"] = json!(task.exit);
                entry["endtime"] = json!(1_795_340_900);
            } else if node.is_some() {
                entry["status"] = json!("RUNNING");
            }
            entry
        });
        Reply::data(&Value::Array(entries.collect()))
    }

    /// `/nodes/{node}/tasks/{upid}…`
    pub(super) fn task(&mut self, node: &str, upid: &str, what: &str, request: &Request) -> Reply {
        if !upid.starts_with("UPID:") || upid.split(':').count() != 9 {
            return Reply::parameters(&[("upid", "unable to parse worker upid")]);
        }
        let known = self.tasks.iter().any(|task| task.upid == upid && task.node == node);
        match (request.method.as_str(), what, known) {
            ("GET", "log", false) => {
                let t = "unable to open file - No such file or directory";
                Reply::json(200, "OK", json!({"data": [{"n": 1, "t": t}], "total": 1}))
            }
            (_, _, false) => Reply::parameters(&[("upid", "no such task")]),
            ("GET", "status", true) => {
                self.go_on(upid);
                self.task_status(upid)
            }
            ("GET", "log", true) => self.task_log(upid, request),
            ("DELETE", "", true) => {
                let task = self.tasks.iter_mut().find(|task| task.upid == upid).expect("known");
                task.signalled = true;
                if !task.ended && !task.is_real {
                    task.log.truncate(task.written);
                    task.log.push("TASK ERROR: migration problems".to_owned());
                    task.exit = "migration problems".to_owned();
                }
                Reply::data(&Value::Null)
            }
            _ => Reply::error(501, "Method not implemented"),
        }
    }

    fn task_status(&self, upid: &str) -> Reply {
        let task = self.tasks.iter().find(|task| task.upid == upid).expect("known");
        let mut status = json!({"upid": task.upid, "node": task.node, "pid": 804, "type": task.kind,
            "id": task.id, "status": "running"});
        if task.ended {
            status["status"] = json!("stopped");
            status["exitstatus"] = json!(task.exit);
        }
        Reply::data(&status)
    }

    fn task_log(&self, upid: &str, request: &Request) -> Reply {
        let task = self.tasks.iter().find(|task| task.upid == upid).expect("known");
        let number = |name, default| {
            request.parameter(name).map_or(default, |n: &str| n.parse().expect("a number"))
        };
        let (start, limit) = (number("start", 0), number("limit", LIMIT));
        let limit = if limit == 0 { usize::MAX } else { limit };
        let lines = task.log[..task.written].iter().enumerate().skip(start).take(limit);
        let mut lines: Vec<Value> = lines.map(|(n, t)| json!({"n": n + 1, "t": t})).collect();
        if task.written == 0 {
            lines.push(json!({"n": 1, "t": "no content"}));
        }
        // Counted only where there is something; Perl sends it as it likes.
        Reply::json(200, "OK", json!({"data": lines, "total": task.written.to_string()}))
    }
}
