//! Does the judgement hold what it promises? Experiments are made again from real trials of one
//! and the same thing, whole blocks at a time, and judged: what is called a regression then is
//! false, or was put in on purpose.

use super::{CellSample, Context, JudgeError, Rules, Sample, Subject, Verdict, judge};
use crate::metric::{self, Worse};
use crate::plan::draw::{Purpose, Stream, shuffle, stream};
use crate::record::{Metric, Outcome, Record};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Real trials of one context and one subject, in their blocks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// The trials, in any order.
    pub trials: Vec<Trial>,
}

/// A trial as far as it is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// The run it is of.
    pub run: String,
    /// Its block in that run.
    pub block: u32,
    /// Its cell.
    pub cell: String,
    /// How it ended.
    pub outcome: Outcome,
    /// By name: the value and the resolution of what was measured.
    pub metrics: BTreeMap<String, (f64, f64)>,
}

impl Trial {
    /// The trial of a record, with the metrics that the rules judge.
    #[must_use]
    pub fn of(record: &Record, rules: &Rules) -> Self {
        let value = |name: &str| match record.metrics.get(name) {
            Some(Metric::Measured(measured)) => Some((measured.value, measured.resolution)),
            _ => None,
        };
        Self {
            run: record.run.clone(),
            block: record.block,
            cell: record.cell.clone(),
            outcome: record.outcome,
            metrics: rules
                .judged()
                .filter_map(|rule| Some((rule.name.to_owned(), value(rule.name)?)))
                .collect(),
        }
    }
}

/// Where the blocks of an experiment are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Draw {
    /// All blocks alike: what differs from run to run is spread over both sides.
    Blocks,
    /// Two runs, and each side's blocks from one of them: what differs from run to run (the
    /// machine's hour, a boot) lies between the sides, as it does between two real runs.
    Runs,
}

/// Experiments to make again.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulation {
    /// How many.
    pub experiments: u32,
    /// Blocks of each side, that is trials of a cell.
    pub replicates: u32,
    /// Where they come from.
    pub draw: Draw,
    /// Seed of the drawing.
    pub seed: u64,
    /// What is put in: in the candidate this metric is multiplied by this factor.
    pub inject: Option<(String, f64)>,
}

/// What came of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// How many experiments were judged.
    pub experiments: u32,
    /// The judgements, by verdict.
    pub verdicts: BTreeMap<Verdict, u32>,
    /// By metric and verdict.
    pub metrics: BTreeMap<String, BTreeMap<Verdict, u32>>,
    /// By metric: the shift for the worse that is detected in 80 % of comparisons, a fraction or
    /// in the unit; the median over the experiments.
    pub detectable: BTreeMap<String, f64>,
}

impl Tally {
    /// The share of experiments with this verdict.
    #[must_use]
    pub fn share(&self, verdict: Verdict) -> f64 {
        f64::from(self.verdicts.get(&verdict).copied().unwrap_or(0)) / f64::from(self.experiments)
    }

    /// The share of experiments in which a metric had this verdict.
    #[must_use]
    pub fn metric_share(&self, metric: &str, verdict: Verdict) -> f64 {
        let n = self.metrics.get(metric).and_then(|verdicts| verdicts.get(&verdict)).copied();
        f64::from(n.unwrap_or(0)) / f64::from(self.experiments)
    }
}

/// A block: its trials.
type Block<'a> = Vec<&'a Trial>;

impl Pool {
    /// The committed real trials of one unchanged experiment: [`crate::aa_pool`].
    #[must_use]
    pub fn committed() -> Self {
        // QEMU counts whole milliseconds and bytes; the other sources are a thousand times finer.
        let resolution = |name: &str| match name {
            metric::TOTAL_TIME | metric::SETUP_TIME | metric::DOWNTIME_REPORTED => 1.0,
            metric::STREAM_BYTES | metric::WIRE_BYTES | metric::ROUNDS => 1.0,
            _ => 0.001,
        };
        let trials = crate::aa_pool::trials().into_iter().map(|trial| Trial {
            run: trial.run.to_string(),
            block: trial.block,
            cell: trial.cell.to_owned(),
            outcome: trial.outcome,
            metrics: trial
                .values
                .into_iter()
                .map(|(name, value)| (name.to_owned(), (value, resolution(name))))
                .collect(),
        });
        Self { trials: trials.collect() }
    }

    /// The blocks that have every cell, by run; in a fixed order, however the trials lie.
    fn blocks(&self) -> Vec<Vec<Block<'_>>> {
        let cells: BTreeSet<&str> = self.trials.iter().map(|trial| trial.cell.as_str()).collect();
        let mut runs: BTreeMap<&str, BTreeMap<u32, BTreeMap<&str, &Trial>>> = BTreeMap::new();
        for trial in &self.trials {
            let run = runs.entry(&trial.run).or_default();
            run.entry(trial.block).or_default().insert(&trial.cell, trial);
        }
        runs.into_values()
            .map(|blocks| {
                blocks
                    .into_values()
                    .filter(|block| block.len() == cells.len())
                    .map(|block| block.into_values().collect())
                    .collect()
            })
            .collect()
    }
}

/// Makes the experiments and judges them.
///
/// # Errors
/// When the pool has too few blocks, or the injected metric is not one that is judged.
pub fn simulate(pool: &Pool, rules: &Rules, simulation: &Simulation) -> Result<Tally, JudgeError> {
    let runs = pool.blocks();
    let wanted = simulation.replicates as usize;
    let enough = match simulation.draw {
        Draw::Blocks => runs.iter().map(Vec::len).sum::<usize>() >= 2 * wanted,
        Draw::Runs => runs.iter().filter(|blocks| blocks.len() >= wanted).count() >= 2,
    };
    if wanted == 0 || !enough {
        return Err(JudgeError::new(
            format!("the trials to draw from do not make {wanted} blocks for each of two sides"),
            "take fewer replicates, or a larger pool".to_owned(),
        ));
    }
    if let Some((name, _)) = &simulation.inject
        && rules.gate().all(|rule| rule.name != name)
    {
        return Err(JudgeError::new(format!("`{name}` is not in the gate"), None));
    }
    let mut tally = Tally { experiments: simulation.experiments, ..Tally::default() };
    let mut detectable: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for number in 0..simulation.experiments {
        let mut stream = stream(simulation.seed, Purpose::Resample, u64::from(number));
        let (baseline, candidate) = draw(&runs, simulation.draw, wanted, &mut stream);
        let baseline = sample(&baseline, None);
        let candidate = sample(&candidate, simulation.inject.as_ref());
        let judgement = judge(&baseline, &candidate, rules)?;
        *tally.verdicts.entry(judgement.verdict).or_insert(0) += 1;
        for metric in judgement.metrics {
            if let Some(shift) = metric.detectable {
                detectable.entry(metric.name.clone()).or_default().push(shift);
            }
            let verdicts = tally.metrics.entry(metric.name).or_default();
            *verdicts.entry(metric.verdict).or_insert(0) += 1;
        }
    }
    tally.detectable = detectable
        .into_iter()
        .filter_map(|(name, shifts)| Some((name, crate::statistics::median::median(&shifts)?)))
        .collect();
    Ok(tally)
}

/// The least factor on a metric (of `simulation`, whatever it injects) at which the metric is
/// called regressed in this share of the experiments; to about 0.2 % of the factor. `None` when
/// even a hundredfold is called less often.
///
/// # Errors
/// As of [`simulate`].
pub fn detectable_factor(
    pool: &Pool,
    rules: &Rules,
    simulation: &Simulation,
    metric: &str,
    share: f64,
) -> Result<Option<f64>, JudgeError> {
    let worse = metric::judged(metric).map_or(Worse::Higher, |judged| judged.worse);
    let called = |ln_factor: f64| {
        let factor = if worse == Worse::Higher { ln_factor.exp() } else { (-ln_factor).exp() };
        let inject = Some((metric.to_owned(), factor));
        let tally = simulate(pool, rules, &Simulation { inject, ..simulation.clone() })?;
        Ok(tally.metric_share(metric, Verdict::Regressed) >= share)
    };
    let (mut low, mut high) = (0.0, 100f64.ln());
    if !called(high)? {
        return Ok(None);
    }
    while high - low > 0.002 {
        let middle = f64::midpoint(low, high);
        if called(middle)? { high = middle } else { low = middle }
    }
    Ok(Some(high.exp()))
}

/// Blocks of two sides, none of them twice.
fn draw<'a>(
    runs: &[Vec<Block<'a>>],
    how: Draw,
    wanted: usize,
    stream: &mut Stream,
) -> (Vec<Block<'a>>, Vec<Block<'a>>) {
    match how {
        Draw::Blocks => {
            let mut blocks: Vec<Block<'a>> = runs.iter().flatten().cloned().collect();
            shuffle(&mut blocks, stream);
            blocks.truncate(2 * wanted);
            let candidate = blocks.split_off(wanted);
            (blocks, candidate)
        }
        Draw::Runs => {
            let mut large: Vec<&Vec<Block<'a>>> =
                runs.iter().filter(|blocks| blocks.len() >= wanted).collect();
            shuffle(&mut large, stream);
            let mut side = |run: &[Block<'a>]| {
                let mut blocks = run.to_vec();
                shuffle(&mut blocks, stream);
                blocks.truncate(wanted);
                blocks
            };
            (side(large[0]), side(large[1]))
        }
    }
}

/// The blocks as a sample, of no context and no subject.
fn sample(blocks: &[Block<'_>], inject: Option<&(String, f64)>) -> Sample {
    let mut cells: BTreeMap<String, CellSample> = BTreeMap::new();
    for trial in blocks.iter().flatten() {
        let cell = cells.entry(trial.cell.clone()).or_default();
        *cell.outcomes.entry(trial.outcome).or_insert(0) += 1;
        if trial.outcome != Outcome::Completed {
            continue;
        }
        for (name, &(value, resolution)) in &trial.metrics {
            let factor = inject.filter(|(injected, _)| injected == name).map_or(1.0, |(_, by)| *by);
            cell.add(name, value * factor, resolution, "");
        }
    }
    for cell in cells.values_mut() {
        cell.settle();
    }
    Sample {
        experiment: String::new(),
        context: Context::default(),
        subject: Subject::default(),
        cells,
    }
}

#[cfg(test)]
mod tests;
