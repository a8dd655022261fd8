//! What came of a comparison.

use super::Difference;
use crate::metric::{Scale, Worse};
use crate::record::Outcome;
use crate::statistics::Interval;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the judgement's layout, the field `schema`.
pub const SCHEMA: u32 = 1;

/// The answer to "did it get worse?"
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No worse and no better by more than the margins, shown at 5 %.
    Equivalent,
    /// Better by more than a margin, and nothing is worse or undecided.
    Improved,
    /// Neither could be shown. What it would take is said.
    Undecided,
    /// Worse by more than a margin, or guests died, or do not converge any more.
    Regressed,
}

impl Verdict {
    /// As it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equivalent => "equivalent",
            Self::Improved => "improved",
            Self::Undecided => "undecided",
            Self::Regressed => "regressed",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What two samples are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Two runs: trials of a cell are compared with those of the other run's.
    Runs,
    /// Two levels of one factor within a run: trials of a block are compared with each other.
    Levels,
}

/// What came of a comparison. Nothing in it names a machine or a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Name of the candidate's experiment.
    pub experiment: String,
    /// The answer.
    pub verdict: Verdict,
    /// What the two are to each other.
    pub form: Form,
    /// In what their contexts differ. When it is not empty, only what means the same anywhere
    /// was judged.
    pub contexts: Vec<Difference>,
    /// In what their subjects differ: what is compared.
    pub subjects: Vec<Difference>,
    /// Cells that both have.
    pub common_cells: u32,
    /// How the trials of those ended.
    pub outcomes: Sides<BTreeMap<Outcome, u32>>,
    /// One a metric of the gate.
    pub metrics: Vec<MetricJudgement>,
    /// What is said of outcomes, cell by cell; equivalent ones are not listed.
    pub findings: Vec<OutcomeFinding>,
    /// Where a change comes from: cells and metrics, ordered by cell.
    pub cells: Vec<CellDiagnosis>,
    /// What a reader must know besides.
    pub notes: Vec<String>,
}

/// The same thing of both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sides<T> {
    /// Of what is compared with.
    pub baseline: T,
    /// Of what is judged.
    pub candidate: T,
}

/// One metric of the gate over all common cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricJudgement {
    /// Name of the metric.
    pub name: String,
    /// Unit of its values; empty for a pure number.
    pub unit: String,
    /// Whether shifts are fractions (`0.05` is 5 % more) or in the metric's unit.
    pub scale: ShiftScale,
    /// Which way is worse.
    pub worse: WorseWay,
    /// What is said of it.
    pub verdict: Verdict,
    /// How much more the candidate has than the baseline; `None` without common values.
    pub shift: Option<f64>,
    /// The interval of the shift with 90 % confidence: it lies within the margin exactly when
    /// equivalence is shown at 5 %. An open end is absent.
    pub interval: OpenInterval,
    /// The margin that was declared.
    pub margin: f64,
    /// The widest margin of a cell: the declared one, or what the measurement can resolve there.
    pub widest_margin: f64,
    /// Values compared.
    pub n: Sides<u32>,
    /// Cells that both have values of.
    pub cells: u32,
    /// The tests' p-values. `None` without common values.
    pub p: Option<PValues>,
    /// Trials per cell to add on both sides until it is decided, if the estimate stays. `None`
    /// when it is decided, or when no number would.
    pub more_trials: Option<u32>,
    /// The least true shift for the worse that would have been called in 80 % of such
    /// comparisons, as a fraction or in the unit. `None` where there is no interval.
    pub detectable: Option<f64>,
    /// Why it is undecided, or in which cells it is regressed though it is not over all of them, in
    /// words; absent otherwise.
    pub because: Option<String>,
}

/// How shifts are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShiftScale {
    /// Fractions of the baseline.
    Fraction,
    /// The metric's unit.
    Unit,
}

/// Which way is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorseWay {
    /// More of it.
    Higher,
    /// Less of it.
    Lower,
}

impl From<Scale> for ShiftScale {
    fn from(scale: Scale) -> Self {
        match scale {
            Scale::Ratio => Self::Fraction,
            Scale::Difference => Self::Unit,
        }
    }
}

impl From<Worse> for WorseWay {
    fn from(worse: Worse) -> Self {
        match worse {
            Worse::Higher => Self::Higher,
            Worse::Lower => Self::Lower,
        }
    }
}

/// An interval whose ends may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenInterval {
    /// The lower end.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

/// P-values of a metric's tests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PValues {
    /// Of "worse by the margin at most", Holm over the metrics.
    pub regressed: f64,
    /// Of "better by the margin at most", Holm over the metrics.
    pub improved: f64,
    /// Of "worse or better by the margin at least": the greater of two one-sided tests.
    pub equivalent: f64,
}

/// What is said of the outcomes of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeFinding {
    /// The cell.
    pub cell: String,
    /// Regressed, improved or undecided.
    pub verdict: Verdict,
    /// What is counted: trials that converged, or guests that were lost.
    pub counted: Counted,
    /// How many of the trials that tell.
    pub proportions: Sides<Proportion>,
    /// Fisher's one-sided p-value, Holm over the cells; `None` where a rule needs none.
    pub p: Option<f64>,
    /// In words: trials by their number with the reason.
    pub words: String,
}

/// What a finding counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Trials that completed, of those that completed or did not converge.
    Converged,
    /// Trials that failed or were corrupt, of all but the invalid and the cancelled.
    Lost,
    /// Trials that tell something, of all.
    Valid,
}

/// So many of so many, with Wilson's interval at 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proportion {
    /// So many.
    pub count: u32,
    /// Of so many.
    pub of: u32,
    /// Lower end for the true proportion.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One metric in one cell: where a change is, and whether it is beyond doubt in this cell alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellDiagnosis {
    /// The cell.
    pub cell: String,
    /// The metric.
    pub metric: String,
    /// How much more the candidate has, as in [`MetricJudgement::shift`].
    pub shift: f64,
    /// With 95 % confidence.
    pub interval: OpenInterval,
    /// The margin in this cell, as a fraction or in the unit.
    pub margin: f64,
    /// Cliff's delta of the candidate over the baseline, −1 to 1. For levels: the share of
    /// blocks in which it is more, less that in which it is less.
    pub cliffs_delta: f64,
    /// P-value of "worse by the margin at most", Holm over all rows: at most
    /// [`CELL_ALPHA`](super::CELL_ALPHA), the metric is regressed, whatever it is over all cells.
    pub p_alone: f64,
    /// P-value of "worse by the margin at most", Benjamini–Hochberg over all rows.
    pub p_worse: f64,
    /// P-value of "better by the margin at most", Benjamini–Hochberg over all rows.
    pub p_better: f64,
    /// What the row says, at 5 %: regressed, improved, or neither.
    pub verdict: Option<Verdict>,
    /// Values compared.
    pub n: Sides<u32>,
}

impl From<Interval> for OpenInterval {
    fn from(interval: Interval) -> Self {
        let finite = |end: f64| end.is_finite().then_some(end);
        Self { low: finite(interval.low), high: finite(interval.high) }
    }
}
