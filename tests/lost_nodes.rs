//! Trials on machines that are reached by SSH: the nodes of a lab of namespaces, with true SSH
//! servers inside, so that nothing goes by shared files, sockets or a shared supervisor.

use crate::support::{
    Sandbox,
    check::{measured, verified, well_formed},
    lax,
    ssh_nodes::{NODES, SshNodes},
};
use camino::Utf8Path;
use harness::{
    metric,
    record::{Metric, Outcome, Record},
    run_folder::RunFolder,
};

/// Two trials of some seconds; the migration is slow enough to be hit.
const EXPERIMENT: &str = "
name: by-ssh
replicates: 2
max_time: 10 s
heartbeat_interval: 2 ms
factors:
  memory: 96 MiB
  working_set: 64 MiB
  touch_rate: 1000 pages/s
  link_rate: 200 Mbit/s
  downtime_limit: 300 ms
";

#[test]
fn a_lost_node_costs_its_trial_and_no_more() {
    let sandbox = Sandbox::new();
    let Some(nodes) = SshNodes::up(&sandbox) else { return };
    let file = sandbox.file("by-ssh.experiment.yaml", &lax(EXPERIMENT));
    let baselines = sandbox.baselines();
    let experiment = |into: &str, more: &[&str]| {
        let out = sandbox.path().join(into);
        let lab = ["--lab", nodes.hosts.as_str(), "--out", out.as_str()];
        let own = ["experiment", file.as_str(), "--json", "--baselines", baselines.as_str()];
        (sandbox.start(&[&own, &lab[..], more].concat()), out)
    };

    // A node dies in the first trial, and is there again for the second.
    let (mut running, out) = experiment("back", &[]);
    let (_, target) = running.until("a migration", || nodes.migrating());
    nodes.cut(&target);
    let failed = running.line(|line| line.contains("[1/2]"));
    assert!(failed.contains("failed"), "{failed}");
    let next = running.line(|line| line.contains("[2/2]"));
    assert!(next.contains(&format!("{target} does not answer: waiting for it")), "{next}");
    running.succeed();
    let run = only(&out);
    let records = run.records().expect("read").records;
    let [lost, whole] = &records[..] else { panic!("{records:?}") };
    records.iter().for_each(well_formed);
    failed_for(lost, &format!("{target}, the target, was lost: "));
    assert_eq!(whole.outcome, Outcome::Completed, "{:?}", whole.reason);
    verified(whole);
    by_two_clocks(whole);
    let manifest = run.manifest().expect("read");
    let named: Vec<_> = manifest.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(named, NODES);
    for node in NODES {
        // Each has its own copy of the guest and of the observer.
        let files = sandbox.path().join(format!("{node}.files/files"));
        assert_eq!(files.read_dir_utf8().expect("delivered").count(), 2, "{files}");
    }

    // One that does not come back ends the run, which can be resumed.
    let (mut running, out) = experiment("gone", &["--node-patience", "1 s"]);
    let (source, _) = running.until("a migration", || nodes.migrating());
    nodes.let_in(&source, false);
    nodes.cut(&source);
    let ended = running.end();
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    let words = format!("{source} is gone, and did not come back within ");
    assert!(ended.stderr.contains(&words), "{}", ended.stderr);
    assert!(ended.stderr.contains("runs the missing trials"), "{}", ended.stderr);
    let run = only(&out);
    let [lost] = &run.records().expect("read").records[..] else { panic!("one was begun") };
    failed_for(lost, &format!("{source}, the source, was lost: "));
    nodes.let_in(&source, true);
    sandbox.resume(&run).succeed();
    let records = run.records().expect("read").records;
    let outcomes: Vec<_> = records.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Completed]);
    verified(&records[1]);

    nodes.down();
    sandbox.assert_nothing_left();
}

fn only(folder: &Utf8Path) -> RunFolder {
    let runs = RunFolder::list(folder).expect("listed");
    let [run] = &runs[..] else { panic!("expected one run: {runs:?}") };
    run.clone()
}

fn failed_for(record: &Record, why: &str) {
    let reason = record.reason.as_deref().unwrap_or_default();
    assert!(record.outcome == Outcome::Failed && reason.starts_with(why), "{record:#?}");
}

/// Clocks were measured, found to be this machine's, and are said to be uncertain.
fn by_two_clocks(record: &Record) {
    let clocks = record.clocks.expect("measured");
    for clock in [clocks.source, clocks.target, clocks.witness] {
        for read in [clock.before, clock.after.expect("read after, too")] {
            assert!(read.offset_ns.unsigned_abs() <= read.error_ns, "{read:?}");
            assert!((1..1_000_000_000).contains(&read.error_ns), "{read:?}");
        }
    }
    match &record.metrics[metric::VCPU_PAUSE] {
        Metric::Measured(pause) => {
            assert_eq!(pause.source, "qmp events, two clocks");
            let [low, high] = pause.interval.expect("uncertain");
            assert!(low < pause.value && pause.value < high, "{pause:?}");
            // The clocks are one, so this is true whatever was measured of them.
            assert!(low <= measured(record, metric::DOWNTIME_REPORTED) + 1000.0, "{pause:?}");
        }
        Metric::Unavailable(why) => assert!(why.starts_with("below resolution"), "{why}"),
    }
}
