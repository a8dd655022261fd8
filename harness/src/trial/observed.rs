//! What one trial has seen: raw, and whatever of it there is when the trial ends early.

use super::{
    clocks::{Clocks, NodeClock},
    gate::Opened,
    guest::Told,
    silence::{Probes, Quiet},
    witness::Beat,
};
use crate::{record::OtherGuest, settings::Settings};
use lab::hypervisor::qemu::migration::{MigrationLog, Side};
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
    /// Seconds from when the migration was asked for until QEMU began.
    pub began_s: f64,
    /// Seconds from when the migration was asked for to its end, whatever the end was.
    pub migration_s: f64,
    /// What is migrated, where it is no guest that works as it is told.
    pub guest: Option<OtherGuest>,
    /// What was asked of its address and answered, where somebody asks.
    pub probes: Option<Probes>,
    /// How it answered before its migration.
    pub quiet: Option<Quiet>,
    /// Whether Proxmox migrates the guest.
    pub by_proxmox: bool,
    /// What Proxmox has told of it.
    pub told: Option<Told>,
    /// Wall clock less monotonic clock of the witness, nanoseconds.
    pub witness_wall_offset_ns: i128,
    /// How the nodes' clocks differ from this machine's.
    pub clocks: Clocks,
    /// Bytes the source's link that the guest was migrated over had sent before and after.
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
            began_s: 0.0,
            migration_s: 0.0,
            guest: None,
            probes: None,
            quiet: None,
            by_proxmox: false,
            told: None,
            witness_wall_offset_ns: 0,
            clocks: Clocks::OURS,
            wire_bytes: None,
            verification: None,
        }
    }

    /// Index of the first beat that came this many seconds after `migrate` was asked, or later.
    /// The witness's clock is converted through its wall clock, and that one to ours.
    #[must_use]
    pub fn beat_at(&self, at_s: f64) -> Option<usize> {
        let observer_ns = self.observer_ns(at_s)?;
        Some(self.beats.partition_point(|beat| i128::from(beat.observer_ns) < observer_ns))
    }

    /// So many seconds after `migrate` was asked, by the witness's monotonic clock, nanoseconds.
    #[must_use]
    pub fn observer_ns(&self, at_s: f64) -> Option<i128> {
        let ours_ns = self.ours_ns(at_s)?;
        let witness_ns = ours_ns + self.clocks.witness.at(ours_ns).offset_ns;
        Some(witness_ns - self.witness_wall_offset_ns)
    }

    /// How far the time of an event of this side, so many seconds after `migrate` was asked, may
    /// be off, seconds; 0 where its node is this machine.
    #[must_use]
    pub fn event_error_s(&self, side: Side, at_s: f64) -> f64 {
        let clock = match side {
            Side::Source => &self.clocks.source,
            Side::Target => &self.clocks.target,
        };
        self.error_s(clock, at_s)
    }

    /// How far such an event's place among the beats may be off, seconds: by both clocks.
    #[must_use]
    pub fn place_error_s(&self, side: Side, at_s: f64) -> f64 {
        self.event_error_s(side, at_s) + self.beat_error_s(at_s)
    }

    /// How far the time of a beat about then may be off, seconds.
    #[must_use]
    pub fn beat_error_s(&self, at_s: f64) -> f64 {
        self.error_s(&self.clocks.witness, at_s)
    }

    fn error_s(&self, clock: &NodeClock, at_s: f64) -> f64 {
        let Some(ours_ns) = self.ours_ns(at_s) else { return 0.0 };
        Duration::from_nanos(clock.at(ours_ns).error_ns).as_secs_f64()
    }

    /// So many seconds after `migrate` was asked, by our wall clock, nanoseconds since 1970.
    fn ours_ns(&self, at_s: f64) -> Option<i128> {
        let asked_wall_ns = i128::try_from(self.migration.as_ref()?.asked_wall_ns).ok()?;
        #[expect(clippy::cast_possible_truncation, reason = "a migration's nanoseconds fit")]
        let since_ns = (at_s * 1e9) as i128;
        Some(asked_wall_ns + since_ns)
    }

    /// Touches that the witness had seen and that a later beat, or the verification, no longer
    /// knew of. Anything but 0 means that memory was lost together with its bookkeeping.
    ///
    /// Later is what the guest sent later: a queue that is emptied by two processors may swap two
    /// beats. The guest's clock does not lose what its memory does, for it follows a device's
    /// counter; the beats' own numbers would.
    #[must_use]
    pub fn counter_behind(&self) -> u64 {
        let steady = self.beats.iter().filter(|beat| beat.state == State::Steady);
        let mut sent: Vec<&Beat> = steady.collect();
        sent.sort_by_key(|beat| beat.guest_ns);
        let last = self.verification.map(|verification| verification.pages_written);
        behind(sent.iter().map(|beat| beat.pages_written).chain(last))
    }

    /// Disk writes that the witness had seen acknowledged and that a later beat, or the
    /// verification, no longer knew of. Later is what the guest sent later, as for touches.
    #[must_use]
    pub fn disk_counter_behind(&self) -> u64 {
        let mut sent: Vec<&Beat> = self.beats.iter().collect();
        sent.sort_by_key(|beat| beat.guest_ns);
        let last = self.verification.map(|verification| verification.disk.writes);
        behind(sent.iter().map(|beat| beat.disk_writes).chain(last))
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The guest touches eight pages between two beats.
    fn beat(sequence: u64, touches_lost: u64) -> Beat {
        Beat {
            observer_ns: sequence * 1_000_000,
            sequence,
            guest_ns: sequence * 1_000_000,
            state: State::Steady,
            pages_written: 8 * sequence - touches_lost,
            pages_dropped: 0,
            disk_writes: 0,
            disk_errors: 0,
        }
    }

    fn counter_behind(beats: Vec<Beat>) -> u64 {
        let settings = crate::fixture::completed(0, 5000).settings;
        Observed { beats, ..Observed::new(settings, Duration::from_millis(1)) }.counter_behind()
    }

    proptest! {
        #[test]
        fn beats_that_a_network_swaps_are_no_lost_memory(order in Just((0..50).collect::<Vec<u64>>()).prop_shuffle()) {
            prop_assert_eq!(counter_behind(order.into_iter().map(|n| beat(n, 0)).collect()), 0);
        }

        #[test]
        fn what_the_guest_forgets_at_its_move_is_found(moved in 20_u64..40, lost in 9_u64..100) {
            let mut beats: Vec<Beat> = (0..50).map(|n| beat(n, if n < moved { 0 } else { lost.min(8 * moved) })).collect();
            let most = lost.min(8 * moved) - 8;
            prop_assert_eq!(counter_behind(beats.clone()), most);
            // Also where their numbers were forgotten along with them.
            for beat in &mut beats[moved as usize..] {
                beat.sequence -= 12;
            }
            prop_assert_eq!(counter_behind(beats), most);
        }
    }
}
