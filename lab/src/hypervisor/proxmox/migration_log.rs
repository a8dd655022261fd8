//! What the log of a migration task (`qmigrate`) says, to its last line.
//!
//! Its figures are Proxmox's own and are kept as what they are: sizes are rounded to a tenth of
//! their unit, "downtime" is QEMU's and ends before the guest runs again, "average migration
//! speed" is the guest's whole memory over whole seconds and not what was sent.
//!
//! Both eras are read: since `qemu-server` 8.3.9 a line says how much was transferred in the end;
//! before, the last line of progress is all there is.

mod civil;
mod line;
mod remedy;
mod size;

pub use line::{Average, Mirror, Progress, Xbzrle};
pub use size::Size;

use super::tasks::Exit;
use line::Line;
use serde::Serialize;

/// A migration as its task's log tells it. Times are seconds since the log's first stamped line,
/// by the source's clock, in whole seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MigrationLog {
    /// How it ended.
    pub outcome: Outcome,
    /// The log's first stamp, as it is written: local time of the source, without a zone.
    pub began: Option<String>,
    /// When the last stamped line was written.
    pub last_s: Option<i64>,
    /// How long it took by Proxmox's own account, preparation and clean-up included.
    pub duration_s: Option<u64>,
    /// The node it goes to.
    pub target: Option<String>,
    /// The target's address for its traffic.
    pub address: Option<String>,
    /// Whether that is of a network that was chosen for migrations.
    pub dedicated_network: bool,
    /// Where the memory goes: `tcp:…` as it is, `unix:…` through SSH. None: not online.
    pub uri: Option<String>,
    /// When `migrate` was asked of QEMU.
    pub migrate_s: Option<i64>,
    /// Proxmox's cap on the speed, per second; none is 16 GiB/s.
    pub speed_limit: Option<Size>,
    /// The downtime limit it began with, ms.
    pub downtime_limit_ms: Option<f64>,
    /// Each doubling of it.
    pub increases: Vec<Increase>,
    /// The highest limit was reached: Proxmox raises it no further.
    pub capped_limit: bool,
    /// XBZRLE's cache.
    pub cache: Option<Size>,
    /// Every line of progress.
    pub progress: Vec<At<Progress>>,
    /// Every line about XBZRLE.
    pub xbzrle: Vec<At<Xbzrle>>,
    /// Every line about local disks that are mirrored.
    pub mirrors: Vec<Mirror>,
    /// What Proxmox calls average speed and downtime.
    pub average: Option<Average>,
    /// When QEMU's `completed` was seen.
    pub completed_s: Option<i64>,
    /// What was sent of the guest's state.
    pub transferred: Option<Transferred>,
    /// Lines that Proxmox marked as errors, and how QEMU said that it failed.
    pub errors: Vec<String>,
    /// What the target's node said.
    pub remote: Vec<String>,
    /// The task's last line.
    pub task: Option<Exit>,
    /// Lines that say nothing of the above.
    pub other: Vec<String>,
}

/// How a migration ended by its log. Where the guest is must be asked for all the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// `finished successfully`.
    Completed,
    /// `finished with problems`: it had begun to move the guest, and may even have.
    Problems,
    /// `aborted`, or the task failed before it began: nothing was moved.
    Aborted,
    /// The log ends without a last word: it runs, or was killed.
    #[default]
    Unfinished,
}

/// Something at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct At<T> {
    /// Seconds since the first stamped line.
    pub s: i64,
    /// What.
    pub is: T,
}

/// The downtime limit was doubled.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Increase {
    /// Seconds since the first stamped line.
    pub s: i64,
    /// To this, ms.
    pub limit_ms: f64,
}

/// What was sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Transferred {
    /// Of the guest's memory and devices.
    pub state: Size,
    /// Of devices handed through (VFIO), counted apart.
    pub vfio: Option<Size>,
    /// Whether it is all; else it is what had been sent when progress was last written.
    pub is_all: bool,
}

impl MigrationLog {
    /// Reads the lines of a task's log, in order.
    pub fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut log = Self::default();
        let mut began = None;
        for text in lines {
            let (stamp, is_error, text) = line::unstamped(text.trim_end());
            if let Some((seconds, stamp)) = stamp {
                let began = *began.get_or_insert(seconds);
                log.began.get_or_insert_with(|| stamp.to_owned());
                log.last_s = Some(seconds - began);
            }
            // A line without a stamp follows the one before it.
            let s = log.last_s.unwrap_or(0);
            log.take(s, is_error, text);
        }
        log.conclude();
        log
    }

    fn take(&mut self, s: i64, is_error: bool, text: &str) {
        let own = text.to_owned();
        match Line::of(text) {
            Line::DedicatedNetwork => self.dedicated_network = true,
            Line::Starting { target, address } => {
                self.target = Some(target.to_owned());
                self.address = Some(address.to_owned());
            }
            Line::Migrate(uri) => {
                self.uri = Some(uri.to_owned());
                self.migrate_s = Some(s);
            }
            Line::SpeedLimit(limit) => self.speed_limit = Some(limit),
            Line::DowntimeLimit(ms) => self.downtime_limit_ms = Some(ms),
            Line::Increase(limit_ms) => self.increases.push(Increase { s, limit_ms }),
            Line::Capped => self.capped_limit = true,
            Line::Cache(size) => self.cache = Some(size),
            Line::Progress(progress) => self.progress.push(At { s, is: progress }),
            Line::Xbzrle(xbzrle) => self.xbzrle.push(At { s, is: xbzrle }),
            Line::Mirror(mirror) => self.mirrors.push(mirror),
            Line::Average(average) => self.average = Some(average),
            Line::Completed => self.completed_s = Some(s),
            Line::Final { state, vfio } => {
                self.transferred = Some(Transferred { state, vfio, is_all: true });
            }
            Line::StatusError => self.errors.push(own),
            Line::End { outcome, duration_s, why } => {
                self.outcome = outcome;
                self.duration_s = Some(duration_s);
                // Mostly an error that was written before.
                let why = why.filter(|why| self.errors.iter().all(|error| error != why));
                self.errors.extend(why.map(str::to_owned));
            }
            Line::Task(exit) => self.task = Some(exit),
            Line::Remote => self.remote.push(own),
            Line::Step => {}
            Line::Other if is_error => self.errors.push(own),
            Line::Other => self.other.push(own),
        }
    }

    fn conclude(&mut self) {
        if self.transferred.is_none() {
            self.transferred = self.progress.last().map(|last| Transferred {
                state: last.is.transferred,
                vfio: last.is.vfio,
                is_all: false,
            });
        }
        let failed = matches!(self.task, Some(Exit::Failed(_)));
        if self.outcome == Outcome::Unfinished && failed {
            self.outcome = Outcome::Aborted;
        }
    }

    /// The downtime limit that was in force last, ms.
    #[must_use]
    pub fn last_limit_ms(&self) -> Option<f64> {
        self.increases.last().map(|increase| increase.limit_ms).or(self.downtime_limit_ms)
    }

    /// Whether somebody ended it: the task was signalled, or the migration cancelled in QEMU.
    #[must_use]
    pub fn was_cancelled(&self) -> bool {
        let cancels = ["interrupted by signal", "migration status error: cancelled"];
        self.errors.iter().any(|error| cancels.iter().any(|words| error.contains(words)))
    }

    /// Why it did not complete, in Proxmox's words: the most telling ones first.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        if self.outcome == Outcome::Completed {
            return None;
        }
        let told = self.other.iter().filter(|text| {
            ["can't ", "could not ", "ssh: ", "unable to "]
                .iter()
                .any(|start| text.starts_with(start))
        });
        let mut words: Vec<&str> = Vec::new();
        for text in self.remote.iter().chain(told).chain(&self.errors).map(String::as_str) {
            if !words.contains(&text) {
                words.push(text);
            }
        }
        if let (true, Some(Exit::Failed(exit))) = (words.is_empty(), &self.task) {
            words.push(exit);
        }
        (!words.is_empty()).then(|| words.join("; "))
    }
}
