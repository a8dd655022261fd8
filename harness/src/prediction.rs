//! What the model expects of a trial: settings and measurements become its scenario, and its
//! answer becomes metrics. Pure arithmetic.

pub mod tip;

use crate::{
    metric,
    record::{Measured, Metric},
    settings::{BandwidthLimit, Content, Pattern, Settings},
};
use lab::units::BitRate;
use model::{Costs, PAGE_BYTES, Part, Policy, Prediction, Scenario, Writer};
use std::collections::BTreeMap;

/// Pages that QEMU sends and that are not zero besides the filled ones: the guest's own (33) and
/// the firmware's and the devices' (28), as the records of QEMU 10.0.2 have them.
const OWN_PAGES: f64 = 61.0;
/// Pages that QEMU sends beyond the guest's memory: the firmware's and the devices'.
const DEVICE_PAGES: f64 = 82.0;
/// QEMU's own cap where none is set, bytes per second.
const DEFAULT_CAP: f64 = 128.0 * 1_048_576.0;
/// The greatest `max_time` there is, seconds: a prediction for a record asks whether it
/// converges at all.
const LONGEST_S: f64 = 3600.0;
/// Payload of a TCP segment with time stamps, and what `tc` counts of it: Ethernet's header but
/// not its preamble, checksum and gap.
const SEGMENT_PAYLOAD: f64 = 1448.0;
const SEGMENT_ON_LINK: f64 = 1514.0;
/// Proxmox resumes the target at the poll that finds the end; polls are this far apart then,
/// seconds.
const POLL_S: f64 = 0.1;
/// The first poll comes after this, seconds.
const FIRST_POLL_S: f64 = 1.0;

/// What the model must know besides the settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// Payload that the migration link carries per second, bytes.
    pub link_bytes_per_s: f64,
    /// The sender's own cap, bytes per second; infinite for none.
    pub cap_bytes_per_s: f64,
    /// Pages that the workload touches per second.
    pub touch_pages_per_s: f64,
    /// A migration that takes longer is given up, seconds.
    pub max_time_s: f64,
    /// What is neither guest nor link.
    pub costs: Costs,
}

/// Payload per second on a link of this rate, bytes: 1448 of 1514, which is TCP with time stamps
/// over IPv4 at an MTU of 1500, as `tc` counts. A real Ethernet also has 24 bytes between two
/// frames, so that 1.6 % less is left.
#[must_use]
pub fn payload_bytes_per_s(rate: BitRate) -> f64 {
    rate.0 as f64 / 8.0 * SEGMENT_PAYLOAD / SEGMENT_ON_LINK
}

/// What the driver adds to QEMU's downtime until the guest runs, seconds, from and to, of a
/// migration that takes so long.
#[must_use]
pub fn resume_s(policy: Policy, total_time_s: f64) -> [f64; 2] {
    match policy {
        Policy::Qemu => [0.0, 0.0],
        Policy::Proxmox if total_time_s < FIRST_POLL_S => [0.0, FIRST_POLL_S],
        Policy::Proxmox => [0.0, POLL_S],
    }
}

/// The cap that a level of `bandwidth_limit` means, bytes per second.
#[must_use]
pub fn cap_bytes_per_s(limit: BandwidthLimit) -> f64 {
    match limit {
        BandwidthLimit::Default => DEFAULT_CAP,
        BandwidthLimit::Unlimited => f64::INFINITY,
        BandwidthLimit::Capped(rate) => rate.0 as f64,
    }
}

/// The model's scenario of these settings.
#[must_use]
pub fn scenario(settings: &Settings, policy: Policy, known: &Known) -> Scenario {
    let part = Part {
        bytes: settings.working_set.0 as f64,
        touch_bytes_per_s: known.touch_pages_per_s * PAGE_BYTES,
    };
    let (content, filled) = match settings.content {
        Content::Random => (model::Content::Random, settings.filled.0),
        Content::Sparse => (model::Content::Sparse, settings.filled.0),
        Content::Zero => (model::Content::Zero, 0),
    };
    let memory_bytes = settings.memory.0 as f64 + DEVICE_PAGES * PAGE_BYTES;
    Scenario {
        memory_bytes,
        zero_bytes: (memory_bytes - filled as f64 - OWN_PAGES * PAGE_BYTES).max(0.0),
        writer: match settings.pattern {
            Pattern::Idle => Writer::IDLE,
            Pattern::Sequential => Writer::Sweep(part),
            Pattern::Random => Writer::Uniform(part),
            Pattern::Hotspot => Writer::hotspot(part.bytes, part.touch_bytes_per_s),
        },
        content,
        link_bytes_per_s: known.link_bytes_per_s,
        cap_bytes_per_s: known.cap_bytes_per_s,
        downtime_limit_s: settings.downtime_limit.duration().as_secs_f64(),
        max_time_s: known.max_time_s,
        policy,
        costs: known.costs,
    }
}

/// What was measured of a trial, as the model wants it. The throughput is the link's, or the
/// cap's where the cap is what binds: then the link's is what its rate leaves to the payload.
/// Before that, the time in which the link had nothing to do is taken out of it: while zero pages
/// were passed over, and while the guest was stopped and started.
///
/// # Errors
/// Why the trial does not say enough.
pub fn known(settings: &Settings, metrics: &BTreeMap<String, Metric>) -> Result<Known, String> {
    let throughput = value(metrics, metric::THROUGHPUT)?;
    if throughput <= 0.0 {
        return Err("nothing was sent".to_owned());
    }
    let touch_pages_per_s = value(metrics, metric::TOUCH_RATE_DURING)
        .or_else(|_| value(metrics, metric::TOUCH_RATE_BEFORE))?;
    let setup_s = value(metrics, metric::SETUP_TIME)? / 1e3;
    let costs = Costs { setup_s, ..Costs::LOCAL_LAB };
    let idle_s = value(metrics, metric::ZERO_PAGES).unwrap_or(0.0) * PAGE_BYTES
        / costs.scan_bytes_per_s
        + value(metrics, metric::TOTAL_TIME).map_or(0.0, |_| costs.stop_fixed_s);
    let sending_s = value(metrics, metric::STREAM_BYTES)? / throughput;
    let throughput = throughput * sending_s / (sending_s - idle_s).max(0.5 * sending_s);
    let cap = cap_bytes_per_s(settings.bandwidth_limit);
    let link = settings.link_rate.map(payload_bytes_per_s).filter(|link| cap < *link);
    let (link_bytes_per_s, cap_bytes_per_s) = match link {
        Some(link) => (link.max(throughput), throughput),
        None => (throughput, f64::INFINITY),
    };
    Ok(Known { link_bytes_per_s, cap_bytes_per_s, touch_pages_per_s, max_time_s: LONGEST_S, costs })
}

/// What the model expects of a trial, fed with what was measured of it.
///
/// # Errors
/// Why it cannot say.
pub fn of_measured(
    settings: &Settings,
    policy: &str,
    metrics: &BTreeMap<String, Metric>,
) -> Result<Prediction, String> {
    let mut settings = settings.clone();
    let policy = match policy {
        "qemu" => Policy::Qemu,
        "proxmox" => {
            // Proxmox has no cap of its own.
            if settings.bandwidth_limit == BandwidthLimit::Default {
                settings.bandwidth_limit = BandwidthLimit::Unlimited;
            }
            Policy::Proxmox
        }
        _ => return Err(format!("the model does not know the policy `{policy}`")),
    };
    Ok(scenario(&settings, policy, &known(&settings, metrics)?).predict())
}

/// Adds those metrics for a trial of which the model cannot say anything, and why.
pub fn none(metrics: &mut BTreeMap<String, Metric>, why: &str) {
    const ALL: [&str; 8] = [
        metric::STOP_OVER_THRESHOLD,
        metric::PREDICTED_TOTAL_TIME,
        metric::PREDICTED_STREAM_BYTES,
        metric::PREDICTED_DOWNTIME,
        metric::PREDICTED_ROUNDS,
        metric::MODEL_ERROR_TOTAL_TIME,
        metric::MODEL_ERROR_STREAM_BYTES,
        metric::MODEL_ERROR_DOWNTIME,
    ];
    metrics.extend(ALL.map(|name| (name.to_owned(), Metric::Unavailable(why.to_owned()))));
}

/// Adds to a trial's metrics those that compare it with the model.
pub fn add(metrics: &mut BTreeMap<String, Metric>, settings: &Settings, policy: &str) {
    let prediction = of_measured(settings, policy, metrics);
    let expected = |value: fn(&Prediction) -> f64, scale: f64| match &prediction {
        Ok(expected) if expected.converged => Ok(value(expected) * scale),
        Ok(_) => Err("the model does not expect it to converge".to_owned()),
        Err(why) => Err(why.clone()),
    };
    let total_time = expected(|expected| expected.total_time_s, 1e3);
    let stream_bytes = expected(|expected| expected.stream_bytes, 1.0);
    let downtime = expected(|expected| expected.downtime_s, 1e3);
    let rounds = expected(|expected| f64::from(expected.rounds), 1.0);
    let error = |expected: &Result<f64, String>, name: &str| {
        // What was sent of a migration that was cut short is not what was predicted.
        value(metrics, metric::TOTAL_TIME)?;
        let measured = value(metrics, name)?;
        Ok(100.0 * (expected.clone()? - measured) / measured)
    };
    let over_threshold = || {
        let threshold =
            value(metrics, metric::THROUGHPUT)? * settings.downtime_limit.duration().as_secs_f64();
        Ok(value(metrics, metric::STOP_BYTES)? / threshold)
    };
    let found = [
        (metric::STOP_OVER_THRESHOLD, over_threshold(), "derived", 0.001),
        (metric::MODEL_ERROR_TOTAL_TIME, error(&total_time, metric::TOTAL_TIME), "model", 0.01),
        (
            metric::MODEL_ERROR_STREAM_BYTES,
            error(&stream_bytes, metric::STREAM_BYTES),
            "model",
            0.01,
        ),
        (metric::MODEL_ERROR_DOWNTIME, error(&downtime, metric::DOWNTIME_REPORTED), "model", 0.01),
        (metric::PREDICTED_TOTAL_TIME, total_time, "model", 1.0),
        (metric::PREDICTED_STREAM_BYTES, stream_bytes, "model", 1.0),
        (metric::PREDICTED_DOWNTIME, downtime, "model", 1.0),
        (metric::PREDICTED_ROUNDS, rounds, "model", 1.0),
    ];
    for (name, found, source, resolution) in found {
        let unit = metric::definition(name).map_or("", |definition| definition.unit).to_owned();
        let metric = match found {
            Ok(value) => Metric::Measured(Measured {
                value,
                unit,
                source: source.to_owned(),
                resolution,
                interval: None,
            }),
            Err(why) => Metric::Unavailable(why),
        };
        metrics.insert(name.to_owned(), metric);
    }
}

fn value(metrics: &BTreeMap<String, Metric>, name: &str) -> Result<f64, String> {
    match metrics.get(name) {
        Some(Metric::Measured(measured)) => Ok(measured.value),
        Some(Metric::Unavailable(why)) => Err(why.clone()),
        None => Err(format!("`{name}` was not measured")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixture, record::Record};

    fn compared(mut record: Record) -> Record {
        add(&mut record.metrics, &record.settings.clone(), &record.policy.clone());
        record
    }

    #[test]
    fn a_completed_trial_has_its_prediction_and_the_errors() {
        let record = compared(fixture::completed(0, 5000));
        let of = |name: &str| value(&record.metrics, name).unwrap();
        for (error, predicted, measured) in [
            (metric::MODEL_ERROR_TOTAL_TIME, metric::PREDICTED_TOTAL_TIME, metric::TOTAL_TIME),
            (
                metric::MODEL_ERROR_STREAM_BYTES,
                metric::PREDICTED_STREAM_BYTES,
                metric::STREAM_BYTES,
            ),
            (metric::MODEL_ERROR_DOWNTIME, metric::PREDICTED_DOWNTIME, metric::DOWNTIME_REPORTED),
        ] {
            let should_be = 100.0 * (of(predicted) - of(measured)) / of(measured);
            assert!((of(error) - should_be).abs() < 1e-9, "{error}");
        }
        let threshold = of(metric::THROUGHPUT) * 0.3;
        let over = of(metric::STOP_BYTES) / threshold;
        assert!((of(metric::STOP_OVER_THRESHOLD) - over).abs() < 1e-12);
        assert!(of(metric::PREDICTED_ROUNDS) >= 1.0);
    }

    #[test]
    fn one_that_did_not_complete_says_why_there_is_no_error() {
        let why = |record: &Record, name: &str| value(&record.metrics, name).unwrap_err();
        let record = compared(fixture::not_converged(0, 20_000));
        assert_eq!(why(&record, metric::MODEL_ERROR_DOWNTIME), "the migration did not complete");
        let expected = "the model does not expect it to converge";
        assert_eq!(why(&record, metric::PREDICTED_TOTAL_TIME), expected);
        let invalid = compared(fixture::invalid(0, 20_000));
        assert_eq!(why(&invalid, metric::PREDICTED_DOWNTIME), "`throughput` was not measured");
        let mut other = fixture::completed(0, 5000);
        other.policy = "mine".to_owned();
        let other = compared(other);
        let expected = "the model does not know the policy `mine`";
        assert_eq!(why(&other, metric::PREDICTED_ROUNDS), expected);
    }

    /// The link's share is that of the records' throughput: 47.82 MB/s at 400 Mbit/s.
    #[test]
    fn the_payload_of_a_link() {
        let payload = payload_bytes_per_s("400 Mbit/s".parse().unwrap());
        assert!((payload / 47.82e6 - 1.0).abs() < 1e-4, "{payload}");
    }
}
