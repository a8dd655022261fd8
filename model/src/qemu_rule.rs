//! QEMU's stop rule, plainly: pages leave in windows; the dirty bitmap is read as soon as what is
//! left is below the threshold; the guest is stopped when what that reading finds is at most the
//! threshold. What is left over is carried into the next round.
//!
//! An upper bound of the bytes: freshly dirtied pages are counted beside the unsent ones as long
//! as the working set has room, as if no page were in both. [`crate::Scenario`] does without that.

use crate::{Course, Writer};

/// What the plain rule is asked. Zero pages cost nothing; the working set lies first. A
/// [`Writer::Linear`] has no working set, so here it dirties nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QemuRule {
    /// Memory to migrate, without zero pages, bytes.
    pub memory_bytes: f64,
    /// What the guest does.
    pub writer: Writer,
    /// Payload that is sent per second while the guest runs, bytes.
    pub bandwidth_bytes_per_s: f64,
    /// The same while the guest is stopped.
    pub stop_bandwidth_bytes_per_s: f64,
    /// The downtime that the sender aims at, seconds.
    pub downtime_limit_s: f64,
    /// Time between two looks at what is left, seconds.
    pub window_s: f64,
    /// From the beginning to the first byte, seconds.
    pub setup_s: f64,
    /// What the stop costs besides its bytes, seconds.
    pub stop_fixed_s: f64,
    /// After so many readings of the dirty bitmap it has not converged.
    pub most_syncs: u32,
}

/// A reading of the dirty bitmap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sync {
    /// From 1; the first is the one before the first byte.
    pub number: u32,
    /// Seconds since the first byte.
    pub at_s: f64,
    /// Dirty after it, bytes.
    pub pending_bytes: f64,
}

impl QemuRule {
    /// Windows of 100 ms, one bandwidth, no fixed costs, at most 10,000 readings.
    #[must_use]
    pub const fn new(
        memory_bytes: f64,
        bandwidth_bytes_per_s: f64,
        downtime_limit_s: f64,
        writer: Writer,
    ) -> Self {
        Self {
            memory_bytes,
            writer,
            bandwidth_bytes_per_s,
            stop_bandwidth_bytes_per_s: bandwidth_bytes_per_s,
            downtime_limit_s,
            window_s: 0.1,
            setup_s: 0.0,
            stop_fixed_s: 0.0,
            most_syncs: 10_000,
        }
    }

    /// How the migration goes.
    #[must_use]
    pub fn course(&self) -> Course {
        self.course_seen(|_| {})
    }

    /// The same; shows each reading of the dirty bitmap.
    pub fn course_seen(&self, mut see: impl FnMut(&Sync)) -> Course {
        let threshold = self.bandwidth_bytes_per_s * self.downtime_limit_s;
        let window_bytes = self.bandwidth_bytes_per_s * self.window_s;
        let working_set = self.writer.working_set_bytes();
        let mut cold = (self.memory_bytes - working_set).max(0.0);
        let mut hot = working_set.min(self.memory_bytes);
        let (mut sent, mut live_time_s, mut since_s) = (0.0, 0.0, 0.0);
        let (mut syncs, mut first) = (1, true);
        see(&Sync { number: 1, at_s: 0.0, pending_bytes: cold + hot });
        let converged = loop {
            if cold + hot < threshold {
                hot = (hot + self.writer.dirtied_bytes(since_s)).min(working_set);
                (since_s, first) = (0.0, false);
                syncs += 1;
                see(&Sync { number: syncs, at_s: live_time_s, pending_bytes: cold + hot });
                if cold + hot <= threshold {
                    break true;
                }
                if syncs >= self.most_syncs {
                    break false;
                }
            }
            let pending = cold + hot;
            // Whole windows after which nothing can be decided are taken at once; the last ones
            // one by one, so that a value on the threshold is met as it would be without.
            let whole = ((pending - threshold) / window_bytes).floor() - 1.0;
            let step = if whole > 1.0 { whole * window_bytes } else { window_bytes.min(pending) };
            let (before, behind) =
                if first { (&mut hot, &mut cold) } else { (&mut cold, &mut hot) };
            let from_before = step.min(*before);
            *before -= from_before;
            *behind -= step - from_before;
            sent += step;
            // Times are sums of steps and not made of `sent`: a rest that is exactly the threshold
            // falls on the side on which the sums put it.
            let step_s = step / self.bandwidth_bytes_per_s;
            (live_time_s, since_s) = (live_time_s + step_s, since_s + step_s);
            if step <= 0.0 {
                // Nothing is left, and a threshold of 0 never lies above that.
                break true;
            }
        };
        let stop_bytes = cold + hot;
        let downtime_s = stop_bytes / self.stop_bandwidth_bytes_per_s + self.stop_fixed_s;
        Course {
            converged,
            rounds: syncs - 1,
            sync_count: syncs + 1,
            threshold_bytes: threshold,
            live_time_s,
            stop_bytes,
            downtime_s,
            total_time_s: self.setup_s + live_time_s + downtime_s,
            stream_bytes: sent + stop_bytes,
            limit_factor: 1.0,
            throttle_percent: 0,
        }
    }
}
