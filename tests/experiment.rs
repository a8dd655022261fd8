//! The main job on real QEMU: one migration that converges, one that cannot, and input that must
//! be refused before anything starts.

use crate::support::{
    Sandbox,
    check::{measured, value, verified, well_formed},
    lax,
};
use harness::{
    metric,
    record::{Metric, Outcome, Record},
    run_folder::RunFolder,
};

const CALM: &str = "
name: calm
replicates: 2
max_time: 30 s
factors:
  memory: 64 MiB
  working_set: 8 MiB
  touch_rate: 1000 pages/s
  link_rate: 1 Gbit/s
";

/// The working set is touched at six times what the link carries, so that it does not converge even
/// when the machine is busy with others.
const BUSY: &str = "
name: busy
replicates: 1
max_time: 5 s
factors:
  memory: 64 MiB
  working_set: 8 MiB
  touch_rate: 20000 pages/s
  link_rate: 100 Mbit/s
  downtime_limit: 50 ms
";

const MIB: f64 = 1_048_576.0;
const PAGE: f64 = 4096.0;

#[test]
fn a_calm_guest_converges_and_is_measured() {
    let sandbox = Sandbox::new();
    let ended = sandbox.experiment(&sandbox.file("calm.yaml", &lax(CALM))).succeed();
    let run = sandbox.run();
    let records = run.records().expect("read");
    assert!(records.faults.is_empty(), "{:?}", records.faults);
    let [first, second] = &records.records[..] else { panic!("{:#?}", records.records) };
    for (number, record) in [first, second].into_iter().enumerate() {
        assert_eq!(record.trial as usize, number);
        completed(record);
    }
    assert_ne!(first.roles, second.roles, "roles take turns");

    let report: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON on stdout");
    assert_eq!(report["complete"], true);
    assert_eq!(report["summary"]["outcomes"], serde_json::json!({ "completed": 2 }));
    files_are_there(&run);
    sandbox.assert_nothing_left();
}

fn completed(record: &Record) {
    assert_eq!(record.outcome, Outcome::Completed, "{:?}", record.reason);
    well_formed(record);
    verified(record);

    // The reference study's four, under the names they have here.
    let total_ms = measured(record, metric::TOTAL_TIME);
    let downtime_ms = measured(record, metric::DOWNTIME_REPORTED);
    let stream = measured(record, metric::STREAM_BYTES);
    let nominal = measured(record, metric::NOMINAL_SPEED);
    let speed = measured(record, metric::THROUGHPUT);
    assert!(total_ms > downtime_ms && downtime_ms > 0.0, "{total_ms} {downtime_ms}");
    assert!((nominal - 64.0 * MIB / (total_ms / 1e3)).abs() < 1.0, "{nominal}");
    // A link of 1 Gbit/s cannot carry more.
    assert!(speed > MIB && speed < 1.1 * 125e6, "{speed}");

    let wire = measured(record, metric::WIRE_BYTES);
    assert!(wire >= 0.98 * stream, "{wire} on the wire, {stream} on the stream");
    assert!(measured(record, metric::ROUNDS) >= 1.0);
    assert!(!record.rounds.is_empty() && record.rounds.iter().any(|round| round.stopped));

    outage_holds_the_pause(record);
    pages_fit_the_guest(record, total_ms);
}

/// The outage that the witness saw holds the time in which no vCPU ran, and little more.
fn outage_holds_the_pause(record: &Record) {
    let pause_ms = measured(record, metric::VCPU_PAUSE);
    let jitter_ms = measured(record, metric::HEARTBEAT_JITTER);
    match &record.metrics[metric::SERVICE_GAP] {
        Metric::Measured(gap) => {
            let [_, most_ms] = gap.interval.expect("an interval");
            assert!(
                most_ms + gap.resolution >= pause_ms,
                "{gap:?}, a pause of {pause_ms} ms, a jitter of {jitter_ms} ms"
            );
            assert!(gap.value < pause_ms + 1000.0, "{gap:?}, a pause of {pause_ms} ms");
        }
        // On a machine that is busy otherwise, beats come as unevenly as that.
        Metric::Unavailable(reason) => {
            assert!(reason.starts_with("below resolution"), "{reason}");
            assert!(pause_ms < jitter_ms + 2.0, "{reason}; a pause of {pause_ms} ms");
        }
    }
}

/// 8 MiB are filled; the rest is zero but for the guest's own and the firmware's.
fn pages_fit_the_guest(record: &Record, total_ms: f64) {
    let (all, filled) = (64.0 * MIB / PAGE, 8.0 * MIB / PAGE);
    let normal = measured(record, metric::NORMAL_PAGES);
    let zero = measured(record, metric::ZERO_PAGES);
    // Its image, firmware and ROMs, and what it dirties itself round by round.
    let own = 1000.0;
    let touched = (1000.0 * total_ms / 1e3 * 1.1).ceil();
    assert!(normal >= filled, "{normal} pages are fewer than are filled");
    assert!(normal <= filled + touched + own, "{normal} pages, of which {touched} touched");
    assert!(zero >= all - filled - own, "{zero} zero pages");
    assert!(normal + zero >= all, "{normal} and {zero} pages of {all}");
}

fn files_are_there(run: &RunFolder) {
    let report = std::fs::read_to_string(run.report_path()).expect("report.md");
    for name in ["downtime", "migration time", "transferred size", "migration speed"] {
        assert!(report.to_lowercase().contains(name), "no {name} in\n{report}");
    }
    let summary = std::fs::read(run.path().join("summary.json")).expect("summary.json");
    let summary: serde_json::Value = serde_json::from_slice(&summary).expect("JSON");
    assert_eq!(summary["trials"], 2);
    let manifest = run.manifest().expect("manifest.json");
    assert_eq!(manifest.link_checks.len(), 1);
}

#[test]
fn a_guest_that_dirties_faster_than_the_link_carries_does_not_converge() {
    let sandbox = Sandbox::new();
    sandbox.experiment(&sandbox.file("busy.yaml", &lax(BUSY))).succeed();
    let run = sandbox.run();
    let records = run.records().expect("read").records;
    let [record] = &records[..] else { panic!("{records:#?}") };
    assert_eq!(record.outcome, Outcome::NotConverged, "{:?}", record.reason);
    well_formed(record);
    // The guest is back on the source, whole.
    verified(record);
    let reason = record.reason.as_deref().expect("a cause");
    for word in ["not converged after ", "MiB/s were sent", "50 ms was set"] {
        assert!(reason.contains(word), "no `{word}` in: {reason}");
    }
    assert!(measured(record, metric::REMAINING) > 0.0);
    assert!(measured(record, metric::ROUNDS) >= 1.0);
    assert_eq!(value(record, metric::DOWNTIME_REPORTED), None, "nothing was down");

    let series = run.series(record.trial).expect("the trace");
    let (Some(first), Some(last)) = (series.samples.first(), series.samples.last()) else {
        panic!("no samples")
    };
    let rate = series.samples.len() as f64 / (last.t_s - first.t_s);
    assert!(last.t_s > 4.5 && rate >= 5.0, "{rate} samples a second until {} s", last.t_s);
    assert!(series.events.iter().any(|event| event.name == "MIGRATION_PASS"));
    assert!(series.beats.as_slice().len() > 1000, "{}", series.beats.as_slice().len());
    sandbox.assert_nothing_left();
}

#[test]
fn bad_input_is_refused_before_anything_starts() {
    let sandbox = Sandbox::new();
    let text = CALM.replace("8 MiB", "80 MiB").replace("  link_rate", "  link_rat");
    let bad = sandbox.file("bad.yaml", &text);
    let ended = sandbox.experiment(&bad).end();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    // JSON was asked for, so the problems are on stdout, for a program.
    let said: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(said["problems"][0]["line"], 9, "{said:#}");

    let ended = sandbox.start(&["experiment", bad.as_str()]).end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("bad.yaml:9:3"), "{}", ended.stderr);
    assert!(ended.stderr.contains("did you mean `link_rate`?"), "{}", ended.stderr);

    let good = sandbox.file("good.yaml", CALM);
    let lab = "name: twins\nprovider: netns\nhypervisor: qemu\nnetworks:\n  guest: {cidr: 10.77.0.0/24}\n  migration: {cidr: 10.77.0.0/25}\n";
    let lab = sandbox.file("lab.yaml", lab);
    let ended = sandbox.start(&["experiment", good.as_str(), "--lab", lab.as_str()]).end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("lab.yaml:6:") && ended.stderr.contains("overlap"),
        "{}",
        ended.stderr
    );

    let lab = sandbox.file(
        "pve.yaml",
        "name: pve\nprovider: hosts\nhypervisor: proxmox\n\
         hosts: { node1: { ssh: a }, node2: { ssh: b }, node3: { ssh: c } }\n",
    );
    let ended = sandbox.start(&["experiment", good.as_str(), "--lab", lab.as_str()]).end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("nothing says where the API"), "{}", ended.stderr);

    for made in [sandbox.state(), sandbox.runs()] {
        assert!(!made.exists(), "{made} was made");
    }
    sandbox.assert_nothing_left();
}
