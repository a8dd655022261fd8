//! Ctrl-C in the middle of a trial: what is finished is kept, everything is taken down, and the
//! run can be gone on with.

use crate::support::{Sandbox, check::well_formed, lax, plan::Plan, processes};
use harness::record::Record;
use rustix::process::Signal;
use serde_json::Value;

/// Two cells of two trials; the second cell never converges, so that an interruption finds it
/// migrating.
const EXPERIMENT: &str = "
name: interrupted
replicates: 2
max_time: 2 s
heartbeat_interval: 2 ms
factors:
  memory: 64 MiB
  working_set: 32 MiB
  touch_rate: [1000 pages/s, 20000 pages/s]
  link_rate: 400 Mbit/s
  downtime_limit: 50 ms
";

#[test]
fn an_interrupted_run_keeps_what_is_finished_and_goes_on() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("interrupted.yaml", &lax(EXPERIMENT));
    let plan = Plan::of(&sandbox, &file);
    assert_eq!(plan.trials.len(), 4);

    let mut running = sandbox.experiment(&file);
    running.line(|line| line.starts_with("[1/4] "));
    running.until("a second migration", || processes::migrating(&sandbox.state()));
    running.signal(Signal::INT);
    let ended = running.end();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    let run = sandbox.run();
    let hint = format!("hint: `cargo xtask experiment --resume {}`", run.path());
    assert!(ended.stderr.contains(&hint), "no `{hint}` in:\n{}", ended.stderr);
    let report: Value = serde_json::from_str(&ended.stdout).expect("JSON of what is finished");
    assert_eq!(report["complete"], false);
    sandbox.assert_nothing_left();

    let before = run.records().expect("read");
    assert!(before.faults.is_empty(), "{:?}", before.faults);
    assert!((1..4).contains(&before.records.len()), "{:#?}", before.records);
    plan.begins_with(&before.records);

    let links = run.manifest().expect("read").link_checks;

    let ended = sandbox.resume(&run).succeed();
    let checked = run.manifest().expect("read").link_checks;
    assert_eq!(checked.len(), 2 * links.len(), "each resumption checks the links anew");
    assert_eq!(checked[..links.len()], links);
    let report: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(report["complete"], true);
    let after = run.records().expect("read").records;
    assert_eq!(after[..before.records.len()], before.records, "finished records were changed");
    plan.equals(&after);
    after.iter().for_each(well_formed);

    // With nothing missing there is nothing to run.
    sandbox.resume(&run).succeed();
    let again: Vec<Record> = run.records().expect("read").records;
    assert_eq!(again, after);
    sandbox.assert_nothing_left();
}
