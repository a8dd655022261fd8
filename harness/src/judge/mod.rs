//! From records to verdicts: what two runs, or two levels of a factor in one run, say about each
//! other. METHODOLOGY.md, section "Judging", has the rules and their reasons.
//!
//! Pure: no clock, no file. [`Sample`] is a run as far as it is judged, [`Rules`] what matters,
//! [`judge`] and [`paired`] make a [`Judgement`]; [`baseline`] has a sample's text.

mod assemble;
pub mod baseline;
mod cells;
mod comparator;
mod context;
mod effect;
mod gate;
mod judgement;
mod levels;
mod margin;
mod outcomes;
pub mod resample;
mod rules;
mod sample;
mod show;
mod trials;

pub use comparator::BaselineComparator;
pub use context::{Context, Difference, Subject};
pub use judgement::{
    CellDiagnosis, Counted, Form, Judgement, MetricJudgement, OpenInterval, OutcomeFinding,
    PValues, Proportion, SCHEMA, ShiftScale, Sides, Verdict, WorseWay,
};
pub use levels::paired;
pub use margin::{Margin, MarginError};
pub use rules::{ALPHA, CELL_ALPHA, GATE_ALPHA, POWER, Rule, Rules, problems};
pub use sample::{CellSample, Lost, Sample, SampleBuilder, Values};
pub use show::{json, markdown, text};

/// Why two things cannot be held against each other at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JudgeError {
    message: String,
    hint: Option<String>,
}

impl JudgeError {
    fn new(message: impl Into<String>, hint: impl Into<Option<String>>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// Judges a run against another, trials of a cell against those of the same cell.
///
/// # Errors
/// When the two have no cell in common.
pub fn judge(
    baseline: &Sample,
    candidate: &Sample,
    rules: &Rules,
) -> Result<Judgement, JudgeError> {
    gate::judge(baseline, candidate, rules)
}

#[cfg(test)]
mod tests;
