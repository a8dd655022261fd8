//! `kill -9` at seeded random moments, of random victims: no finished trial is ever lost, and
//! every run comes to equal its plan.
//!
//! `PRECOPY_KILLS` says how often (default 4), `PRECOPY_KILLS_SEED` from which seed (default 1).

use crate::support::{
    DEADLINE, Running, Sandbox,
    check::well_formed,
    lax,
    plan::Plan,
    processes::{self, Part},
    program::ends_within,
};
use harness::{
    record::{Outcome, Record},
    run_folder::RunFolder,
};
use rustix::process::Signal;
use std::{collections::BTreeMap, time::Duration};

/// One cell converges, one does not; a block takes about 5 s.
const EXPERIMENT: &str = "
name: kills
replicates: 2
max_time: 1 s
heartbeat_interval: 2 ms
factors:
  memory: 64 MiB
  working_set: 32 MiB
  touch_rate: [1000 pages/s, 20000 pages/s]
  link_rate: 400 Mbit/s
  downtime_limit: 100 ms
";

/// The longest time from one kill to the next.
const MOST_BETWEEN_MS: u64 = 4000;

/// Who is killed; `None` is the harness.
const VICTIMS: [Option<Part>; 5] =
    [None, Some(Part::Supervisor), Some(Part::Source), Some(Part::Target), Some(Part::Observer)];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % limit
    }
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn whoever_is_killed_no_finished_trial_is_lost() {
    let (kills, seed) = (variable("PRECOPY_KILLS", 4), variable("PRECOPY_KILLS_SEED", 1));
    let mut random = Random(seed);
    let sandbox = Sandbox::new();
    let file = sandbox.file("kills.yaml", &lax(EXPERIMENT));
    let plan = Plan::of(&sandbox, &file);
    let mut counts = BTreeMap::new();
    let mut done = 0;
    while done < kills {
        let mut running = match unfinished(&sandbox, &plan) {
            Some(run) => sandbox.resume(&run),
            None => sandbox.experiment(&file),
        };
        // A run that needs all of its parts outlives the death of one, but not of these two.
        let mut fatal = None;
        while done < kills && fatal.is_none() {
            let pause = Duration::from_millis(random.below(MOST_BETWEEN_MS));
            let index = usize::try_from(random.below(VICTIMS.len() as u64)).expect("small");
            if !kill(&sandbox, &mut running, pause, VICTIMS[index]) {
                break;
            }
            done += 1;
            let name = VICTIMS[index].map_or("Harness".to_owned(), |part| format!("{part:?}"));
            eprintln!("kill {done} of {kills} (seed {seed}): {name} after {pause:?}");
            *counts.entry(name).or_insert(0) += 1;
            fatal = [None, Some(Part::Supervisor)].into_iter().find(|who| *who == VICTIMS[index]);
        }
        let ended = running.end();
        match fatal {
            None => assert_eq!(ended.code, Some(0), "{}", ended.stderr),
            Some(None) => assert_eq!(ended.code, None, "{}", ended.stderr),
            // All trials may have been done.
            Some(_) => assert!(matches!(ended.code, Some(0 | 4)), "{ended:#?}"),
        }
    }
    while let Some(run) = unfinished(&sandbox, &plan) {
        sandbox.resume(&run).succeed();
    }
    sandbox.start(&["lab-down"]).succeed();
    sandbox.assert_nothing_left();

    let runs = RunFolder::list(&sandbox.runs()).expect("listed");
    let mut outcomes = BTreeMap::new();
    for run in &runs {
        let records = run.records().expect("read");
        assert!(records.faults.is_empty(), "{:?}", records.faults);
        plan.equals(&records.records);
        for record in &records.records {
            well_formed(record);
            // A guest whose QEMU was killed is not one that lost its memory.
            assert_ne!(record.outcome, Outcome::Corrupt, "{:?}", record.reason);
            *outcomes.entry(record.outcome).or_insert(0) += 1;
        }
    }
    eprintln!("killed: {counts:?}; {} runs, outcomes: {outcomes:?}", runs.len());
}

/// Kills after a pause, as soon as the victim is there. `false`: the program ended before.
fn kill(sandbox: &Sandbox, running: &mut Running, pause: Duration, victim: Option<Part>) -> bool {
    if running.ends_within(pause) {
        return false;
    }
    let (parts, before) = loop {
        let (parts, before) = (processes::parts(&sandbox.state()), records(sandbox));
        let killed = match victim {
            None => {
                running.signal(Signal::KILL);
                true
            }
            Some(part) => parts.get(&part).is_some_and(processes::Found::kill),
        };
        if killed {
            break (parts, before);
        }
        if running.ends_within(Duration::from_millis(2)) {
            return false;
        }
    };
    for (part, process) in &parts {
        // The harness and the supervisor take everything along.
        if victim.is_none_or(|victim| victim == Part::Supervisor || victim == *part) {
            assert!(ends_within(&process.handle, DEADLINE), "{part:?} outlives {victim:?}");
        }
    }
    let after = records(sandbox);
    for (run, before) in before {
        let after = after.get(&run).map_or(&[][..], Vec::as_slice);
        assert!(after.starts_with(&before), "{run}: a finished trial is lost");
    }
    true
}

/// The records of every run, by its name.
fn records(sandbox: &Sandbox) -> BTreeMap<String, Vec<Record>> {
    let runs = RunFolder::list(&sandbox.runs()).expect("listed").into_iter();
    runs.map(|run| (run.name().to_owned(), run.records().expect("read").records)).collect()
}

/// A run that lacks trials.
fn unfinished(sandbox: &Sandbox, plan: &Plan) -> Option<RunFolder> {
    let runs = RunFolder::list(&sandbox.runs()).expect("listed").into_iter();
    let mut unfinished = runs.filter(|run| run.finished().expect("read").len() < plan.trials.len());
    unfinished.next()
}
