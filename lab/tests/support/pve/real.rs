//! What Proxmox does with a VM where true QEMUs run it.

use super::{
    qemu::{Qemu, capabilities},
    server::Shared,
};
use lab::hypervisor::qemu::Qmp;
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::interval;

/// Something that a task does, after the call that began it was answered.
#[derive(Clone, Debug)]
pub struct Pending {
    pub upid: String,
    pub vmid: u32,
    pub node: String,
    pub does: Does,
}

#[derive(Clone, Debug)]
pub enum Does {
    Start,
    Stop,
    /// `bwlimit_kib`: the request's own limit; 0 is none.
    Migrate {
        target: String,
        bwlimit_kib: Option<f64>,
        secure: bool,
    },
}

/// How the task of a worker ends that was killed.
const KILLED: &str = "unexpected status";

/// From one command of Proxmox to the next: it connects anew for each.
const RECONNECT: Duration = Duration::from_millis(30);

pub async fn carry_out(shared: Arc<Shared>, pending: Pending) {
    let Pending { upid, vmid, node, does } = pending;
    let exit = match does {
        Does::Start => start(&shared, &node, vmid, false).await,
        Does::Stop => {
            let real = |qemus: &mut super::qemu::Real| qemus.running.remove(&(node.clone(), vmid));
            drop(shared.world().real.as_mut().map(real));
            Ok(())
        }
        Does::Migrate { target, bwlimit_kib, secure } => {
            let mut migration = Migration {
                shared: &shared,
                upid: upid.clone(),
                vmid,
                source: node,
                target,
                bwlimit_kib,
                secure,
                began: Instant::now(),
            };
            migration.run().await
        }
    };
    let exit = exit.err().unwrap_or_else(|| "OK".to_owned());
    let last = match &*exit {
        "OK" => Some("TASK OK".to_owned()),
        KILLED => None,
        _ => Some(format!("TASK ERROR: {exit}")),
    };
    shared.world().end_task(&upid, last, exit);
}

async fn start(shared: &Shared, node: &str, vmid: u32, incoming: bool) -> Result<(), String> {
    let command = {
        let mut world = shared.world();
        let config = world.vm(vmid).expect("a VM").config.clone();
        world.real.as_ref().expect("true QEMUs").command(node, &config, incoming)
    };
    let qemu = Qemu::start(command).await.map_err(|words| format!("start failed: {words}"))?;
    let mut world = shared.world();
    let real = world.real.as_mut().expect("true QEMUs");
    real.running.insert((node.to_owned(), vmid), qemu);
    Ok(())
}

struct Migration<'a> {
    shared: &'a Shared,
    upid: String,
    vmid: u32,
    source: String,
    target: String,
    bwlimit_kib: Option<f64>,
    secure: bool,
    began: Instant,
}

impl Migration<'_> {
    fn log(&self, text: &str) {
        let s = self.began.elapsed().as_secs();
        let stamp = format!("2026-11-22 10:{:02}:{:02}", s / 60, s % 60);
        self.shared.world().write_line(&self.upid, format!("{stamp} {text}"));
    }

    fn qmp(&self, node: &str) -> Arc<Qmp> {
        let world = self.shared.world();
        let real = world.real.as_ref().expect("true QEMUs");
        Arc::clone(&real.running[&(node.to_owned(), self.vmid)].qmp)
    }

    async fn ask(&self, node: &str, command: &str, arguments: Value) -> Result<Value, String> {
        // The first tick comes at once.
        let mut reconnect = interval(RECONNECT);
        reconnect.tick().await;
        reconnect.tick().await;
        let answer = self.qmp(node).ask(command, arguments).await;
        answer.map_err(|error| format!("{error:#}"))
    }

    fn quit(&self, node: &str) {
        let mut world = self.shared.world();
        let real = world.real.as_mut().expect("true QEMUs");
        drop(real.running.remove(&(node.to_owned(), self.vmid)));
    }

    async fn run(&mut self) -> Result<(), String> {
        let ended = self.phases().await;
        let duration = |s: u64| format!("(duration 00:{:02}:{:02})", s / 60, s % 60);
        match ended {
            Ok(()) => {
                self.ask(&self.target, "cont", Value::Null).await.expect("resumed");
                self.quit(&self.source);
                let took = duration(self.began.elapsed().as_secs());
                self.log(&format!("migration finished successfully {took}"));
                Ok(())
            }
            // It takes nothing back.
            Err(why) if why == KILLED => Err(why),
            Err(why) => {
                self.log(&format!("ERROR: online migrate failure - {why}"));
                self.log("aborting phase 2 - cleanup resources");
                self.log("migrate_cancel");
                let _idle = self.ask(&self.source, "migrate_cancel", Value::Null).await;
                self.quit(&self.target);
                self.shared.world().vm(self.vmid).expect("a VM").lock = None;
                let took = duration(self.began.elapsed().as_secs());
                self.log(&format!("ERROR: migration finished with problems {took}"));
                Err("migration problems".to_owned())
            }
        }
    }

    async fn phases(&self) -> Result<(), String> {
        let (vmid, target) = (self.vmid, self.target.clone());
        self.log(&format!("starting migration of VM {vmid} to node '{target}' (127.0.0.1)"));
        self.log(&format!("starting VM {vmid} on remote node '{target}'"));
        let twin = (target.clone(), vmid);
        if self.shared.world().real.as_ref().is_some_and(|real| real.running.contains_key(&twin)) {
            self.log(&format!("[{target}] VM {vmid} already running"));
            return Err("remote command failed with exit code 255".to_owned());
        }
        start(self.shared, &target, vmid, true).await?;
        let uri = {
            let world = self.shared.world();
            world.real.as_ref().expect("true QEMUs").uri(vmid, &target, self.secure)
        };
        self.ask(&target, "migrate-set-capabilities", capabilities()).await?;
        self.ask(&target, "migrate-incoming", json!({"uri": uri})).await?;
        self.log("start remote tunnel");
        self.log("ssh tunnel ver 1");
        self.log(&format!("starting online/live migration on {uri}"));
        self.log("set migration capabilities");
        self.ask(&self.source, "migrate-set-capabilities", capabilities()).await?;
        let number = |key: &str| -> Option<f64> {
            let mut world = self.shared.world();
            world.vm(vmid)?.config.get(key)?.parse().ok()
        };
        // The lower one counts.
        let limits = [number("migrate_speed"), self.bwlimit_kib.map(|kib| kib / 1024.0)];
        let limits = limits.into_iter().flatten().filter(|mib| *mib > 0.0);
        let speed_mib = limits.reduce(f64::min);
        if let Some(speed) = speed_mib {
            self.log(&format!("migration speed limit: {speed:.1} MiB/s"));
        }
        let bytes = speed_mib.map_or(16e9, |mib| mib * 1048576.0);
        let mut limit_ms = number("migrate_downtime").unwrap_or(0.1) * 1000.0;
        self.log(&format!("migration downtime limit: {limit_ms} ms"));
        self.log("migration cachesize: 8.0 MiB");
        self.log("set migration parameters");
        let parameters = json!({"max-bandwidth": bytes as u64, "downtime-limit": limit_ms as u64,
            "xbzrle-cache-size": 8 << 20});
        self.ask(&self.source, "migrate-set-parameters", parameters).await?;
        self.log(&format!("start migrate command to {uri}"));
        self.ask(&self.source, "migrate", json!({"uri": uri})).await?;
        self.poll(&mut limit_ms).await?;
        self.shared.world().vm(vmid).expect("a VM").node = target;
        self.shared.world().vm(vmid).expect("a VM").lock = None;
        Ok(())
    }

    async fn poll(&self, limit_ms: &mut f64) -> Result<(), String> {
        let mut polls = interval(Duration::from_secs(1));
        polls.tick().await;
        let (mut hurries, mut count, mut grew) = (false, 0, 0);
        let (mut transferred, mut remaining) = (0, u64::MAX);
        loop {
            polls.tick().await;
            if self.shared.world().is_signalled(&self.upid) {
                return Err("interrupted by signal".to_owned());
            }
            let stat = self.qmp(&self.source).ask("query-migrate", Value::Null).await;
            let stat = stat.map_err(|error| format!("{error:#}"))?;
            let is_killed =
                self.shared.world().kills_worker_at.take_if(|at| stat["status"] == **at).is_some();
            if is_killed {
                return Err(KILLED.to_owned());
            }
            let of_ram = |key: &str| stat["ram"][key].as_u64().unwrap_or(0);
            let mib = |bytes: u64| bytes as f64 / 1048576.0;
            let sent = of_ram("transferred");
            match stat["status"].as_str().unwrap_or_default() {
                "completed" => {
                    let (total, downtime) = (mib(of_ram("total")), &stat["downtime"]);
                    self.log(&format!(
                        "average migration speed: {total:.1} MiB/s - downtime {downtime} ms"
                    ));
                    let sent = mib(sent);
                    self.log(&format!("migration completed, transferred {sent:.1} MiB VM-state"));
                    self.log("migration status: completed");
                    return Ok(());
                }
                status @ ("cancelled" | "failed") => {
                    self.log(&format!("migration status error: {status}"));
                    return Err("aborting".to_owned());
                }
                _ if sent == transferred => continue,
                _ => {}
            }
            count += 1;
            let (left, before) = (of_ram("remaining"), transferred);
            if !hurries && left < before / count {
                hurries = true;
                polls = interval(Duration::from_millis(100));
                polls.tick().await;
            }
            if !hurries || count % 10 == 0 {
                let (sent, total) = (mib(sent), mib(of_ram("total")));
                self.log(&format!(
                    "migration active, transferred {sent:.1} MiB of {total:.1} MiB VM-state, 1.0 MiB/s"
                ));
            }
            grew += u32::from(left > remaining || left == 0);
            (transferred, remaining) = (sent, left);
            if grew > 5 {
                (grew, *limit_ms) = (0, *limit_ms * 2.0);
                self.log(&format!("auto-increased downtime to continue migration: {limit_ms} ms"));
                let limit = json!({"downtime-limit": *limit_ms as u64});
                self.ask(&self.source, "migrate-set-parameters", limit).await?;
            }
        }
    }
}
