//! Looks at a VM that somebody has, as it runs: how fast it dirties its memory, and what its
//! migrations are limited by. Nothing of it is changed: QEMU compares samples of its pages.

use super::{
    call::Client,
    dirty_rate::{self, DirtyRate, LEAST_MEMORY_BYTES, Status, samples_per_gib},
    error::{Error, Fault},
    types::{VmConfig, VmStatus},
};
use crate::wait;
use serde::Serialize;
use std::{ops::ControlFlow, time::Duration};

/// For how long a VM is looked at, seconds, one time after the other: the monitor takes whole
/// seconds, up to 60.
pub const WINDOWS_S: [u64; 2] = [1, 4];
/// What a measurement takes besides its window, at most: QEMU hashes its samples twice.
const PATIENCE: Duration = Duration::from_secs(30);

/// A VM as it was seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Observed {
    /// Its id.
    pub vmid: u32,
    /// Its name.
    pub name: Option<String>,
    /// Where it is.
    pub node: String,
    /// The QEMU that runs it.
    pub qemu: Option<String>,
    /// Its memory, bytes.
    pub memory_bytes: u64,
    /// The downtime that its migrations aim at, seconds; where nothing is set Proxmox takes 0.1.
    pub migrate_downtime_s: Option<f64>,
    /// Its own cap on their speed, bytes a second.
    pub migrate_speed_bytes_s: Option<u64>,
    /// Whether HA manages it, which then migrates it when it sees fit.
    pub ha: bool,
    /// How much of its memory was dirtied in windows of time.
    pub windows: Vec<Window>,
}

/// How much memory was dirtied in a window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// How long it was, seconds.
    pub window_s: u64,
    /// Distinct memory dirtied, over the window's length, MiB a second, cut off.
    pub mib_per_s: u64,
    /// Pages that were looked at, of each GiB.
    pub sample_pages_per_gib: u64,
}

impl Client {
    /// Looks at a VM, wherever it is, for [`WINDOWS_S`].
    ///
    /// # Errors
    /// [`Fault::Privilege`] before anything is asked of it, [`Fault::Unfit`] where there is no such
    /// VM, it does not run, is being migrated, is too small, or its monitor does not do it.
    pub async fn observe(&self, vmid: u32) -> Result<Observed, Error> {
        let Some(node) = self.node_of(vmid).await? else {
            let hint = "`qm list` on each node lists those it has; a user without VM.Audit on a VM \
                        is not shown it";
            return Err(unfit(vmid, "the cluster has no such VM".to_owned(), hint));
        };
        self.may_observe(&node, vmid).await?;
        let config = self.vm_config(&node, vmid).await?;
        let status = self.vm_status(&node, vmid).await?;
        let memory_bytes = fit(vmid, &config, &status)?;
        let number = |key: &str| config.get(key).and_then(|text| text.trim().parse::<f64>().ok());
        let mut windows = Vec::new();
        for window_s in WINDOWS_S {
            windows.push(self.window(&node, vmid, window_s, samples_per_gib(memory_bytes)).await?);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole MiB a second, far below 2^44"
        )]
        let speed = number("migrate_speed").filter(|mib| *mib > 0.0).map(|mib| (mib as u64) << 20);
        Ok(Observed {
            vmid,
            name: config.get("name").map(str::to_owned),
            qemu: status.running_qemu.clone(),
            ha: status.is_ha_managed(),
            node,
            memory_bytes,
            migrate_downtime_s: number("migrate_downtime").filter(|limit| *limit > 0.0),
            migrate_speed_bytes_s: speed,
            windows,
        })
    }

    /// Whether who asks may: the first privilege that is missing is the error.
    async fn may_observe(&self, node: &str, vmid: u32) -> Result<(), Error> {
        if self.credentials().is_root() {
            return Ok(());
        }
        // Where the version is not told, Proxmox VE 9 is taken.
        let monitor = self.capabilities(node).await.map_or("Sys.Audit", |it| it.monitor_privilege);
        let own = format!("/vms/{vmid}");
        // `info` needs the monitor's privilege; all other commands Sys.Modify, on everything.
        for (path, privilege) in [(own.as_str(), "VM.Audit"), (&own, monitor), ("/", "Sys.Modify")]
        {
            let held = self.permissions(Some(path)).await?;
            if !held.has(path, privilege) {
                let fault = Fault::Privilege {
                    who: self.credentials().who().to_owned(),
                    path: path.to_owned(),
                    privileges: vec![privilege.to_owned()],
                };
                return Err(Error::new(format!("looking at VM {vmid}"), fault));
            }
        }
        Ok(())
    }

    async fn window(
        &self,
        node: &str,
        vmid: u32,
        window_s: u64,
        samples_per_gib: u64,
    ) -> Result<Window, Error> {
        let command = dirty_rate::command(window_s, samples_per_gib);
        let said = self.monitor(node, vmid, &command).await?;
        if !dirty_rate::has_begun(&said) {
            let why = format!("its monitor says to `{command}`: {}", said.trim());
            let hint = "QEMU knows `calc_dirty_rate` since 6.0 (Proxmox VE 7), and makes one \
                        measurement at a time: try again";
            return Err(unfit(vmid, why, hint));
        }
        // Nothing tells of its end.
        let asked = || async {
            match self.dirty_rate(node, vmid).await {
                Ok(rate) if rate.status == Status::Measured => ControlFlow::Break(Ok(rate)),
                Ok(rate) => ControlFlow::Continue(unexpected(node, vmid, &rate, "does not end")),
                Err(error) => ControlFlow::Break(Err(error)),
            }
        };
        let patience = Duration::from_secs(window_s) + PATIENCE;
        let rate = wait::backing_off(self.pauses(), patience, asked).await?;
        let sampled = rate.mode.as_deref().is_none_or(|mode| mode == "page-sampling");
        match (rate.mib_per_s, rate.period_s) {
            (Some(mib_per_s), Some(period)) if sampled && period == window_s => {
                let sample_pages_per_gib = rate.sample_pages_per_gib.unwrap_or(samples_per_gib);
                Ok(Window { window_s, mib_per_s, sample_pages_per_gib })
            }
            _ => Err(unexpected(node, vmid, &rate, "is not the one that was asked for")),
        }
    }

    async fn dirty_rate(&self, node: &str, vmid: u32) -> Result<DirtyRate, Error> {
        let said = self.monitor(node, vmid, "info dirty_rate").await?;
        DirtyRate::read(&said).map_err(|error| {
            let asked = format!("POST /nodes/{node}/qemu/{vmid}/monitor");
            Error::new(asked, Fault::Unexpected { why: error.to_string() })
        })
    }
}

fn unexpected(node: &str, vmid: u32, rate: &DirtyRate, what: &str) -> Error {
    let asked = format!("POST /nodes/{node}/qemu/{vmid}/monitor");
    Error::new(asked, Fault::Unexpected { why: format!("a measurement that {what}: {rate:?}") })
}

fn unfit(vmid: u32, why: String, hint: &'static str) -> Error {
    Error::new(format!("looking at VM {vmid}"), Fault::Unfit { vmid, why, hint })
}

/// The VM's memory, bytes, where it can be looked at.
fn fit(vmid: u32, config: &VmConfig, status: &VmStatus) -> Result<u64, Error> {
    let state = status.qmpstatus.as_deref().unwrap_or("running");
    if !status.is_running() || state != "running" {
        let word = if status.is_running() { state } else { &status.status };
        let hint = "start it, or resume it: only what runs can be looked at";
        return Err(unfit(vmid, format!("it does not run ({word})"), hint));
    }
    if config.lock() == Some("migrate") || status.lock.as_deref() == Some("migrate") {
        let hint = "wait until it is there, and try again";
        return Err(unfit(vmid, "it is being migrated".to_owned(), hint));
    }
    match config.memory_bytes() {
        Some(bytes) if bytes >= LEAST_MEMORY_BYTES => Ok(bytes),
        Some(bytes) => {
            let why = format!("of its {} MiB of memory QEMU takes no samples", bytes >> 20);
            Err(unfit(vmid, why, "QEMU does so from 128 MiB on"))
        }
        None => {
            let hint = "see `memory` in its configuration";
            Err(unfit(vmid, "its memory is not told".to_owned(), hint))
        }
    }
}
