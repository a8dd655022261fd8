//! What is asked of the model, and its answer: pure arithmetic.

use harness::{
    prediction::{
        self, Known,
        tip::{self, Tip},
    },
    settings::Settings,
};
use lab::units::{BitRate, Millis};
use model::{Band, Costs, Policy, Prediction};
use serde::Serialize;

/// A guest, a link and limits.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The cell.
    pub settings: Settings,
    /// The link, also where the cell leaves it to the lab.
    pub link_rate: BitRate,
    /// A migration that takes longer has not converged.
    pub max_time: Millis,
    /// The limit that Proxmox begins with.
    pub proxmox_limit: Millis,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// What was asked.
    pub settings: Settings,
    /// The link's rate.
    pub link_rate: BitRate,
    /// What of it is taken to be payload, bytes per second.
    pub payload_bytes_per_s: f64,
    /// A migration that takes longer has not converged.
    pub max_time: Millis,
    /// With QEMU's defaults.
    pub qemu: Expected,
    /// As Proxmox drives it.
    pub proxmox: Expected,
}

/// What is expected under one policy.
#[derive(Clone, Debug, Serialize)]
pub struct Expected {
    /// The downtime limit at first.
    pub downtime_limit: Millis,
    /// Whether it converges within `max_time`.
    pub converges: bool,
    /// The share of the cases looked at in which it does.
    pub converging_share: f64,
    /// Live rounds.
    pub rounds: u32,
    /// Migration time, seconds; until it is given up where it does not converge.
    pub total_time_s: f64,
    /// The least and the greatest over the cases.
    pub total_time_band_s: [f64; 2],
    /// Transferred size, bytes.
    pub stream_bytes: f64,
    /// Sent while the guest is stopped, bytes; where it does not converge, what is left.
    pub stop_bytes: f64,
    /// Downtime, seconds; where it does not converge, that of stopping the guest in the end.
    pub downtime_s: f64,
    /// The least and the greatest over the cases.
    pub downtime_band_s: [f64; 2],
    /// What comes on top of the downtime until the guest runs, seconds, from and to.
    pub resume_s: [f64; 2],
    /// The downtime limit in the end.
    pub final_downtime_limit_ms: f64,
    /// How far the guest was throttled in the end, percent.
    pub throttle_percent: u32,
    /// The touch rate up to which it goes on so.
    pub touch_rate_tip: Option<Tipping>,
    /// The link rate from which on it does.
    pub link_rate_tip: Tipping,
}

/// Where it tips over.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tipping {
    /// Not within what was looked at.
    Never,
    /// It is beyond everywhere.
    Always,
    /// About here.
    At {
        /// Pages per second, or bits per second of the link.
        value: f64,
        /// Just beyond: what stopping the guest would have to send then, bytes.
        beyond_stop_bytes: f64,
        /// And how long that would take, seconds.
        beyond_downtime_s: f64,
        /// The limit in force in the end, as a multiple of the first.
        beyond_limit_factor: f64,
        /// How far the guest is throttled there.
        beyond_throttle_percent: u32,
    },
}

impl Answer {
    /// Asks the model.
    pub fn of(asked: Asked) -> Self {
        let Asked { settings, link_rate, max_time, proxmox_limit } = asked;
        let payload_bytes_per_s = prediction::payload_bytes_per_s(link_rate);
        let known = Known {
            link_bytes_per_s: payload_bytes_per_s,
            cap_bytes_per_s: prediction::cap_bytes_per_s(settings.bandwidth_limit),
            touch_pages_per_s: f64::from(settings.touch_rate.0),
            max_time_s: max_time.duration().as_secs_f64(),
            costs: Costs::LOCAL_LAB,
        };
        let expected = |policy: Policy, downtime_limit: Millis| {
            let settings = Settings { downtime_limit, ..settings.clone() };
            Expected::of(&settings, policy, &known)
        };
        let qemu = expected(Policy::Qemu, settings.downtime_limit);
        let proxmox = expected(Policy::Proxmox, proxmox_limit);
        Self { settings, link_rate, payload_bytes_per_s, max_time, qemu, proxmox }
    }
}

/// Whether a migration ends as it should: by itself under `qemu`, and without help under
/// `proxmox`, which sees to it that it ends.
pub fn unaided(told: &Prediction) -> bool {
    told.converged && told.limit_factor <= 1.0 && told.throttle_percent == 0
}

impl Expected {
    fn of(settings: &Settings, policy: Policy, known: &Known) -> Self {
        let told = prediction::scenario(settings, policy, known).predict();
        let pair = |band: Band| [band.low, band.high];
        let limit_ms = settings.downtime_limit.duration().as_secs_f64() * 1e3;
        Self {
            downtime_limit: settings.downtime_limit,
            converges: told.converged,
            converging_share: told.converging_share,
            rounds: told.rounds,
            total_time_s: told.total_time_s,
            total_time_band_s: pair(told.total_time_band_s),
            stream_bytes: told.stream_bytes,
            stop_bytes: told.stop_bytes,
            downtime_s: told.downtime_s,
            downtime_band_s: pair(told.downtime_band_s),
            resume_s: prediction::resume_s(policy, told.total_time_s),
            final_downtime_limit_ms: limit_ms * told.limit_factor,
            throttle_percent: told.throttle_percent,
            touch_rate_tip: tip::touch_rate(settings, policy, known, unaided)
                .map(|tip| Tipping::of(tip, 1.0)),
            // Bits of the link for a byte of payload.
            link_rate_tip: Tipping::of(
                tip::link(settings, policy, known, unaided),
                1e9 / prediction::payload_bytes_per_s(BitRate(1_000_000_000)),
            ),
        }
    }
}

impl Tipping {
    fn of(tip: Tip, scale: f64) -> Self {
        match tip {
            Tip::Never => Self::Never,
            Tip::Always => Self::Always,
            Tip::At { value, beyond } => Self::At {
                value: value * scale,
                beyond_stop_bytes: beyond.stop_bytes,
                beyond_downtime_s: beyond.downtime_s,
                beyond_limit_factor: beyond.limit_factor,
                beyond_throttle_percent: beyond.throttle_percent,
            },
        }
    }
}
