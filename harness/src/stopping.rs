//! When a run has seen enough: once every cell's median is as precise as was asked for.
//!
//! Pure. Precision and never significance: a run that may end as soon as a difference shows
//! finds differences that are not there (METHODOLOGY.md, "How many trials").

mod words;

use crate::{
    experiment::{Replicates, UntilPrecise},
    plan::Plan,
    record::{Metric, Outcome, Record},
    run_folder::Manifest,
    statistics::median,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The level of the medians' intervals.
pub const LEVEL: f64 = 0.95;

/// The fewest values whose least and greatest enclose their median at [`LEVEL`]: with n values
/// they do with a probability of 1 − 2^(1−n).
pub const LEAST_FOR_AN_INTERVAL: u32 = 6;

/// What is known so far of a run that may end early, and whether it may.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stopping {
    /// What follows from the rest.
    pub state: State,
    /// Blocks of which every trial has a record.
    pub blocks: u32,
    /// Blocks that are planned.
    pub most: u32,
    /// What was asked for: half-width of each metric's interval, relative to its median, in %.
    pub precision: BTreeMap<String, f64>,
    /// What is not precise enough, the worst first.
    pub imprecise: Vec<Imprecise>,
    /// What is not waited for: fewer than half of the cell's trials give it a value.
    pub not_waited_for: Vec<NotWaitedFor>,
}

/// Whether a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It does: a block is not complete, there are fewer than the least, or not all is precise.
    GoesOn,
    /// All is precise enough.
    Precise,
    /// Every planned block is complete, and not all is precise enough.
    NotPrecise,
}

/// A median that is not precise enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imprecise {
    /// Identity of its cell.
    pub cell: String,
    /// Name of the metric.
    pub metric: String,
    /// Values there are: completed trials that have the metric.
    pub n: u32,
    /// Half-width of the interval relative to the median, in %; `None` while so few values have
    /// no interval at 95 %, or where the median is 0.
    pub half_width_percent: Option<f64>,
    /// What was asked for, in %.
    pub wanted_percent: f64,
}

/// A median that a run does not wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotWaitedFor {
    /// Identity of its cell.
    pub cell: String,
    /// Name of the metric.
    pub metric: String,
    /// Trials that completed and have it.
    pub n: u32,
    /// Trials of the cell.
    pub of: u32,
}

/// Counts a run's records for its rule.
#[derive(Clone, Debug)]
pub struct Tally {
    rule: UntilPrecise,
    /// Blocks that are planned.
    blocks: u32,
    /// Trials that each of them has.
    trials_per_block: u32,
    /// Trials with a record, by block.
    recorded: BTreeMap<u32, u32>,
    cells: BTreeMap<String, CellTally>,
}

/// A cell's trials so far.
#[derive(Clone, Debug, Default)]
struct CellTally {
    trials: u32,
    /// Values of completed trials, by metric.
    values: BTreeMap<String, Vec<f64>>,
}

impl Tally {
    /// For a plan whose run may end early.
    #[must_use]
    pub fn new(rule: &UntilPrecise, plan: &Plan) -> Self {
        let blocks: BTreeSet<u32> = plan.trials.iter().map(|trial| trial.block).collect();
        Self::of_blocks(rule, count(blocks.len()), count(plan.trials.len()))
    }

    /// For the plan of a run that was made, from its manifest alone; `None` as [`of_run`] says.
    #[must_use]
    pub fn of_manifest(manifest: &Manifest) -> Option<Self> {
        let replicates = manifest.experiment.get("replicates")?.clone();
        let replicates: Replicates = serde_json::from_value(replicates).ok()?;
        let rule = replicates.rule()?;
        let blocks = match manifest.shard.as_deref().and_then(|shard| shard.split_once('/')) {
            Some((index, shards)) => {
                let (index, shards): (u32, u32) = (index.parse().ok()?, shards.parse().ok()?);
                (0..rule.max).filter(|block| block % shards.max(1) + 1 == index).count()
            }
            None => rule.max as usize,
        };
        Some(Self::of_blocks(rule, count(blocks), manifest.planned_trials))
    }

    fn of_blocks(rule: &UntilPrecise, blocks: u32, trials: u32) -> Self {
        Self {
            rule: rule.clone(),
            blocks,
            // Blocks are complete: each has every cell that was selected once.
            trials_per_block: trials / blocks.max(1),
            recorded: BTreeMap::new(),
            cells: BTreeMap::new(),
        }
    }

    /// Takes a trial into account.
    pub fn add(&mut self, record: &Record) {
        *self.recorded.entry(record.block).or_default() += 1;
        let cell = self.cells.entry(record.cell.clone()).or_default();
        cell.trials += 1;
        if record.outcome != Outcome::Completed {
            return;
        }
        for name in self.rule.precision.0.keys() {
            if let Some(Metric::Measured(measured)) = record.metrics.get(name)
                && measured.value.is_finite()
            {
                cell.values.entry(name.clone()).or_default().push(measured.value);
            }
        }
    }

    /// Whether every block that was begun is complete.
    #[must_use]
    pub fn is_between_blocks(&self) -> bool {
        self.recorded.values().all(|recorded| *recorded >= self.trials_per_block)
    }

    /// Whether no further trial is run. Never within a block: one that was begun goes on.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_between_blocks() && self.stopping().state != State::GoesOn
    }

    /// What is known now. Between two blocks a run ends unless it [`State::GoesOn`].
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        let complete = |recorded: &&u32| **recorded >= self.trials_per_block;
        let blocks = count(self.recorded.values().filter(complete).count());
        let (mut imprecise, mut not_waited_for) = (Vec::new(), Vec::new());
        for (id, cell) in &self.cells {
            for (name, wanted) in &self.rule.precision.0 {
                let values = cell.values.get(name).map_or(&[][..], Vec::as_slice);
                let n = count(values.len());
                if 2 * n < cell.trials {
                    let (cell, metric, of) = (id.clone(), name.clone(), cell.trials);
                    not_waited_for.push(NotWaitedFor { cell, metric, n, of });
                    continue;
                }
                let half_width = relative_half_width(values);
                if half_width.is_none_or(|width| width > wanted.fraction()) {
                    imprecise.push(Imprecise {
                        cell: id.clone(),
                        metric: name.clone(),
                        n,
                        half_width_percent: half_width.map(|width| width * 100.0),
                        wanted_percent: wanted.fraction() * 100.0,
                    });
                }
            }
        }
        imprecise.sort_by(|a, b| b.excess().total_cmp(&a.excess()));
        let state = if !self.is_between_blocks() || blocks < self.rule.min.min(self.blocks) {
            State::GoesOn
        } else if imprecise.is_empty() {
            State::Precise
        } else if blocks < self.blocks {
            State::GoesOn
        } else {
            State::NotPrecise
        };
        let precision = self.rule.precision.0.iter();
        let precision = precision.map(|(name, p)| (name.clone(), p.fraction() * 100.0)).collect();
        Stopping { state, blocks, most: self.blocks, precision, imprecise, not_waited_for }
    }
}

impl Imprecise {
    /// How often the precision would fit into the half-width.
    fn excess(&self) -> f64 {
        self.half_width_percent.map_or(f64::INFINITY, |width| width / self.wanted_percent)
    }
}

/// Half of the width of the median's interval at [`LEVEL`], relative to the median: `None` where
/// so few values have none, or the median is 0 and the interval is not.
fn relative_half_width(values: &[f64]) -> Option<f64> {
    // Of few values there is only an interval of a lower level.
    let interval = median::interval(values, LEVEL).filter(|found| found.confidence >= LEVEL)?;
    let half = (interval.high - interval.low) / 2.0;
    if half == 0.0 {
        return Some(0.0);
    }
    let relative = half / median::median(values)?.abs();
    relative.is_finite().then_some(relative)
}

/// What is known of a run from its folder alone; `None` where its number of trials was fixed, or
/// the manifest's experiment is not to be understood.
#[must_use]
pub fn of_run(manifest: &Manifest, records: &[Record]) -> Option<Stopping> {
    let mut tally = Tally::of_manifest(manifest)?;
    records.iter().for_each(|record| tally.add(record));
    Some(tally.stopping())
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
