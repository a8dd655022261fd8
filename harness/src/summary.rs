//! From records to what is said of a cell: counts of every outcome, and the median, least and
//! greatest of each metric, over the trials whose outcome gives it a meaning.
//!
//! Pure: no clock, no file. Trials of different outcomes are never pooled ([`applies`]), and no
//! outcome is left out.

#[cfg(test)]
mod at_once;
mod cause;
mod factor;
mod spread;
mod tally;

pub use cause::Cause;
pub use factor::{
    Factor, Quantity, constants, factors_of_cell, in_one_unit, order_of_cells,
    settings as settings_of,
};
pub use spread::Spread;
pub use tally::Tally;

use crate::metric;
use crate::record::{Outcome, Record};
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
    /// What was wrong with the lab, by the records, and in how many trials.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lab_faults: BTreeMap<String, u32>,
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
    /// Between what the true value of a trial lies, where each trial's source says so: the median
    /// of the lower ends and that of the upper ones. No confidence interval of the median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
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
    /// Its name: the field of [`crate::record::Phases`] without `_s`.
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
        metric::DISK_GAP,
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
        let mut tally = Tally::new();
        for record in records {
            tally.add(record);
        }
        tally.summary()
    }
}

impl CellSummary {
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

/// Trials of a run are numbered by `u32`, so their number fits.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
