//! What one trial has seen: raw, and whatever of it there is when the trial ends early.

use super::{gate::Opened, witness::Beat};
use crate::settings::Settings;
use lab::hypervisor::qemu::migration::MigrationLog;
use std::time::Duration;
use wire::{Layout, State, Verification};

/// The raw material of a record.
#[derive(Clone, Debug)]
pub struct Observed {
    /// What the trial was told to do.
    pub settings: Settings,
    /// What the guest was asked for: one beat each.
    pub heartbeat_interval: Duration,
    /// The guest's memory, once it has told.
    pub layout: Option<Layout>,
    /// All beats.
    pub beats: Vec<Beat>,
    /// The gate's window, as indexes into `beats`.
    pub gate: Option<Opened>,
    /// The migration.
    pub migration: Option<MigrationLog>,
    /// Seconds from when `migrate` was asked to its end, whatever the end was.
    pub migration_s: f64,
    /// Wall clock less monotonic clock of the witness, nanoseconds.
    pub witness_wall_offset_ns: i128,
    /// Bytes the source's migration link had sent before and after.
    pub wire_bytes: Option<(u64, u64)>,
    /// What the guest found when it checked its memory.
    pub verification: Option<Verification>,
}

impl Observed {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(settings: Settings, heartbeat_interval: Duration) -> Self {
        Self {
            settings,
            heartbeat_interval,
            layout: None,
            beats: Vec::new(),
            gate: None,
            migration: None,
            migration_s: 0.0,
            witness_wall_offset_ns: 0,
            wire_bytes: None,
            verification: None,
        }
    }

    /// Index of the first beat that came this many seconds after `migrate` was asked, or later.
    /// The witness's clock is converted through its wall clock, which is QEMU's on this lab.
    #[must_use]
    pub fn beat_at(&self, at_s: f64) -> Option<usize> {
        let asked_wall_ns = i128::try_from(self.migration.as_ref()?.asked_wall_ns).ok()?;
        #[expect(clippy::cast_possible_truncation, reason = "a migration's nanoseconds fit")]
        let since_ns = (at_s * 1e9) as i128;
        let observer_ns = asked_wall_ns + since_ns - self.witness_wall_offset_ns;
        Some(self.beats.partition_point(|beat| i128::from(beat.observer_ns) < observer_ns))
    }

    /// Touches that the witness had seen and that a later beat, or the verification, no longer
    /// knew of. Anything but 0 means that memory was lost together with its bookkeeping.
    #[must_use]
    pub fn counter_behind(&self) -> u64 {
        let steady = self.beats.iter().filter(|beat| beat.state == State::Steady);
        let last = self.verification.map(|verification| verification.pages_written);
        behind(steady.map(|beat| beat.pages_written).chain(last))
    }

    /// Disk writes that the witness had seen acknowledged and that a later beat, or the
    /// verification, no longer knew of.
    #[must_use]
    pub fn disk_counter_behind(&self) -> u64 {
        let last = self.verification.map(|verification| verification.disk.writes);
        behind(self.beats.iter().map(|beat| beat.disk_writes).chain(last))
    }
}

/// By how much a count that only grows has fallen behind what it was before, at most.
fn behind(counts: impl Iterator<Item = u64>) -> u64 {
    let (mut highest, mut behind) = (0, 0);
    for count in counts {
        behind = behind.max(highest - count.min(highest));
        highest = highest.max(count);
    }
    behind
}
