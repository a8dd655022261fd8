//! Which network a guest is migrated over: by the counters of the nodes' links.

use crate::support::{
    Sandbox,
    check::{measured, verified, well_formed},
    lax,
};
use harness::{
    metric,
    record::{Metric, Outcome, Record},
};
use std::collections::BTreeMap;

const MIB: f64 = 1_048_576.0;
/// What is filled, and so has to go over some link.
const FILLED_MIB: u32 = 64;
const LINK_BYTES_PER_S: f64 = 50e6;

fn experiment(network: &str) -> String {
    format!(
        "name: {network}\nreplicates: 1\nfactors:\n  memory: 128 MiB\n  working_set: 8 MiB\n  \
         filled: {FILLED_MIB} MiB\n  touch_rate: 1000 pages/s\n  link_rate: 400 Mbit/s\n  \
         network: {network}\n"
    )
}

/// Neither link has a rate, so the check before an experiment sends nothing to measure one.
fn lab(sandbox: &Sandbox) -> String {
    let text = "name: twonets\nprovider: netns\nhypervisor: qemu\nnodes: [node1, node2, node3]\n\
                networks: {guest: {cidr: 10.77.0.0/24}, migration: {cidr: 10.78.0.0/24}}\n";
    sandbox.file("twonets.yaml", text).into_string()
}

#[test]
fn a_guest_goes_over_the_network_that_is_asked_for() {
    let sandbox = Sandbox::new();
    let lab = lab(&sandbox);
    let _lab_up = sandbox.start(&["lab-up", "--lab", &lab]).succeed();

    let before = sent(&sandbox, &lab);
    let dedicated = one_trial(&sandbox, &lab, "dedicated");
    let between = sent(&sandbox, &lab);
    let shared = one_trial(&sandbox, &lab, "shared");
    let after = sent(&sandbox, &lab);
    let links = shaping(&sandbox, &lab);
    let _lab_down = sandbox.start(&["lab-down", "--lab", &lab]).succeed();

    let over = |link: &str, from: &Sent, to: &Sent| (to[link] - from[link]) / MIB;
    let filled = f64::from(FILLED_MIB);
    // Requests and heartbeats, of 150 bytes or so, one in a millisecond, go over the guest link
    // in both; but for them and the resolution of addresses nothing goes over the other link.
    let (guest, migration) = (over("lan0", &before, &between), over("mig0", &before, &between));
    assert!(migration > filled && guest < 8.0, "dedicated: {guest} guest, {migration} migration");
    let (guest, migration) = (over("lan0", &between, &after), over("mig0", &between, &after));
    assert!(guest > filled && migration < 0.1, "shared: {guest} guest, {migration} migration");

    for record in [&dedicated, &shared] {
        let (wire, stream) =
            (measured(record, metric::WIRE_BYTES), measured(record, metric::STREAM_BYTES));
        assert!(wire >= 0.98 * stream && wire < 1.2 * stream, "{wire}, {stream} on the stream");
        // The link that is used is the one that is shaped.
        let speed = measured(record, metric::THROUGHPUT);
        assert!(speed < 1.1 * LINK_BYTES_PER_S, "{speed}");
        assert!(measured(record, metric::HEARTBEATS_LOST) >= 0.0);
        assert!(matches!(record.metrics[metric::HEARTBEAT_DELAY], Metric::Measured(_)));
    }
    let json = |record: &Record| serde_json::to_value(&record.settings).expect("JSON");
    assert_eq!(json(&shared)["network"], "shared");
    assert_eq!(json(&dedicated).get("network"), None, "as before there was a choice");

    // Afterwards the lab is as its file says, which knows no rate.
    for (device, rate) in links {
        assert_eq!(rate, None, "{device}");
    }
    sandbox.assert_nothing_left();
}

/// Runs an experiment of one trial in a folder of its own, on the lab that is up.
fn one_trial(sandbox: &Sandbox, lab: &str, network: &str) -> Record {
    let file = sandbox.file(&format!("{network}.yaml"), &lax(&experiment(network)));
    let (runs, baselines) = (sandbox.path().join(network), sandbox.baselines());
    let folders = ["--out", runs.as_str(), "--baselines", baselines.as_str()];
    let args = [&["experiment", file.as_str(), "--lab", lab, "--json"], &folders[..]].concat();
    let _report = sandbox.start(&args).succeed();
    let runs = harness::run_folder::RunFolder::list(&runs).expect("listed");
    let [run] = &runs[..] else { panic!("expected one run: {runs:?}") };
    let [check] = &run.manifest().expect("read").link_checks[..] else { panic!("one check") };
    assert_eq!(check.network.to_string(), network);
    let mut records = run.records().expect("read").records;
    let record = records.pop().expect("a record");
    assert_eq!(record.outcome, Outcome::Completed, "{:?}", record.reason);
    well_formed(&record);
    verified(&record);
    record
}

/// Bytes sent so far by device, all nodes together.
type Sent = BTreeMap<String, f64>;

fn sent(sandbox: &Sandbox, lab: &str) -> Sent {
    let mut sent = Sent::new();
    for node in ["node1", "node2", "node3"] {
        let exec = ["lab-exec", "--lab", lab, node, "--", "cat", "/proc/net/dev"];
        let counters = sandbox.start(&exec).succeed();
        for line in counters.stdout.lines() {
            let Some((device, numbers)) = line.trim().split_once(':') else { continue };
            let bytes = numbers.split_whitespace().nth(8).and_then(|bytes| bytes.parse().ok());
            *sent.entry(device.to_owned()).or_default() += bytes.unwrap_or(0.0);
        }
    }
    sent
}

/// Device and rate of every link of the lab.
fn shaping(sandbox: &Sandbox, lab: &str) -> Vec<(String, Option<u64>)> {
    let status = sandbox.start(&["lab-status", "--lab", lab, "--json"]).succeed();
    let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("JSON");
    let nodes = status["nodes"].as_array().or_else(|| status["details"]["nodes"].as_array());
    let links = nodes.expect("nodes").iter().flat_map(|node| node["shaping"].as_array());
    let links: Vec<_> = links
        .flatten()
        .map(|link| {
            (link["device"].as_str().expect("a name").to_owned(), link["rate_bit_per_s"].as_u64())
        })
        .collect();
    assert!(links.len() >= 3, "{status:#}");
    links
}
