//! Which metrics a verdict can rest on, which way is worse, and how much of it matters: declared
//! once, here. Why the others are not judged is said here too.

/// Which way is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worse {
    /// More of it is worse.
    Higher,
    /// Less of it is worse.
    Lower,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// By their ratio: margins are fractions, and shifts are taken on logarithms.
    Ratio,
    /// By their difference, in the metric's unit: for values that may have either sign.
    Difference,
}

/// How a metric is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The metric's name.
    pub name: &'static str,
    /// Which way is worse.
    pub worse: Worse,
    /// How two values are compared.
    pub scale: Scale,
    /// Default margin: a fraction for ratios, in the metric's unit for differences. A shift
    /// within it does not matter.
    pub margin: f64,
    /// Whether it is in the gate unless an experiment says otherwise.
    pub in_gate: bool,
    /// Whether it means the same on another machine, so that it is judged across contexts.
    pub scale_free: bool,
}

const fn ratio(name: &'static str, worse: Worse, margin: f64) -> Judged {
    Judged { name, worse, scale: Scale::Ratio, margin, in_gate: false, scale_free: false }
}

const fn difference(name: &'static str, worse: Worse, margin: f64) -> Judged {
    Judged { scale: Scale::Difference, ..ratio(name, worse, margin) }
}

impl Judged {
    const fn in_gate(self) -> Self {
        Self { in_gate: true, ..self }
    }

    const fn scale_free(self) -> Self {
        Self { scale_free: true, ..self }
    }
}

/// The metrics that can be judged, in the order in which verdicts show them.
///
/// The model's errors say by how much the prediction is above what was measured: less of it is a
/// migration that cost more than it should.
///
/// Margins of times of the stop phase are wide: they vary by tens of percent from trial to trial.
/// `throughput` is not in the gate: it is stream bytes over total time, both of which are, and
/// every further metric there makes each of the others harder to call (Holm).
pub const JUDGED: &[Judged] = &[
    ratio(super::TOTAL_TIME, Worse::Higher, 0.05).in_gate(),
    ratio(super::STREAM_BYTES, Worse::Higher, 0.05).in_gate(),
    ratio(super::VCPU_PAUSE, Worse::Higher, 0.25).in_gate(),
    ratio(super::DOWNTIME_REPORTED, Worse::Higher, 0.25),
    ratio(super::SERVICE_GAP, Worse::Higher, 0.25),
    ratio(super::DISK_GAP, Worse::Higher, 0.25),
    ratio(super::SETUP_TIME, Worse::Higher, 0.25),
    ratio(super::WIRE_BYTES, Worse::Higher, 0.05),
    ratio(super::STOP_BYTES, Worse::Higher, 0.25),
    ratio(super::NORMAL_PAGES, Worse::Higher, 0.05),
    ratio(super::THROUGHPUT, Worse::Lower, 0.05),
    difference(super::GUEST_SLOWDOWN, Worse::Higher, 5.0),
    difference(super::HEARTBEAT_DELAY, Worse::Higher, 5.0),
    difference(super::HEARTBEATS_LOST, Worse::Higher, 1.0),
    ratio(super::AMPLIFICATION, Worse::Higher, 0.05).scale_free(),
    ratio(super::ROUNDS, Worse::Higher, 0.25).scale_free(),
    ratio("stop_over_threshold", Worse::Higher, 0.25).scale_free(),
    difference("model_error_total_time", Worse::Lower, 5.0).scale_free(),
    difference("model_error_stream_bytes", Worse::Lower, 5.0).scale_free(),
    difference("model_error_downtime", Worse::Lower, 25.0).scale_free(),
];

/// The metrics that are not judged, and why.
pub const NOT_JUDGED: &[(&str, &str)] = &[
    (super::ZERO_PAGES, "it is what the guest's memory holds, not what its migration costs"),
    (super::UNEXPLAINED_PAGES, "it checks two accounts of one memory against each other"),
    (super::SYNC_COUNT, "it is `rounds` and a constant; judge `rounds`"),
    (super::NOMINAL_SPEED, "it is `total_time` upside down; judge `total_time`"),
    (super::EXPECTED_DOWNTIME, "it is what QEMU predicted, not what happened; judge `vcpu_pause`"),
    (
        super::REMAINING,
        "only migrations that did not converge have it, and those are judged as such",
    ),
    (super::TOUCH_RATE_SET, "it is what the experiment asked for"),
    (super::TOUCH_RATE_BEFORE, "the gate holds it within 2 % of what was asked for"),
    (super::TOUCH_RATE_DURING, "it follows from the rate that was set; judge `guest_slowdown`"),
    (super::DIRTY_RATE, "it is the workload's, and short migrations have none"),
    (super::HEARTBEAT_JITTER, "it says how well was measured, not what the migration costs"),
    (super::PAGES_CHECKED, "it is how much was verified"),
    (super::PAGES_WRONG, "one wrong page makes a trial corrupt, and that is always judged"),
    (super::COUNTER_BEHIND, "one lost touch makes a trial corrupt, and that is always judged"),
    (super::VERIFY_TIME, "it is the harness's own check, after the migration"),
    (super::DISK_WRITE_RATE_DURING, "it follows from the rate that was set; judge `disk_gap`"),
    (super::DISK_BLOCKS_CHECKED, "it is how much was verified"),
    (super::DISK_BLOCKS_WRONG, "one wrong block makes a trial corrupt, and that is always judged"),
    ("predicted_total_time", "it is what the model expects; judge `model_error_total_time`"),
    ("predicted_stream_bytes", "it is what the model expects; judge `model_error_stream_bytes`"),
    ("predicted_downtime", "it is what the model expects; judge `model_error_downtime`"),
    ("predicted_rounds", "it is what the model expects; judge `rounds`"),
    (super::PROXMOX_DOWNTIME, "it is QEMU's figure again; judge `vcpu_pause`"),
    (super::PROXMOX_SPEED, "it is Proxmox's duration upside down; judge `total_time`"),
    (super::LAST_DOWNTIME_LIMIT, "it comes in doublings; judge `vcpu_pause` and `total_time`"),
    (super::LIMIT_INCREASES, "it counts doublings; judge `vcpu_pause` and `total_time`"),
    (super::BEGIN_DELAY, "it is before the migration; judge `total_time`"),
    (super::RESUME_DELAY, "it is part of `vcpu_pause`; judge that"),
];

/// How a metric is judged; `None` when it is not, or there is none of that name.
#[must_use]
pub fn judged(name: &str) -> Option<&'static Judged> {
    JUDGED.iter().find(|judged| judged.name == name)
}

/// Why a metric is not judged; `None` when it is, or there is none of that name.
#[must_use]
pub fn why_not_judged(name: &str) -> Option<&'static str> {
    NOT_JUDGED.iter().find(|(not_judged, _)| *not_judged == name).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::every;
    use std::collections::BTreeSet;

    /// Names in the tables that a part of this program defines which may not be there yet.
    const OF_THE_MODEL: [&str; 8] = [
        "stop_over_threshold",
        "model_error_total_time",
        "model_error_stream_bytes",
        "model_error_downtime",
        "predicted_total_time",
        "predicted_stream_bytes",
        "predicted_downtime",
        "predicted_rounds",
    ];

    #[test]
    fn every_metric_is_judged_or_says_why_not() {
        let judged: Vec<&str> = JUDGED.iter().map(|judged| judged.name).collect();
        let not: Vec<&str> = NOT_JUDGED.iter().map(|(name, _)| *name).collect();
        for definition in every() {
            let times = [&judged, &not]
                .map(|names| names.iter().filter(|name| **name == definition.name).count());
            assert_eq!(times.iter().sum::<usize>(), 1, "{}", definition.name);
        }
        let defined: BTreeSet<&str> = every().map(|definition| definition.name).collect();
        for name in judged.into_iter().chain(not) {
            assert!(defined.contains(name) || OF_THE_MODEL.contains(&name), "{name}");
        }
    }

    #[test]
    fn the_gate_is_a_handful_and_has_margins() {
        let gate: Vec<&str> =
            JUDGED.iter().filter(|judged| judged.in_gate).map(|judged| judged.name).collect();
        assert_eq!(gate, ["total_time", "stream_bytes", "vcpu_pause"]);
        assert!(JUDGED.iter().all(|judged| judged.margin > 0.0));
    }
}
