//! The control that proves the integrity check: QEMU 7.2 under TCG loses dirty pages when a
//! migration takes several rounds, so none of its guests may be found whole.
//!
//! It is made only when asked for: see [`crate::support::bad_qemu`].

use crate::support::{Sandbox, bad_qemu::BadQemu, check::well_formed, lax};
use harness::record::Outcome;
use std::fs;

const EXPERIMENT: &str = "
name: known-bad
replicates: 8
max_time: 15 s
factors:
  memory: 256 MiB
  working_set: 64 MiB
  touch_rate: 5000 pages/s
  link_rate: 1 Gbit/s
  downtime_limit: 10 ms
";

const LAB: &str = "name: bad\nprovider: netns\nhypervisor: qemu\nqemu: {accelerator: tcg}\n";

#[test]
fn a_qemu_that_loses_pages_is_found_out() {
    let Some(bad) = BadQemu::asked_for() else { return };
    let sandbox = Sandbox::new();
    let file = sandbox.file("known-bad.yaml", &lax(EXPERIMENT));
    let lab = sandbox.file("bad-lab.yaml", LAB);
    let runs = sandbox.runs();
    let baselines = sandbox.baselines();
    let folders = ["--out", runs.as_str(), "--baselines", baselines.as_str()];
    let args = ["experiment", file.as_str(), "--lab", lab.as_str(), "--json"];
    let args = [&args, &folders[..]].concat();
    let qemu = sandbox.script("qemu", &bad.starter());
    sandbox.start_with(&args, &[("PRECOPY_QEMU", qemu.as_str())]).succeed();
    let run = sandbox.run();
    let records = run.records().expect("read").records;
    assert_eq!(records.len(), 8);
    for record in &records {
        well_formed(record);
        assert_eq!(record.outcome, Outcome::Corrupt, "{:?}", record.reason);
    }
    let report = fs::read_to_string(run.report_path()).expect("a report");
    assert!(report.contains("8 corrupt"), "{report}");
    let version = run.manifest().expect("read").qemu.version;
    assert!(version.starts_with("7.2"), "{version} is not known to be bad");
    sandbox.assert_nothing_left();
}
