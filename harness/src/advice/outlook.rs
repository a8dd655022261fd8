//! What is to be expected over one way.

use super::{Bound, LONGEST_S, Range, Writers};
use crate::prediction::{self, tip};
use model::{Content, Costs, Policy, Prediction, Scenario, Writer};
use serde::Serialize;

/// Links that are looked at, payload in bytes a second, the best first.
const LINKS: (f64, f64) = (1e11, 1e4);
/// Downtime limits that are looked at, seconds, the most generous first: Proxmox goes no further.
const LIMITS_S: (f64, f64) = (2000.0, 1e-3);
/// Just beyond a tip.
const BEYOND: f64 = 0.95;
/// What holds at a tip may not do so a little above it, where rounds fall otherwise: pockets of
/// 0.2 % and less were seen up to 40 % above. So far above it, in steps of this, every value is tried.
const ABOVE: f64 = 1.5;
const STEP: f64 = 1.001;

/// How a migration on Proxmox ends. In this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// By itself.
    Unaided,
    /// After the guest was throttled, within its limit.
    Throttled,
    /// After the downtime limit was raised: forced through.
    Forced,
    /// Not within a day.
    Never,
}

impl Ending {
    fn of(told: &Prediction) -> Self {
        match told {
            told if !told.converged => Self::Never,
            told if told.limit_factor > 1.0 => Self::Forced,
            told if told.throttle_percent > 0 => Self::Throttled,
            _ => Self::Unaided,
        }
    }
}

/// A guest's memory and the way it is to go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Over {
    /// The guest's memory, all of which is taken to hold something, bytes.
    pub memory_bytes: f64,
    /// Payload a second, bytes.
    pub link_bytes_per_s: f64,
    /// The cap, bytes a second; infinite for none.
    pub cap_bytes_per_s: f64,
    /// The downtime limit at first, seconds.
    pub limit_s: f64,
}

/// What is to be expected, over all workloads that fit what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Outlook {
    /// What memory moves at while the guest runs: the lower of link and cap, bytes a second.
    pub live_bytes_per_s: f64,
    /// Whether the cap is what binds.
    pub is_capped: bool,
    /// Whether it would converge with QEMU's rule alone, without throttling or raising: for what
    /// is likely, for all, for any.
    pub converges_alone: Share,
    /// How it ends.
    pub ending: Range<Ending>,
    /// Until the guest runs on the target, seconds, without what Proxmox adds.
    pub total_time_s: Range<f64>,
    /// As QEMU counts it, seconds.
    pub downtime_s: Range<f64>,
    /// What Proxmox adds to that until the guest runs, seconds, from and to.
    pub resume_s: [f64; 2],
    /// The downtime limit in the end, seconds.
    pub last_limit_s: Range<f64>,
    /// How far the guest is throttled in the end, percent of its time.
    pub throttle_percent: Range<u32>,
    /// Sent, bytes.
    pub stream_bytes: Range<f64>,
    /// The least downtime limit at which it ends by itself, seconds.
    pub unaided_from_limit_s: Range<Bound>,
}

/// Of how many workloads something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Of the likely one.
    pub likely: bool,
    /// Of all that fit.
    pub all: bool,
    /// Of any.
    pub any: bool,
}

/// Whether a migration ends as it should on Proxmox, which sees to it that it ends.
fn unaided(told: &Prediction) -> bool {
    Ending::of(told) == Ending::Unaided
}

impl Over {
    fn scenario(&self, writer: Writer, policy: Policy) -> Scenario {
        Scenario {
            memory_bytes: self.memory_bytes,
            zero_bytes: 0.0,
            writer,
            content: Content::Random,
            link_bytes_per_s: self.link_bytes_per_s,
            cap_bytes_per_s: self.cap_bytes_per_s,
            downtime_limit_s: self.limit_s,
            max_time_s: LONGEST_S,
            policy,
            costs: Costs::LOCAL_LAB,
        }
    }

    /// What the model tells of it as Proxmox drives it.
    #[must_use]
    pub fn proxmox(&self, writer: Writer) -> Prediction {
        self.scenario(writer, Policy::Proxmox).predict_quickly()
    }

    /// The least payload of a link, bytes a second, over which it ends by itself.
    #[must_use]
    pub fn least_link(&self, writers: &Writers) -> Range<Bound> {
        self.from(writers, LINKS, |over, link_bytes_per_s| Self { link_bytes_per_s, ..over })
    }

    /// The least downtime limit, seconds, with which it ends by itself.
    #[must_use]
    pub fn least_limit(&self, writers: &Writers) -> Range<Bound> {
        self.from(writers, LIMITS_S, |over, limit_s| Self { limit_s, ..over })
    }

    fn from(
        &self,
        writers: &Writers,
        (good, bad): (f64, f64),
        with: fn(Self, f64) -> Self,
    ) -> Range<Bound> {
        let bounds = writers.writers().map(|writer| {
            let predict = |value: f64| with(*self, value).proxmox(writer);
            match Bound::from(tip::between(good, bad, BEYOND, predict, unaided)) {
                Bound::From(tip) => Bound::From(surely(tip, good, |at| unaided(&predict(at)))),
                bound => bound,
            }
        });
        Range::of(bounds).unwrap_or(Range::exactly(Bound::Any))
    }
}

/// From which value on it holds as far as is tried, where it holds just from `tip` on.
fn surely(tip: f64, good: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let mut at = (tip * ABOVE).min(good);
    while at > tip {
        if !holds(at) {
            return (at * STEP).min(good);
        }
        at /= STEP;
    }
    tip
}

impl Outlook {
    /// Asks the model.
    #[must_use]
    pub fn of(over: Over, writers: &Writers) -> Self {
        let told: Vec<Prediction> = writers.writers().map(|writer| over.proxmox(writer)).collect();
        let alone: Vec<bool> = writers
            .writers()
            .map(|writer| over.scenario(writer, Policy::Qemu).predict_quickly().converged)
            .collect();
        // Medians, and the ends of the bands of what cannot be known of any migration.
        let banded = |middle: fn(&Prediction) -> f64, band: fn(&Prediction) -> [f64; 2]| {
            let middles = Range::of(told.iter().map(middle)).unwrap_or(Range::exactly(0.0));
            told.iter().flat_map(band).fold(middles, Range::with)
        };
        let plain = |value: fn(&Prediction) -> f64| {
            Range::of(told.iter().map(value)).unwrap_or(Range::exactly(0.0))
        };
        let total_time_s = banded(
            |it| it.total_time_s,
            |it| [it.total_time_band_s.low, it.total_time_band_s.high],
        );
        let factor = plain(|it| it.limit_factor);
        let throttles = told.iter().map(|it| it.throttle_percent);
        Self {
            live_bytes_per_s: over.link_bytes_per_s.min(over.cap_bytes_per_s),
            is_capped: over.cap_bytes_per_s < over.link_bytes_per_s,
            converges_alone: Share {
                likely: alone.first().copied().unwrap_or(true),
                all: alone.iter().all(|converges| *converges),
                any: alone.iter().any(|converges| *converges),
            },
            ending: Range::of(told.iter().map(Ending::of))
                .unwrap_or(Range::exactly(Ending::Unaided)),
            total_time_s,
            downtime_s: banded(
                |it| it.downtime_s,
                |it| [it.downtime_band_s.low, it.downtime_band_s.high],
            ),
            resume_s: prediction::resume_s(Policy::Proxmox, total_time_s.least),
            last_limit_s: Range {
                likely: over.limit_s * factor.likely,
                least: over.limit_s * factor.least,
                most: over.limit_s * factor.most,
            },
            throttle_percent: Range::of(throttles).unwrap_or(Range::exactly(0)),
            stream_bytes: banded(
                |it| it.stream_bytes,
                |it| [it.stream_band_bytes.low, it.stream_band_bytes.high],
            ),
            unaided_from_limit_s: over.least_limit(writers),
        }
    }
}
