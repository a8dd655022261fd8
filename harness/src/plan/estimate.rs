//! How long a trial will take, roughly.

use super::{Plan, PlannedTrial};
use crate::{
    experiment::Experiment,
    settings::{BandwidthLimit, Content, Pattern, Settings},
};
use lab::units::BitRate;
use std::time::Duration;

/// Start of guest and observer, the gate's second of steady heartbeats, and tear-down, in s.
const FIXED_S: f64 = 1.6;
/// How fast a guest fills its pages and checks them, in bytes per second.
const FILL: f64 = 600.0 * MIB;
const VERIFY: f64 = 1024.0 * MIB;
/// How fast it reads and checks its disk.
const VERIFY_DISK: f64 = 128.0 * MIB;
/// The part of a link's rate that is left for the stream by headers.
const LINK_SHARE: f64 = 0.95;
/// QEMU's own cap where none is set.
const DEFAULT_LIMIT: f64 = 128.0 * MIB;
/// What one QEMU sends and another takes in at most on a small machine, bytes per second.
const HOST_CEILING: f64 = 400.0 * MIB;
/// How fast QEMU skips over zero pages, in bytes of guest memory per second.
const ZERO_SCAN: f64 = 2048.0 * MIB;
/// What a zero page costs on the stream: its address and flags, and one byte.
const ZERO_PAGE_BYTES: f64 = 9.0;

const MIB: f64 = 1_048_576.0;
const PAGE: f64 = 4096.0;

impl Plan {
    /// About how long all of the plan's trials take. `lab_link_rate` is what the level `lab` of
    /// `link_rate` means; `None` is unlimited.
    #[must_use]
    pub fn estimate(&self, experiment: &Experiment, lab_link_rate: Option<BitRate>) -> Duration {
        self.trials.iter().map(|trial| self.estimate_trial(trial, experiment, lab_link_rate)).sum()
    }

    /// About how long one trial takes: 1.6 s of its own, filling at 600 MiB/s, checking all
    /// memory at 1 GiB/s and all of the disk at 128 MiB/s, and [`migration_time`].
    #[must_use]
    pub fn estimate_trial(
        &self,
        trial: &PlannedTrial,
        experiment: &Experiment,
        lab_link_rate: Option<BitRate>,
    ) -> Duration {
        let settings = &self.cell_of(trial).settings;
        let migration = migration_time(settings, lab_link_rate)
            .map_or(experiment.max_time.duration(), |time| {
                time.min(experiment.max_time.duration())
            });
        let own = FIXED_S
            + bytes(settings.filled.0) / FILL
            + bytes(settings.memory.0) / VERIFY
            + bytes(settings.disk.bytes().0) / VERIFY_DISK;
        Duration::from_secs_f64(own) + migration
    }
}

/// The textbook model of pre-copy: each round sends what the last one left dirty, until the rest
/// fits the downtime limit. `None` when it never does.
///
/// The rate is the least of the link's (95 % of it), the hypervisor's cap and 400 MiB/s. The stop
/// phase is not bound by the cap.
#[must_use]
pub fn migration_time(settings: &Settings, lab_link_rate: Option<BitRate>) -> Option<Duration> {
    // A day: beyond every `max_time`.
    const GIVE_UP_S: f64 = 86_400.0;
    let link = settings
        .link_rate
        .or(lab_link_rate)
        .map_or(HOST_CEILING, |rate| (bytes(rate.0) / 8.0 * LINK_SHARE).min(HOST_CEILING));
    let limit = match settings.bandwidth_limit {
        BandwidthLimit::Default => DEFAULT_LIMIT,
        BandwidthLimit::Unlimited => f64::INFINITY,
        BandwidthLimit::Capped(rate) => bytes(rate.0),
    };
    let rate = link.min(limit).max(1.0);
    let page_on_stream = if settings.content == Content::Zero { ZERO_PAGE_BYTES } else { PAGE };
    let filled_pages = bytes(settings.filled.0) / PAGE;
    let empty_pages = bytes(settings.memory.0) / PAGE - filled_pages;
    let threshold = rate * settings.downtime_limit.duration().as_secs_f64();

    let first = filled_pages * page_on_stream + empty_pages * ZERO_PAGE_BYTES;
    let mut round_s = (first / rate).max(bytes(settings.memory.0) / ZERO_SCAN);
    let mut total_s = 0.0;
    loop {
        total_s += round_s;
        if total_s > GIVE_UP_S {
            return None;
        }
        // QEMU compares what is dirty, not what it will be on the stream.
        let dirty_pages = dirtied(settings, round_s);
        if dirty_pages * PAGE <= threshold {
            total_s += dirty_pages * page_on_stream / link;
            return Some(Duration::from_secs_f64(total_s));
        }
        let next_s = dirty_pages * page_on_stream / rate;
        // A round no shorter than the last dirties no less: it goes on like this for ever.
        if next_s >= round_s * 0.999 {
            return None;
        }
        round_s = next_s;
    }
}

/// Distinct pages that the workload dirties in so many seconds, expected.
fn dirtied(settings: &Settings, seconds: f64) -> f64 {
    let pages = bytes(settings.working_set.0) / PAGE;
    let touches = f64::from(settings.touch_rate.0) * seconds;
    let uniform = |pages: f64, touches: f64| pages * (1.0 - (-touches / pages.max(1.0)).exp());
    match settings.pattern {
        Pattern::Idle => 0.0,
        Pattern::Sequential => touches.min(pages),
        Pattern::Random => uniform(pages, touches),
        Pattern::Hotspot => {
            uniform(pages * 0.1, touches * 0.9) + uniform(pages * 0.9, touches * 0.1)
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate; exact up to 8 PiB anyway")]
fn bytes(count: u64) -> f64 {
    count as f64
}
