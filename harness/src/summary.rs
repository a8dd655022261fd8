//! From records to what is said of a cell: counts of every outcome, and the median, least and
//! greatest of each metric, over the trials whose outcome gives it a meaning.
//!
//! Pure: no clock, no file. Trials of different outcomes are never pooled ([`applies`]), and no
//! outcome is left out.

mod cause;
mod factor;
mod spread;

pub use cause::Cause;
pub use factor::{Factor, Quantity, in_one_unit};
pub use spread::Spread;

use crate::metric;
use crate::record::{Metric, Outcome, Phases, Record};
use crate::stopping::Stopping;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Version of the summary's layout, the field `schema`.
pub const SCHEMA: u32 = 1;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Trials that have a record.
    pub trials: u32,
    /// How many ended how; outcomes that did not occur are absent.
    pub outcomes: BTreeMap<Outcome, u32>,
    /// Names of the factors that make the cells, in the order of the settings.
    pub factors: Vec<String>,
    /// The other settings, the same in all trials.
    pub constants: Vec<Factor>,
    /// The policies of the records.
    pub policies: BTreeSet<String>,
    /// When the first trial began.
    pub started: Option<jiff::Timestamp>,
    /// When the last trial ended.
    pub ended: Option<jiff::Timestamp>,
    /// How the trials spent their time, in the order of a trial.
    pub phases: Vec<PhaseSummary>,
    /// One a cell, ordered by their factors.
    pub cells: Vec<CellSummary>,
    /// Why the run stopped where it did; `None` where the number of its trials was fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<Stopping>,
}

/// What came of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellSummary {
    /// The cell's identity, as in its records.
    pub cell: String,
    /// The factors that make it, in the order of [`Summary::factors`].
    pub factors: Vec<Factor>,
    /// Trials that have a record, whatever their outcome.
    pub n: u32,
    /// How many ended how.
    pub outcomes: BTreeMap<Outcome, u32>,
    /// Why those that did not complete did not.
    pub causes: Vec<Cause>,
    /// What verification found.
    pub integrity: Integrity,
    /// Metrics by outcome, then by name. Only those that [`applies`] lets through.
    pub metrics: BTreeMap<Outcome, BTreeMap<String, MetricSummary>>,
}

/// One metric over the trials of one outcome in one cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricSummary {
    /// Unit of the spread; empty for a pure number.
    pub unit: String,
    /// Trials in which it was measured.
    pub n: u32,
    /// Trials in which it was not.
    pub unavailable: u32,
    /// Why not, each reason once.
    pub unavailable_because: BTreeSet<String>,
    /// Over the measured values; `None` when there are none.
    pub spread: Option<Spread>,
    /// Where the values come from.
    pub sources: BTreeSet<String>,
    /// The coarsest resolution among them; 0 when none was measured.
    pub resolution: f64,
}

/// How many guests were checked after their trial, and what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Integrity {
    /// Trials that ran a migration: all but the invalid.
    pub trials: u32,
    /// Those of them whose every page was right and whose counter was not behind.
    pub verified: u32,
    /// Those of them that lost memory.
    pub wrong: u32,
}

/// A phase over the trials of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseSummary {
    /// Its name: the field of [`Phases`] without `_s`.
    pub name: String,
    /// Trials counted. `overhead` is defined by the total time, so only completed ones are.
    pub n: u32,
    /// All of them together, seconds.
    pub total_s: f64,
    /// Over the trials, seconds.
    pub spread: Option<Spread>,
}

/// Whether a metric of a trial with this outcome says what its definition says.
///
/// - `completed`: all, except what is left at a cancellation.
/// - `not_converged`, `cancelled`, `failed`: there was no switch-over, so no total time, downtime,
///   outage, stop bytes, nominal speed or error of the model. Stream bytes and rounds are those until the end.
/// - `corrupt`: none of these either, because the time of a migration that lost the guest is no
///   migration time.
/// - `invalid`: nothing was migrated; only the gate's.
#[must_use]
pub fn applies(outcome: Outcome, name: &str) -> bool {
    let of_switch_over = [
        metric::TOTAL_TIME,
        metric::DOWNTIME_REPORTED,
        metric::VCPU_PAUSE,
        metric::SERVICE_GAP,
        metric::STOP_BYTES,
        metric::NOMINAL_SPEED,
        metric::STOP_OVER_THRESHOLD,
        metric::MODEL_ERROR_TOTAL_TIME,
        metric::MODEL_ERROR_STREAM_BYTES,
        metric::MODEL_ERROR_DOWNTIME,
    ];
    let of_gate = [metric::TOUCH_RATE_SET, metric::TOUCH_RATE_BEFORE, metric::HEARTBEAT_JITTER];
    match outcome {
        Outcome::Completed => name != metric::REMAINING,
        Outcome::NotConverged | Outcome::Cancelled | Outcome::Failed => {
            !of_switch_over.contains(&name)
        }
        Outcome::Corrupt => name != metric::REMAINING && !of_switch_over.contains(&name),
        Outcome::Invalid => of_gate.contains(&name),
    }
}

impl Summary {
    /// Summarises the records of a run, in whatever order they come. Whether it stopped early is
    /// not for records alone to say: [`crate::stopping::of_run`].
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        let (factors, constants) = factor::factors_of(records);
        let mut by_cell: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
        for record in records {
            by_cell.entry(&record.cell).or_default().push(record);
        }
        let mut cells: Vec<_> =
            by_cell.into_values().map(|of_cell| CellSummary::of(&of_cell, &factors)).collect();
        cells.sort_by(|a, b| factor::order(&a.factors, &b.factors).then(a.cell.cmp(&b.cell)));
        Self {
            schema: SCHEMA,
            trials: count(records.len()),
            outcomes: outcomes(records.iter()),
            factors,
            constants,
            policies: records.iter().map(|record| record.policy.clone()).collect(),
            started: records.iter().map(|record| record.started).min(),
            ended: records.iter().filter_map(end_of).max(),
            phases: phases(records),
            cells,
            stopping: None,
        }
    }
}

impl CellSummary {
    fn of(records: &[&Record], factors: &[String]) -> Self {
        let mut by_outcome: BTreeMap<Outcome, Vec<&Record>> = BTreeMap::new();
        for record in records {
            by_outcome.entry(record.outcome).or_default().push(record);
        }
        let first = records.first();
        Self {
            cell: first.map(|record| record.cell.clone()).unwrap_or_default(),
            factors: first
                .map(|record| factor::values_of(&record.settings, factors))
                .unwrap_or_default(),
            n: count(records.len()),
            outcomes: outcomes(records.iter().copied()),
            causes: cause::causes_of(records),
            integrity: integrity(records),
            metrics: by_outcome
                .into_iter()
                .map(|(outcome, records)| (outcome, metrics(outcome, &records)))
                .collect(),
        }
    }

    /// A metric over the trials of one outcome; `None` when none of them has a record of it.
    #[must_use]
    pub fn metric(&self, outcome: Outcome, name: &str) -> Option<&MetricSummary> {
        self.metrics.get(&outcome)?.get(name)
    }

    /// How many trials ended this way.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> u32 {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }
}

fn metrics(outcome: Outcome, records: &[&Record]) -> BTreeMap<String, MetricSummary> {
    let names: BTreeSet<&String> = records
        .iter()
        .flat_map(|record| record.metrics.keys())
        .filter(|name| applies(outcome, name))
        .collect();
    names.into_iter().map(|name| (name.clone(), MetricSummary::of(name, records))).collect()
}

impl MetricSummary {
    fn of(name: &str, records: &[&Record]) -> Self {
        let mut unit = metric::definition(name).map(|definition| definition.unit.to_owned());
        let mut values = Vec::new();
        let mut because = BTreeSet::new();
        let mut sources = BTreeSet::new();
        let mut resolution = 0.0f64;
        for record in records {
            match record.metrics.get(name) {
                Some(Metric::Measured(measured)) if measured.value.is_finite() => {
                    values.push(measured.value);
                    sources.insert(measured.source.clone());
                    if measured.resolution.is_finite() {
                        resolution = resolution.max(measured.resolution);
                    }
                    unit.get_or_insert_with(|| measured.unit.clone());
                }
                Some(Metric::Measured(_)) => {
                    because.insert("not a finite number".to_owned());
                }
                Some(Metric::Unavailable(reason)) => {
                    because.insert(reason.clone());
                }
                None => {
                    because.insert("not in the record".to_owned());
                }
            }
        }
        Self {
            unit: unit.unwrap_or_default(),
            n: count(values.len()),
            unavailable: count(records.len() - values.len()),
            unavailable_because: because,
            spread: Spread::of(&values),
            sources,
            resolution,
        }
    }
}

fn integrity(records: &[&Record]) -> Integrity {
    let mut integrity = Integrity::default();
    for record in records.iter().filter(|record| record.outcome != Outcome::Invalid) {
        let value = |name| match record.metrics.get(name) {
            Some(Metric::Measured(measured)) => Some(measured.value),
            _ => None,
        };
        let checked = value(metric::PAGES_CHECKED).is_some_and(|pages| pages > 0.0);
        let wrong = value(metric::PAGES_WRONG);
        let behind = value(metric::COUNTER_BEHIND);
        integrity.trials += 1;
        let lost = wrong.is_some_and(|pages| pages > 0.0) || behind.is_some_and(|n| n > 0.0);
        if lost || record.outcome == Outcome::Corrupt {
            integrity.wrong += 1;
        } else if checked && wrong.is_some() && behind.is_some() {
            integrity.verified += 1;
        }
    }
    integrity
}

fn outcomes<'a>(records: impl Iterator<Item = &'a Record>) -> BTreeMap<Outcome, u32> {
    let mut outcomes = BTreeMap::new();
    for record in records {
        *outcomes.entry(record.outcome).or_insert(0) += 1;
    }
    outcomes
}

fn end_of(record: &Record) -> Option<jiff::Timestamp> {
    let wall = jiff::SignedDuration::try_from_secs_f64(record.phases.wall_s).ok()?;
    record.started.checked_add(wall).ok()
}

/// Name of a phase, its length, and whether it is defined for completed trials only.
type Phase = (&'static str, fn(&Phases) -> f64, bool);

fn phases(records: &[Record]) -> Vec<PhaseSummary> {
    let phases: [Phase; 8] = [
        ("start", |phases| phases.start_s, false),
        ("fill", |phases| phases.fill_s, false),
        ("gate", |phases| phases.gate_s, false),
        ("migrate", |phases| phases.migrate_s, false),
        ("verify", |phases| phases.verify_s, false),
        ("tear_down", |phases| phases.tear_down_s, false),
        ("wall", |phases| phases.wall_s, false),
        ("overhead", |phases| phases.overhead_s, true),
    ];
    phases
        .into_iter()
        .map(|(name, length, completed_only)| {
            let lengths: Vec<f64> = records
                .iter()
                .filter(|record| !completed_only || record.outcome == Outcome::Completed)
                .map(|record| length(&record.phases))
                .filter(|length| length.is_finite())
                .collect();
            PhaseSummary {
                name: name.to_owned(),
                n: count(lengths.len()),
                total_s: lengths.iter().sum(),
                spread: Spread::of(&lengths),
            }
        })
        .collect()
}

/// Trials of a run are numbered by `u32`, so their number fits.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
