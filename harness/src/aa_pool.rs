//! Real A/A trials that are committed: the same experiment again and again, nothing changed. What
//! differs among them is the noise of a real machine.
//!
//! `harness/data/README.md` says where they come from. Pure: the text is part of the program.

use crate::record::Outcome;
use std::collections::BTreeMap;

/// The committed file: tab-separated, a line a trial, empty where a metric was unavailable.
pub const TEXT: &str = include_str!("../data/aa-quick-2026-11-22.tsv");

/// The metrics that the file has a column of, besides run, block, cell and outcome.
pub const METRICS: &[&str] = &[
    "total_time",
    "setup_time",
    "downtime_reported",
    "vcpu_pause",
    "service_gap",
    "stream_bytes",
    "wire_bytes",
    "stop_bytes",
    "throughput",
    "amplification",
    "rounds",
    "remaining_bytes",
    "dirty_rate",
    "touch_rate_before",
    "guest_slowdown",
    "heartbeat_jitter",
];

/// One real trial.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolTrial {
    /// The run, numbered from 0 in the order of time.
    pub run: u32,
    /// Its block within the run.
    pub block: u32,
    /// Identity of its cell.
    pub cell: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// The metrics that were measured, in their units.
    pub values: BTreeMap<&'static str, f64>,
}

/// All trials, by run and block, in the order in which they were made.
///
/// A line that cannot be read is left out; a test holds that there is none.
#[must_use]
pub fn trials() -> Vec<PoolTrial> {
    TEXT.lines().skip(1).filter_map(trial).collect()
}

/// The heading of the file: names of its columns.
#[must_use]
pub fn heading() -> String {
    let fixed = ["run", "block", "cell", "outcome"];
    fixed.iter().chain(METRICS).copied().collect::<Vec<_>>().join("\t")
}

fn trial(line: &'static str) -> Option<PoolTrial> {
    let mut fields = line.split('\t');
    let (run, block) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let cell = fields.next()?;
    let outcome = serde_json::from_value(fields.next()?.into()).ok()?;
    let mut values = BTreeMap::new();
    for (name, field) in METRICS.iter().zip(fields) {
        if !field.is_empty() {
            values.insert(*name, field.parse().ok()?);
        }
    }
    Some(PoolTrial { run, block, cell, outcome, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metric, summary};
    use std::collections::BTreeSet;

    #[test]
    fn every_line_is_read() {
        let trials = trials();
        assert_eq!(TEXT.lines().next(), Some(heading().as_str()));
        assert_eq!(trials.len(), TEXT.lines().count() - 1);
        assert!(trials.len() >= 200, "{}", trials.len());
        assert!(TEXT.len() <= 200 << 10, "{} bytes", TEXT.len());
        assert!(METRICS.iter().all(|name| metric::definition(name).is_some()));
    }

    /// Whole blocks only: each has every cell once.
    #[test]
    fn blocks_are_complete() {
        let trials = trials();
        let cells: BTreeSet<&str> = trials.iter().map(|trial| trial.cell).collect();
        assert_eq!(cells.len(), 4);
        let mut blocks: BTreeMap<(u32, u32), Vec<&str>> = BTreeMap::new();
        for trial in &trials {
            blocks.entry((trial.run, trial.block)).or_default().push(trial.cell);
        }
        for (block, mut of_block) in blocks {
            of_block.sort_unstable();
            assert_eq!(of_block, cells.iter().copied().collect::<Vec<_>>(), "{block:?}");
        }
    }

    #[test]
    fn a_trial_has_what_its_outcome_gives() {
        for trial in trials() {
            let total = trial.values.get("total_time");
            assert_eq!(total.is_some(), trial.outcome == Outcome::Completed, "{trial:?}");
            assert!(trial.values["stream_bytes"] > 0.0);
            assert!(trial.values.keys().all(|name| summary::applies(trial.outcome, name)));
        }
    }
}
