//! `kill -9` in the middle of a migration: whoever dies, no finished trial is lost, and a run
//! that can go on does.

use crate::support::{
    DEADLINE, Sandbox,
    check::{verified, well_formed},
    lax,
    plan::Plan,
    processes::{self, Part},
    program::ends_within,
};
use harness::record::{Outcome, Record};
use rustix::process::Signal;

/// Never converges, so that whoever is to die is found migrating; and asks so little of a busy
/// machine that the gate opens.
const EXPERIMENT: &str = "
name: deaths
replicates: 2
max_time: 2 s
heartbeat_interval: 2 ms
factors:
  memory: 64 MiB
  working_set: 32 MiB
  touch_rate: 4000 pages/s
  link_rate: 100 Mbit/s
  downtime_limit: 50 ms
";

/// Kills a part of the first trial while it migrates; gives both records.
fn killed(part: Part) -> [Record; 2] {
    let sandbox = Sandbox::new();
    let mut running = sandbox.experiment(&sandbox.file("deaths.yaml", &lax(EXPERIMENT)));
    let parts = running.until("a migration", || processes::migrating(&sandbox.state()));
    assert!(parts[&part].kill());
    running.succeed();
    let records = sandbox.run().records().expect("read");
    assert!(records.faults.is_empty(), "{:?}", records.faults);
    records.records.iter().for_each(well_formed);
    sandbox.assert_nothing_left();
    records.records.try_into().expect("both trials have a record")
}

/// The trial failed, and its reason says whose death it was.
fn failed(record: &Record, words: &str) {
    assert_eq!(record.outcome, Outcome::Failed, "{:?}", record.reason);
    let reason = record.reason.as_deref().expect("a reason");
    assert!(reason.contains(words), "{reason}");
}

/// The run has gone on, and its next trial was not disturbed.
fn undisturbed(record: &Record) {
    assert_eq!(record.outcome, Outcome::NotConverged, "{:?}", record.reason);
    verified(record);
}

#[test]
fn a_source_that_dies_is_a_failed_trial() {
    let [first, second] = killed(Part::Source);
    failed(&first, "the source's QEMU was ended by signal 9");
    undisturbed(&second);
}

#[test]
fn a_target_that_dies_is_a_failed_trial_and_the_guest_lives_on() {
    let [first, second] = killed(Part::Target);
    failed(&first, "the target's QEMU was ended by signal 9");
    // The guest has gone on where it was, and is whole.
    verified(&first);
    undisturbed(&second);
}

#[test]
fn an_observer_that_dies_is_a_failed_trial_and_no_dead_guest() {
    let [first, second] = killed(Part::Observer);
    failed(&first, "the observer on the witness is gone");
    undisturbed(&second);
}

#[test]
fn a_supervisor_that_dies_ends_the_run_which_can_be_resumed() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("deaths.yaml", &lax(EXPERIMENT));
    let plan = Plan::of(&sandbox, &file);
    let mut running = sandbox.experiment(&file);
    running.line(|line| line.starts_with("[1/2] "));
    let parts = running.until("a second migration", || processes::migrating(&sandbox.state()));
    assert!(parts[&Part::Supervisor].kill());
    let ended = running.end();
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    let run = sandbox.run();
    let hint = format!("hint: `cargo xtask experiment --resume {}`", run.path());
    assert!(ended.stderr.contains("the lab is gone"), "{}", ended.stderr);
    assert!(ended.stderr.contains(&hint), "{}", ended.stderr);
    sandbox.assert_nothing_left();

    let before = run.records().expect("read").records;
    assert_eq!(before.len(), 1);
    sandbox.resume(&run).succeed();
    let after = run.records().expect("read").records;
    assert_eq!(after[..1], before[..]);
    plan.equals(&after);
    undisturbed(&after[1]);
    sandbox.assert_nothing_left();
}

#[test]
fn a_harness_that_dies_takes_its_processes_along() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("deaths.yaml", &lax(EXPERIMENT));
    let plan = Plan::of(&sandbox, &file);
    let mut running = sandbox.experiment(&file);
    running.line(|line| line.starts_with("[1/2] "));
    let parts = running.until("a second migration", || processes::migrating(&sandbox.state()));
    running.signal(Signal::KILL);
    assert_eq!(running.end().code, None);
    for (part, process) in &parts {
        assert!(ends_within(&process.handle, DEADLINE), "{part:?} outlives its harness");
    }
    // Only files are left, and the next command for labs removes them.
    sandbox.start(&["lab-down"]).succeed();
    sandbox.assert_nothing_left();

    let run = sandbox.run();
    let before = run.records().expect("read").records;
    assert_eq!(before.len(), 1);
    sandbox.resume(&run).succeed();
    let after = run.records().expect("read").records;
    assert_eq!(after[..1], before[..]);
    plan.equals(&after);
    sandbox.assert_nothing_left();
}
