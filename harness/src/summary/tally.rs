//! A summary that grows record by record: only what a spread needs of each is kept, so that a
//! run of any length is summarised while it is read.

use super::cause::Causes;
use super::factor::{self, Levels};
use super::{
    CellSummary, Integrity, MetricSummary, PhaseSummary, SCHEMA, Spread, Summary, applies, count,
};
use crate::metric;
use crate::record::{Measured, Metric, Outcome, Phases, Record};
use crate::settings::Settings;
use std::collections::{BTreeMap, BTreeSet};

/// Records seen so far. Ten bytes or so a metric of each are kept, and no text twice.
#[derive(Debug, Default)]
pub struct Tally {
    trials: usize,
    outcomes: BTreeMap<Outcome, u32>,
    policies: BTreeSet<String>,
    started: Option<jiff::Timestamp>,
    ended: Option<jiff::Timestamp>,
    phases: [Vec<f64>; PHASES.len()],
    lab_faults: BTreeMap<String, u32>,
    levels: Levels,
    cells: BTreeMap<String, CellTally>,
}

#[derive(Debug)]
struct CellTally {
    settings: Settings,
    causes: Causes,
    integrity: Integrity,
    outcomes: BTreeMap<Outcome, OutcomeTally>,
}

/// The trials of one cell that ended one way.
#[derive(Debug, Default)]
struct OutcomeTally {
    trials: usize,
    metrics: BTreeMap<String, Column>,
}

/// One metric of them.
#[derive(Debug)]
struct Column {
    /// Records that have the metric, measured or not.
    seen: usize,
    values: Vec<f64>,
    /// Lower and upper ends of the intervals that come with values.
    intervals: [Vec<f64>; 2],
    /// Known once it is defined by [`metric`], or measured.
    unit: Option<String>,
    because: BTreeSet<String>,
    sources: BTreeSet<String>,
    resolution: f64,
}

/// Name of a phase, its length, and whether it is defined for completed trials only.
type Phase = (&'static str, fn(&Phases) -> f64, bool);

/// In the order of a trial.
pub(super) const PHASES: [Phase; 8] = [
    ("start", |phases| phases.start_s, false),
    ("fill", |phases| phases.fill_s, false),
    ("gate", |phases| phases.gate_s, false),
    ("migrate", |phases| phases.migrate_s, false),
    ("verify", |phases| phases.verify_s, false),
    ("tear_down", |phases| phases.tear_down_s, false),
    ("wall", |phases| phases.wall_s, false),
    ("overhead", |phases| phases.overhead_s, true),
];

impl Tally {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one record in. The order of records decides nothing but which of two that claim to
    /// be the same trial is named first.
    pub fn add(&mut self, record: &Record) {
        self.trials += 1;
        *self.outcomes.entry(record.outcome).or_insert(0) += 1;
        keep_text(&mut self.policies, &record.policy);
        self.started = self.started.into_iter().chain([record.started]).min();
        self.ended = self.ended.into_iter().chain(end_of(record)).max();
        for (lengths, (_, length, completed_only)) in self.phases.iter_mut().zip(PHASES) {
            let length = length(&record.phases);
            if length.is_finite() && (!completed_only || record.outcome == Outcome::Completed) {
                lengths.push(length);
            }
        }
        self.levels.add(&record.settings);
        if let Some(other) = &record.guest {
            self.levels.are_of(other);
        }
        for fault in &record.lab_faults {
            match self.lab_faults.get_mut(fault) {
                Some(trials) => *trials += 1,
                None => drop(self.lab_faults.insert(fault.clone(), 1)),
            }
        }
        match self.cells.get_mut(&record.cell) {
            Some(cell) => cell.add(record),
            None => {
                let mut cell = CellTally {
                    settings: record.settings.clone(),
                    causes: Causes::default(),
                    integrity: Integrity::default(),
                    outcomes: BTreeMap::new(),
                };
                cell.add(record);
                self.cells.insert(record.cell.clone(), cell);
            }
        }
    }

    /// What came of the records seen.
    #[must_use]
    pub fn summary(self) -> Summary {
        let (factors, constants) = self.levels.factors(self.cells.keys());
        let mut cells: Vec<CellSummary> =
            self.cells.into_iter().map(|(cell, tally)| tally.summary(cell, &factors)).collect();
        cells.sort_by(|a, b| factor::order(&a.factors, &b.factors).then(a.cell.cmp(&b.cell)));
        let phase = |((name, ..), lengths): (Phase, Vec<f64>)| PhaseSummary {
            name: name.to_owned(),
            n: count(lengths.len()),
            total_s: lengths.iter().sum(),
            spread: Spread::of(&lengths),
        };
        Summary {
            schema: SCHEMA,
            trials: count(self.trials),
            outcomes: self.outcomes,
            factors,
            constants,
            policies: self.policies,
            started: self.started,
            ended: self.ended,
            phases: PHASES.into_iter().zip(self.phases).map(phase).collect(),
            cells,
            lab_faults: self.lab_faults,
            stopping: None,
        }
    }
}

impl CellTally {
    fn add(&mut self, record: &Record) {
        self.causes.add(record);
        add_integrity(&mut self.integrity, record);
        let outcome = self.outcomes.entry(record.outcome).or_default();
        outcome.trials += 1;
        // Both are in the order of their names, so one walk along both finds every column.
        let mut columns = outcome.metrics.iter_mut().peekable();
        let mut new = Vec::new();
        for (name, metric) in &record.metrics {
            while columns.next_if(|(column, _)| *column < name).is_some() {}
            match columns.peek_mut() {
                Some((column, values)) if *column == name => values.add(metric),
                _ if applies(record.outcome, name) => new.push((name, metric)),
                _ => {}
            }
        }
        for (name, metric) in new {
            let mut column = Column::new(name);
            column.add(metric);
            outcome.metrics.insert(name.clone(), column);
        }
    }

    fn summary(self, cell: String, factors: &[String]) -> CellSummary {
        let trials = self.outcomes.values().map(|outcome| outcome.trials).sum();
        CellSummary {
            cell,
            factors: factor::values_of(&self.settings, factors),
            n: count(trials),
            outcomes: self
                .outcomes
                .iter()
                .map(|(&outcome, tally)| (outcome, count(tally.trials)))
                .collect(),
            causes: self.causes.in_order(),
            integrity: self.integrity,
            metrics: self
                .outcomes
                .into_iter()
                .map(|(outcome, tally)| (outcome, tally.summaries()))
                .collect(),
        }
    }
}

impl OutcomeTally {
    fn summaries(self) -> BTreeMap<String, MetricSummary> {
        let trials = self.trials;
        self.metrics.into_iter().map(|(name, column)| (name, column.summary(trials))).collect()
    }
}

impl Column {
    fn new(name: &str) -> Self {
        Self {
            seen: 0,
            values: Vec::new(),
            intervals: [Vec::new(), Vec::new()],
            unit: metric::definition(name).map(|definition| definition.unit.to_owned()),
            because: BTreeSet::new(),
            sources: BTreeSet::new(),
            resolution: 0.0,
        }
    }

    fn add(&mut self, metric: &Metric) {
        self.seen += 1;
        match metric {
            Metric::Measured(measured) if measured.value.is_finite() => self.measured(measured),
            Metric::Measured(_) => keep_text(&mut self.because, "not a finite number"),
            Metric::Unavailable(reason) => keep_text(&mut self.because, reason),
        }
    }

    fn measured(&mut self, measured: &Measured) {
        self.values.push(measured.value);
        if let Some(ends) = measured.interval {
            for (column, end) in self.intervals.iter_mut().zip(ends) {
                column.push(end);
            }
        }
        keep_text(&mut self.sources, &measured.source);
        if measured.resolution.is_finite() {
            self.resolution = self.resolution.max(measured.resolution);
        }
        self.unit.get_or_insert_with(|| measured.unit.clone());
    }

    fn summary(mut self, trials: usize) -> MetricSummary {
        if self.seen < trials {
            keep_text(&mut self.because, "not in the record");
        }
        let [low, high] = self.intervals;
        // Of a part of the trials it would be another sample than the median's.
        let all = low.len() == self.values.len();
        let ends = Spread::of(&low).zip(Spread::of(&high)).filter(|_| all);
        MetricSummary {
            interval: ends.map(|(low, high)| [low.median, high.median]),
            unit: self.unit.unwrap_or_default(),
            n: count(self.values.len()),
            unavailable: count(trials - self.values.len()),
            unavailable_because: self.because,
            spread: Spread::of(&self.values),
            sources: self.sources,
            resolution: self.resolution,
        }
    }
}

/// Copies a text only when it is new.
fn keep_text(texts: &mut BTreeSet<String>, text: &str) {
    if !texts.contains(text) {
        texts.insert(text.to_owned());
    }
}

fn add_integrity(integrity: &mut Integrity, record: &Record) {
    if record.outcome == Outcome::Invalid {
        return;
    }
    let value = |name| match record.metrics.get(name) {
        Some(Metric::Measured(measured)) => Some(measured.value),
        _ => None,
    };
    let checked = value(metric::PAGES_CHECKED).is_some_and(|pages| pages > 0.0);
    let wrong = value(metric::PAGES_WRONG);
    let behind = value(metric::COUNTER_BEHIND);
    integrity.trials += 1;
    let lost = [wrong, behind, value(metric::DISK_BLOCKS_WRONG)]
        .iter()
        .any(|count| count.is_some_and(|n| n > 0.0));
    if lost || record.outcome == Outcome::Corrupt {
        integrity.wrong += 1;
    } else if checked && wrong.is_some() && behind.is_some() {
        integrity.verified += 1;
    }
}

fn end_of(record: &Record) -> Option<jiff::Timestamp> {
    let wall = jiff::SignedDuration::try_from_secs_f64(record.phases.wall_s).ok()?;
    record.started.checked_add(wall).ok()
}
