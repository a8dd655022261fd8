//! What Proxmox adds, from what it writes and from what was heard of both QEMUs.

use super::*;
use crate::{fixture, record::Metric, trial::measure::metrics};
use lab::hypervisor::{
    proxmox::migration_log,
    qemu::{
        Event,
        migration::{End, Sample},
    },
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A log as Proxmox VE 9 writes it.
const LINES: [&str; 8] = [
    "2026-11-22 10:00:00 starting migration of VM 9900 to node 'pve2' (192.0.2.12)",
    "2026-11-22 10:00:02 migration downtime limit: 20 ms",
    "2026-11-22 10:00:02 start migrate command to tcp:192.0.2.12:60000",
    "2026-11-22 10:00:05 auto-increased downtime to continue migration: 40 ms",
    "2026-11-22 10:00:09 auto-increased downtime to continue migration: 80 ms",
    "2026-11-22 10:00:12 average migration speed: 28.0 MiB/s - downtime 59 ms",
    "2026-11-22 10:00:12 migration status: completed",
    "TASK OK",
];

fn sample(at_s: f64, status: &str, total_ms: u32) -> Sample {
    Sample { at_s, raw: json!({ "status": status, "total-time": total_ms, "downtime": 59 }) }
}

/// A migration that QEMU began after 2 s and had done at 12 s; the guest ran again at 12.6 s.
fn seen(samples: Vec<Sample>, with_events: bool) -> Observed {
    let settings = fixture::completed(0, 5000).settings;
    let mut log = MigrationLog {
        asked_wall_ns: 1_800_000_000_000_000_000,
        asked: Instant::now(),
        end: End::Completed(samples.last().map_or(Value::Null, |last| last.raw.clone())),
        samples,
        events: Vec::new(),
    };
    let mut add = |side, name: &str, data: Value, at_s: f64| {
        let event = Event { name: name.to_owned(), data, host_us: 0 };
        log.events.push(SideEvent { side, at_s, event });
    };
    add(Side::Source, "STOP", Value::Null, 11.9);
    if with_events {
        add(Side::Source, "MIGRATION", json!({ "status": "completed" }), 12.0);
    }
    add(Side::Target, "RESUME", Value::Null, 12.6);
    let told =
        Told { task: migration_log::MigrationLog::read(LINES), began_s: Some(2.0), end_s: 12.6 };
    Observed {
        by_proxmox: true,
        began_s: 2.0,
        migration_s: 12.6,
        migration: Some(log),
        told: Some(told),
        ..Observed::new(settings, Duration::from_millis(1))
    }
}

fn value(observed: &Observed, name: &str) -> Measured {
    match &metrics(observed)[name] {
        Metric::Measured(measured) => measured.clone(),
        Metric::Unavailable(why) => panic!("{name}: {why}"),
    }
}

fn why(observed: &Observed, name: &str) -> String {
    match &metrics(observed)[name] {
        Metric::Measured(measured) => panic!("{name}: {measured:?}"),
        Metric::Unavailable(why) => why.clone(),
    }
}

#[test]
fn its_own_figures_are_kept_as_what_they_are() {
    let observed =
        seen(vec![sample(11.9, "active", 9900), sample(12.02, "completed", 10_000)], true);
    let of = |name| value(&observed, name).value;
    assert_eq!(of(metric::PROXMOX_DOWNTIME), 59.0);
    assert_eq!(of(metric::PROXMOX_SPEED), 28.0 * 1_048_576.0);
    assert_eq!((of(metric::LAST_DOWNTIME_LIMIT), of(metric::LIMIT_INCREASES)), (80.0, 2.0));
    assert_eq!(of(metric::BEGIN_DELAY), 2000.0);
    assert_eq!(of(metric::TOTAL_TIME), 10_000.0);
    let delay = value(&observed, metric::RESUME_DELAY);
    assert!((delay.value - 600.0).abs() < 1e-6 && delay.interval.is_none(), "{delay:?}");
    assert_eq!(metrics(&observed).len(), metric::ALL.len() + metric::OF_PROXMOX.len());
}

#[test]
fn without_the_event_the_answers_around_it_are_an_interval() {
    let observed =
        seen(vec![sample(11.9, "active", 9900), sample(12.02, "completed", 10_000)], false);
    let delay = value(&observed, metric::RESUME_DELAY);
    let [low, high] = delay.interval.expect("uncertain");
    assert!((low - 580.0).abs() < 1e-6 && (high - 700.0).abs() < 1e-6, "{delay:?}");
    assert!(low <= delay.value && delay.value <= high);
}

#[test]
fn what_was_said_before_the_end_is_no_total() {
    let observed = seen(vec![sample(10.0, "active", 8000)], false);
    let gone = "the source's QEMU was gone before it could tell its totals";
    assert_eq!(why(&observed, metric::TOTAL_TIME), gone);
    assert_eq!(why(&observed, metric::STREAM_BYTES), gone);
    assert_eq!(why(&observed, metric::RESUME_DELAY), "the source's QEMU was not heard to be done");
    // The pause is told by events alone.
    assert_eq!(value(&observed, metric::VCPU_PAUSE).value.round(), 700.0);
}

#[test]
fn other_hypervisors_have_none_of_it() {
    let observed = Observed { by_proxmox: false, told: None, ..seen(Vec::new(), true) };
    let metrics = metrics(&observed);
    assert!(metric::OF_PROXMOX.iter().all(|definition| !metrics.contains_key(definition.name)));
    assert_eq!(metrics.len(), metric::ALL.len());
    let unbegun = Observed { migration: None, told: None, ..seen(Vec::new(), true) };
    assert_eq!(why(&unbegun, metric::LAST_DOWNTIME_LIMIT), NO_MIGRATION);
}
