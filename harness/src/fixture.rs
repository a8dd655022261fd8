//! Records as a real run makes them, for the tests of everything after the record. The numbers
//! are in the range measured on two cores under TCG with QEMU 10.0.2.

use crate::link_check::LinkCheck;
use crate::metric;
use crate::record::{Measured, Metric, Outcome, Phases, Record, Roles, Round, SCHEMA};
use crate::run_folder::{Git, Guest, Host, MANIFEST_SCHEMA, Manifest, Qemu};
use crate::series::{Beat, Event, Sample, Series, Side};
use crate::settings::Settings;
use serde_json::json;
use std::collections::BTreeMap;

const MIB: f64 = 1024.0 * 1024.0;
const MEMORY_MIB: f64 = 256.5;

pub const RUN: &str = "20261122T124637Z-quick";

/// A number in `0.0..1.0` that differs from trial to trial and is the same in every test run.
fn wobble(trial: u32, salt: u32) -> f64 {
    let mixed = trial.wrapping_mul(2_654_435_761).wrapping_add(salt.wrapping_mul(40_503));
    f64::from((mixed ^ (mixed >> 15)) % 1000) / 1000.0
}

fn settings(touch_rate: u32, link_rate: &str) -> Settings {
    serde_json::from_value(json!({
        "memory": "256 MiB", "working_set": "32 MiB", "filled": "64 MiB",
        "touch_rate": format!("{touch_rate} pages/s"), "pattern": "random", "content": "random",
        "link_rate": link_rate, "bandwidth_limit": "1 GiB/s", "downtime_limit": "300 ms",
    }))
    .unwrap()
}

fn record(trial: u32, touch_rate: u32, link_rate: &str, outcome: Outcome) -> Record {
    let started: jiff::Timestamp = "2026-11-22T12:46:38.125Z".parse().unwrap();
    let mut record = Record {
        schema: SCHEMA,
        run: RUN.to_owned(),
        trial,
        block: trial / 5,
        cell: format!("touch_rate={touch_rate} pages/s, link_rate={link_rate}"),
        started: started + jiff::SignedDuration::from_millis(3000 * i64::from(trial)),
        roles: Roles { source: "node1".into(), target: "node2".into(), witness: "node3".into() },
        settings: settings(touch_rate, link_rate),
        programs: None,
        guest: None,
        policy: "qemu".into(),
        outcome,
        reason: None,
        metrics: BTreeMap::new(),
        rounds: Vec::new(),
        phases: Phases {
            start_s: 0.09 + 0.1 * wobble(trial, 1),
            fill_s: 0.08 + 0.02 * wobble(trial, 2),
            gate_s: 1.05 + 0.1 * wobble(trial, 3),
            migrate_s: 0.0,
            verify_s: 0.027,
            tear_down_s: 0.02 + 0.01 * wobble(trial, 4),
            wall_s: 0.0,
            overhead_s: 0.0,
        },
        host_load: 0.8,
        clocks: None,
        lab_faults: Vec::new(),
    };
    let rate = f64::from(touch_rate);
    set(&mut record, metric::TOUCH_RATE_SET, rate, "settings", 1.0);
    set(&mut record, metric::TOUCH_RATE_BEFORE, rate * 0.999, "heartbeats", 1.0);
    set(&mut record, metric::HEARTBEAT_JITTER, 0.1 + wobble(trial, 5), "observer", 0.001);
    record
}

fn set(record: &mut Record, name: &str, value: f64, source: &str, resolution: f64) {
    let unit = metric::definition(name).expect("a metric of ours").unit.to_owned();
    record.metrics.insert(
        name.to_owned(),
        Metric::Measured(Measured {
            value,
            unit,
            source: source.into(),
            resolution,
            interval: None,
        }),
    );
}

fn unavailable(record: &mut Record, names: &[&str], reason: &str) {
    for name in names {
        record.metrics.insert((*name).to_owned(), Metric::Unavailable(reason.to_owned()));
    }
}

/// What is known of a migration that was under way: throughput in MiB/s, seconds, MiB sent.
fn migrated(record: &mut Record, throughput: f64, seconds: f64, sent: f64, rounds: u32) {
    let rate = f64::from(record.settings.touch_rate.0);
    set(record, metric::SETUP_TIME, 3.0, "query-migrate", 1.0);
    set(record, metric::STREAM_BYTES, (sent * MIB).floor(), "query-migrate", 1.0);
    set(record, metric::WIRE_BYTES, (sent * MIB * 1.037).floor(), "interface counters", 1.0);
    set(record, metric::NORMAL_PAGES, (sent * 255.5).floor(), "query-migrate", 1.0);
    set(record, metric::ZERO_PAGES, 49_128.0, "query-migrate", 1.0);
    set(record, metric::AMPLIFICATION, sent / 65.2, "derived", 0.001);
    set(record, metric::ROUNDS, f64::from(rounds), "qmp events", 1.0);
    set(record, metric::SYNC_COUNT, f64::from(rounds + 2), "query-migrate", 1.0);
    set(record, metric::THROUGHPUT, throughput * MIB, "derived", 1.0);
    set(record, metric::EXPECTED_DOWNTIME, 210.0, "query-migrate", 1.0);
    set(record, metric::TOUCH_RATE_DURING, rate * 0.96, "heartbeats", 1.0);
    set(record, metric::GUEST_SLOWDOWN, 3.9, "heartbeats", 0.1);
    set(record, metric::HEARTBEAT_DELAY, 0.412, "observer and guest", 0.001);
    set(record, metric::HEARTBEATS_LOST, 0.0, "observer", 0.1);
    set(record, metric::DIRTY_RATE, rate * 0.93 * 4096.0, "query-migrate", 4096.0);
    set(record, metric::VERIFY_TIME, 24.6, "guest", 0.001);
    record.rounds = (1..=rounds + 1)
        .map(|number| Round {
            number,
            start_s: f64::from(number - 1) * seconds / f64::from(rounds + 1),
            duration_s: seconds / f64::from(rounds + 1),
            bytes: Some((sent * MIB / f64::from(rounds + 1)) as u64),
            remaining_bytes: Some((20.0 * MIB) as u64),
            stopped: false,
        })
        .collect();
    record.phases.migrate_s = seconds + 0.08;
}

fn verified(record: &mut Record, wrong: f64) {
    set(record, metric::PAGES_CHECKED, 65_104.0, "guest", 1.0);
    set(record, metric::PAGES_WRONG, wrong, "guest", 1.0);
    set(record, metric::COUNTER_BEHIND, 0.0, "observer", 1.0);
}

fn finish(mut record: Record, total_time_s: f64) -> Record {
    let phases = &mut record.phases;
    phases.wall_s = phases.start_s
        + phases.fill_s
        + phases.gate_s
        + phases.migrate_s
        + phases.verify_s
        + phases.tear_down_s;
    phases.overhead_s = phases.wall_s - total_time_s - phases.gate_s - phases.verify_s;
    record
}

/// Converged in about 0.65 s at 1 Gbit/s.
pub fn completed(trial: u32, touch_rate: u32) -> Record {
    let mut record = record(trial, touch_rate, "1 Gbit/s", Outcome::Completed);
    let sent = 66.0 + f64::from(touch_rate) / 1000.0 + wobble(trial, 6);
    let total = (9.2 * sent + 20.0 * wobble(trial, 7)).round();
    migrated(&mut record, sent / (total - 3.0) * 1000.0, total / 1000.0, sent, 1);
    let downtime = (86.0 + f64::from(touch_rate) / 2000.0 + 8.0 * wobble(trial, 8)).round();
    set(&mut record, metric::TOTAL_TIME, total, "query-migrate", 1.0);
    set(&mut record, metric::DOWNTIME_REPORTED, downtime, "query-migrate", 1.0);
    set(&mut record, metric::VCPU_PAUSE, downtime + 22.137, "qmp events", 0.001);
    set(&mut record, metric::SERVICE_GAP, downtime + 26.412, "observer", 0.001);
    if let Some(Metric::Measured(gap)) = record.metrics.get_mut(metric::SERVICE_GAP) {
        gap.interval = Some([gap.value - 0.6, gap.value + 1.6]);
    }
    set(&mut record, metric::STOP_BYTES, 9_437_184.0, "query-migrate", 1.0);
    set(&mut record, metric::NOMINAL_SPEED, MEMORY_MIB * MIB / total * 1000.0, "derived", 1.0);
    unavailable(&mut record, &[metric::REMAINING], "the migration completed");
    verified(&mut record, 0.0);
    record.rounds.last_mut().unwrap().stopped = true;
    finish(record, total / 1000.0)
}

/// Cancelled after 10 s at 100 Mbit/s.
pub fn not_converged(trial: u32, touch_rate: u32) -> Record {
    let mut record = record(trial, touch_rate, "100 Mbit/s", Outcome::NotConverged);
    let throughput = 11.4 + 0.2 * wobble(trial, 6);
    migrated(&mut record, throughput, 10.0, throughput * 10.0, 3);
    let dirty = f64::from(touch_rate) * 0.93 / 256.0;
    record.reason = Some(format!(
        "dirtied {dirty:.1} MiB/s while {throughput:.1} MiB/s were sent; cancelled after max_time, 10 s"
    ));
    set(&mut record, metric::REMAINING, 31.0 * MIB, "query-migrate", 4096.0);
    let none = [
        metric::TOTAL_TIME,
        metric::DOWNTIME_REPORTED,
        metric::VCPU_PAUSE,
        metric::SERVICE_GAP,
        metric::STOP_BYTES,
        metric::NOMINAL_SPEED,
    ];
    unavailable(&mut record, &none, "the migration did not complete");
    verified(&mut record, 0.0);
    finish(record, 10.0)
}

/// The source's QEMU died on the way.
pub fn failed(trial: u32, touch_rate: u32) -> Record {
    let mut record = record(trial, touch_rate, "100 Mbit/s", Outcome::Failed);
    record.reason = Some(
        "QEMU of the source (node1) ended with signal 9 during the migration; its last words: none | see logs/".into(),
    );
    let all: Vec<&str> = metric::ALL
        .iter()
        .map(|definition| definition.name)
        .filter(|name| !record.metrics.contains_key(*name))
        .collect();
    unavailable(&mut record, &all, "QEMU died");
    finish(record, 0.0)
}

/// Completed, with pages that hold something else.
pub fn corrupt(trial: u32, touch_rate: u32) -> Record {
    let mut record = completed(trial, touch_rate);
    record.outcome = Outcome::Corrupt;
    record.reason =
        Some("412 of 65104 pages do not hold what was written (first: page 8211)".into());
    verified(&mut record, 412.0);
    record
}

/// The gate did not open.
pub fn invalid(trial: u32, touch_rate: u32) -> Record {
    let mut record = record(trial, touch_rate, "1 Gbit/s", Outcome::Invalid);
    let achieved = f64::from(touch_rate) * (0.82 + 0.01 * wobble(trial, 9));
    set(&mut record, metric::TOUCH_RATE_BEFORE, achieved.round(), "heartbeats", 1.0);
    record.reason = Some(format!(
        "touch rate {achieved:.0} pages/s, more than 2 % from the {touch_rate} asked for"
    ));
    finish(record, 0.0)
}

/// One of the five above.
pub fn of_outcome(which: usize, trial: u32, touch_rate: u32) -> Record {
    [completed, not_converged, failed, corrupt, invalid][which](trial, touch_rate)
}

/// A run of five cells, five trials each, with every outcome that the harness itself makes.
pub fn records() -> Vec<Record> {
    (0..5)
        .flat_map(|block| {
            let trial = block * 5;
            let last = block == 4;
            [
                completed(trial, 5000),
                if last { corrupt(trial + 1, 20_000) } else { completed(trial + 1, 20_000) },
                not_converged(trial + 2, 5000),
                if last { failed(trial + 3, 20_000) } else { not_converged(trial + 3, 20_000) },
                invalid(trial + 4, 50_000),
            ]
        })
        .collect()
}

pub fn manifest() -> Manifest {
    Manifest {
        schema: MANIFEST_SCHEMA,
        run: RUN.to_owned(),
        created: "2026-11-22T12:46:37.5Z".parse().unwrap(),
        name: "quick".to_owned(),
        experiment_file: Some("experiments/quick.yaml".into()),
        experiment: json!({"name": "quick", "replicates": 5, "max_time": "10 s"}),
        plan_hash: "5c1f0d8e".repeat(8),
        planned_trials: 25,
        planned_cells: 5,
        lab_file: Some("labs/local.yaml".into()),
        lab: json!({"name": "local", "provider": "netns"}),
        seed: 20_261_122,
        versions: [("iproute2", "6.1.0"), ("qemu", "10.0.2")]
            .map(|(name, version)| (name.to_owned(), version.to_owned()))
            .into(),
        host: Host {
            kernel: "6.1.0-28-amd64".to_owned(),
            cpu_model: "Intel(R) Xeon(R) CPU @ 2.20GHz".to_owned(),
            cpu_count: 2,
            memory_bytes: 8_326_815_744,
        },
        nodes: Vec::new(),
        accelerator: "tcg".to_owned(),
        accelerator_reason: "under KVM the guest filled 0.4 MiB/s, under TCG 830 MiB/s".to_owned(),
        guest: Guest { kind: "bare-metal".to_owned(), sha256: "9b74c989".repeat(8) },
        qemu: Qemu {
            path: "/usr/bin/qemu-system-x86_64".into(),
            version: "10.0.2".to_owned(),
            sha256: "0a4d55a8".repeat(8),
        },
        qemus: BTreeMap::new(),
        machine: None,
        git: Some(Git { commit: "48f4d1d0".repeat(5), dirty: true }),
        harness_version: "0.1.0".to_owned(),
        metric_definitions: metric::DEFINITIONS,
        link_checks: vec![LinkCheck {
            from: "node1".to_owned(),
            to: "node2".to_owned(),
            network: crate::settings::MigrationNetwork::Dedicated,
            set: "1 Gbit/s".parse().ok(),
            carried_bits_per_s: 951e6,
        }],
        lab_checks: Vec::new(),
        filter: None,
        shard: None,
        warnings: Vec::new(),
    }
}

pub fn series() -> Series {
    let mut series = Series::new();
    series.samples = (0..20u32)
        .map(|at| Sample {
            t_s: f64::from(at) * 0.05,
            status: "active".to_owned(),
            transferred_bytes: Some(u64::from(at) * 5_000_000),
            mbps: (at > 1).then_some(941.37),
            ..Sample::default()
        })
        .collect();
    series.events = vec![Event {
        t_s: 0.566,
        side: Side::Source,
        name: "MIGRATION_PASS".to_owned(),
        data: json!({"pass": 2}),
    }];
    series.beats = (0..1000)
        .map(|at| Beat {
            observer_ns: 7_000_000_000 + at * 1_000_100,
            sequence: at,
            guest_ns: at * 1_000_000,
            state: 2,
            pages_written: at * 5,
            disk_writes: 0,
        })
        .collect();
    series
}
