//! Trials on machines that are reached by SSH: the nodes of a lab of namespaces, with true SSH
//! servers inside, so that nothing goes by shared files, sockets or a shared supervisor.

use crate::support::{
    Sandbox,
    check::{measured, verified, well_formed},
    ssh_nodes::{NODES, SshNodes},
};
use harness::{
    metric,
    record::{Metric, Outcome, Record},
};

/// Four trials of some seconds; the migration is slow enough to be hit.
const EXPERIMENT: &str = "
name: by-ssh
replicates: 4
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
    let file = sandbox.file("by-ssh.experiment.yaml", EXPERIMENT);
    let hosts = nodes.hosts.as_str();
    let (runs, baselines) = (sandbox.runs(), sandbox.baselines());
    let folders = ["--out", runs.as_str(), "--baselines", baselines.as_str()];
    let experiment = |patience: &str| {
        let args =
            ["experiment", file.as_str(), "--json", "--lab", hosts, "--node-patience", patience];
        sandbox.start(&[&args, &folders[..]].concat())
    };

    // A trial is well; in the next a node dies and is back at once; then one dies for good.
    let mut running = experiment("2 s");
    running.line(|line| line.contains("[1/4] completed"));
    let (_, target) = running.until("a migration", || nodes.migrating());
    nodes.cut(&target);
    let failed = running.line(|line| line.contains("[2/4]"));
    assert!(failed.contains("failed"), "{failed}");
    running.line(|line| line.contains(&format!("[3/4] {target} does not answer: waiting for it")));
    let (source, _) = running.until("a migration", || nodes.migrating());
    nodes.let_in(&source, false);
    nodes.cut(&source);
    let ended = running.end();
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("{source} is gone, and did not come back")));
    assert!(ended.stderr.contains("runs the missing trials"), "{}", ended.stderr);

    // What there is: two failed trials that name the nodes.
    let run = sandbox.run();
    let records = run.records().expect("read").records;
    let outcomes: Vec<_> = records.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::Completed, Outcome::Failed, Outcome::Failed]);
    let reason = |index: usize| records[index].reason.clone().expect("a reason");
    assert!(reason(1).starts_with(&format!("{target}, the target, was lost: ")), "{}", reason(1));
    assert!(reason(2).starts_with(&format!("{source}, the source, was lost: ")), "{}", reason(2));

    nodes.let_in(&source, true);
    sandbox.resume(&run).succeed();
    let records = run.records().expect("read").records;
    records.iter().for_each(well_formed);
    assert_eq!((records.len(), records[3].outcome), (4, Outcome::Completed));
    for record in [&records[0], &records[3]] {
        verified(record);
        by_two_clocks(record);
    }
    let manifest = run.manifest().expect("read");
    let named: Vec<_> = manifest.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(named, NODES);
    for node in NODES {
        // Each has its own copy of the guest and of the observer.
        let files = sandbox.path().join(format!("{node}.files/files"));
        assert_eq!(files.read_dir_utf8().expect("delivered").count(), 2, "{files}");
    }
    nodes.down();
    sandbox.assert_nothing_left();
}

/// Clocks were measured, found to be this machine's, and are said to be uncertain.
fn by_two_clocks(record: &Record) {
    let clocks = record.clocks.expect("measured");
    for clock in [clocks.source, clocks.target, clocks.witness] {
        for read in [clock.before, clock.after.expect("read after, too")] {
            assert!(read.offset_ns.unsigned_abs() <= read.error_ns, "{read:?}");
            assert!((1..50_000_000).contains(&read.error_ns), "{read:?}");
        }
    }
    match &record.metrics[metric::VCPU_PAUSE] {
        Metric::Measured(pause) => {
            assert_eq!(pause.source, "qmp events, two clocks");
            let [low, high] = pause.interval.expect("uncertain");
            assert!(low < pause.value && pause.value < high, "{pause:?}");
            // The clocks are one, so this is true whatever was measured of them.
            assert!(low <= measured(record, metric::DOWNTIME_REPORTED) + 50.0, "{pause:?}");
        }
        Metric::Unavailable(why) => assert!(why.starts_with("below resolution"), "{why}"),
    }
}
