//! What came of a migration.

use crate::hypervisor::{
    proxmox::{
        migration_log::{self, MigrationLog},
        tasks::{Ended, Exit},
        upid::Upid,
    },
    qemu::migration::{self, End, Side, SideEvent},
};
use serde_json::Value;

/// A migration that was begun. Times are seconds since it was asked for, by this machine's clock;
/// those of events are QEMU's stamps until [`migration::MigrationLog::correct`] is told how the
/// nodes' clocks differ.
#[derive(Clone, Debug)]
pub struct Migration {
    /// The task.
    pub upid: Upid,
    /// When Proxmox had answered that it would.
    pub answered_s: f64,
    /// When the task was seen to have ended.
    pub ended_s: f64,
    /// How the task ended; `None` when it could not be followed to its end.
    pub exit: Option<Exit>,
    /// The task's log, as Proxmox wrote it.
    pub lines: Vec<String>,
    /// What that says.
    pub task: MigrationLog,
    /// What both QEMUs said, as of plain QEMU, and how it ended: by where the VM is.
    pub log: migration::MigrationLog,
    /// The node that the VM is on now, by its configuration; `None` when nobody could tell.
    pub node: Option<String>,
    /// What both QEMUs said was in force while they migrated: answers to
    /// `query-migrate-capabilities`.
    pub capabilities: Vec<(Side, Value)>,
    /// What locks the VM although the task has ended: it was killed. [`super::super::guest::free`]
    /// is the way back.
    pub left_locked: Option<String>,
    /// What could not be watched or done, and why.
    pub troubles: Vec<String>,
}

impl Migration {
    /// When QEMU began, by its own count of the time since: the sample that was taken first after.
    #[must_use]
    pub fn began_s(&self) -> Option<f64> {
        let timed = |sample: &migration::Sample| {
            let total_ms = sample.raw["total-time"].as_f64()?;
            (sample.raw["status"] != "completed").then_some(sample.at_s - total_ms / 1e3)
        };
        self.log.samples.iter().find_map(timed)
    }

    /// When the source stopped the guest.
    #[must_use]
    pub fn stop_s(&self) -> Option<f64> {
        self.log.event_s(Side::Source, "STOP")
    }

    /// When the source's QEMU was done: by its event, else by the first answer that says so.
    #[must_use]
    pub fn completed_s(&self) -> Option<f64> {
        let is_it = |event: &&SideEvent| {
            event.side == Side::Source
                && event.event.name == "MIGRATION"
                && event.event.data["status"] == "completed"
        };
        let event = self.log.events.iter().find(is_it).map(|event| event.at_s);
        let sampled = || {
            let done = self.log.samples.iter().find(|sample| sample.raw["status"] == "completed");
            done.map(|sample| sample.at_s)
        };
        event.or_else(sampled)
    }

    /// When the target let the guest run.
    #[must_use]
    pub fn resume_s(&self) -> Option<f64> {
        self.log.event_s(Side::Target, "RESUME")
    }

    /// What Proxmox adds after QEMU is done, seconds: until it has looked, moved the
    /// configuration and sent its word to the target.
    #[must_use]
    pub fn after_completed_s(&self) -> Option<f64> {
        Some(self.resume_s()? - self.completed_s()?)
    }
}

/// How it ended: where the VM is decides, then what was asked, then what Proxmox wrote.
pub(super) fn end(
    ended: &Result<Ended, String>,
    task: &MigrationLog,
    has_moved: bool,
    gave_up: bool,
    last: Value,
) -> End {
    let failed = |words: Option<String>, or: &str| End::Failed(words.unwrap_or(or.to_owned()));
    match ended {
        Err(words) => End::Failed(words.clone()),
        Ok(_) if has_moved => End::Completed(last),
        Ok(_) if gave_up => End::TimedOut(last),
        Ok(_) if task.was_cancelled() => End::Cancelled,
        Ok(ended) => match task.outcome {
            migration_log::Outcome::Completed => {
                failed(None, "Proxmox says that it is done, and the VM is not on the target")
            }
            _ => {
                let words = task.why().map(|why| match task.remedy() {
                    Some(remedy) => format!("{why}\n\nhint: {remedy}"),
                    None => why,
                });
                failed(words, &ended.exit.to_string())
            }
        },
    }
}
