//! A run as far as it is judged: per cell how its trials ended, and the sorted values of the
//! judged metrics.

use super::{Context, Rules, Subject};
use crate::metric;
use crate::record::{Metric, Outcome, Record};
use crate::run_folder::Manifest;
use crate::settings::Settings;
use crate::summary;
use std::collections::{BTreeMap, BTreeSet};

/// A run as far as it is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Name of the experiment.
    pub experiment: String,
    /// What must be equal.
    pub context: Context,
    /// What may differ.
    pub subject: Subject,
    /// By the cell's identity.
    pub cells: BTreeMap<String, CellSample>,
}

/// A cell of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CellSample {
    /// How many trials ended how.
    pub outcomes: BTreeMap<Outcome, u32>,
    /// By name, over the trials that completed. A metric that none of them has is absent.
    pub metrics: BTreeMap<String, Values>,
    /// The trials that failed or were corrupt. A baseline's text keeps only their number.
    pub lost: Vec<Lost>,
}

/// Values of one metric in one cell, over the trials that completed.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Unit of the values.
    pub unit: String,
    /// Smallest difference that the source can show, two significant digits.
    pub resolution: f64,
    /// Sorted, and rounded to what the resolution can show.
    pub values: Vec<f64>,
}

/// A guest that did not live through its trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Number of the trial.
    pub trial: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in the record's words.
    pub reason: String,
}

impl CellSample {
    /// How many trials ended this way.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> u32 {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }

    /// Adds a value of a trial that completed; `unit` is for a metric that has no definition.
    pub(super) fn add(&mut self, name: &str, value: f64, resolution: f64, unit: &str) {
        if !self.metrics.contains_key(name) {
            let unit = metric::definition(name).map_or(unit, |definition| definition.unit);
            let empty = Values { unit: unit.to_owned(), resolution: 0.0, values: Vec::new() };
            self.metrics.insert(name.to_owned(), empty);
        }
        if let Some(values) = self.metrics.get_mut(name) {
            values.values.push(value);
            values.resolution = values.resolution.max(resolution);
        }
    }

    /// Puts in order what was added.
    pub(super) fn settle(&mut self) {
        self.lost.sort_by_key(|lost| lost.trial);
        for values in self.metrics.values_mut() {
            values.settle();
        }
    }

    /// Trials that say something about the migration: all but the invalid and the cancelled.
    #[must_use]
    pub fn valid(&self) -> u32 {
        [Outcome::Completed, Outcome::NotConverged, Outcome::Failed, Outcome::Corrupt]
            .map(|outcome| self.count(outcome))
            .iter()
            .sum()
    }
}

impl Sample {
    /// The sample of a run: those metrics that the rules judge, in this context or another.
    #[must_use]
    pub fn of<'a>(
        manifest: &Manifest,
        rules: &Rules,
        records: impl IntoIterator<Item = &'a Record>,
    ) -> Self {
        let mut builder = SampleBuilder::new(manifest, rules);
        for record in records {
            builder.add(record);
        }
        builder.finish()
    }

    /// The cells in the order in which people list them.
    #[must_use]
    pub fn in_order(&self) -> Vec<(&str, &CellSample)> {
        let mut cells: Vec<(&str, &CellSample)> =
            self.cells.iter().map(|(id, cell)| (id.as_str(), cell)).collect();
        cells.sort_by(|(a, _), (b, _)| summary::order_of_cells(a, b));
        cells
    }
}

/// Takes records one at a time.
#[derive(Clone, Debug)]
pub struct SampleBuilder {
    sample: Sample,
    metrics: Vec<&'static str>,
    settings: BTreeSet<Settings>,
    policies: BTreeSet<String>,
}

impl SampleBuilder {
    /// Of a run without records.
    #[must_use]
    pub fn new(manifest: &Manifest, rules: &Rules) -> Self {
        let sample = Sample {
            experiment: manifest.name.clone(),
            context: Context::of(manifest),
            subject: Subject::of(manifest),
            cells: BTreeMap::new(),
        };
        let metrics = rules.judged().map(|rule| rule.name).collect();
        Self { sample, metrics, settings: BTreeSet::new(), policies: BTreeSet::new() }
    }

    /// Takes a record. Its order among the others does not matter.
    pub fn add(&mut self, record: &Record) {
        self.add_to(&record.cell, record);
    }

    /// Takes a record as one of this cell.
    pub(super) fn add_to(&mut self, id: &str, record: &Record) {
        if !self.settings.contains(&record.settings) {
            self.settings.insert(record.settings.clone());
        }
        if !self.policies.contains(&record.policy) {
            self.policies.insert(record.policy.clone());
        }
        let cells = &mut self.sample.cells;
        if !cells.contains_key(id) {
            cells.insert(id.to_owned(), CellSample::default());
        }
        let Some(cell) = cells.get_mut(id) else { return };
        *cell.outcomes.entry(record.outcome).or_insert(0) += 1;
        match record.outcome {
            Outcome::Completed => {}
            Outcome::Failed | Outcome::Corrupt => {
                let reason = record.reason.clone().unwrap_or_else(|| "no reason given".to_owned());
                cell.lost.push(Lost { trial: record.trial, outcome: record.outcome, reason });
                return;
            }
            _ => return,
        }
        for name in &self.metrics {
            let Some(Metric::Measured(measured)) = record.metrics.get(*name) else { continue };
            if !measured.value.is_finite() {
                continue;
            }
            cell.add(name, measured.value, measured.resolution, &measured.unit);
        }
    }

    /// The sample.
    #[must_use]
    pub fn finish(self) -> Sample {
        let Self { mut sample, settings, policies, .. } = self;
        for cell in sample.cells.values_mut() {
            cell.settle();
        }
        let cells = sample.cells.keys().map(String::as_str);
        sample.subject.settings.extend(summary::constants(settings.iter(), cells));
        sample.subject.policy = policies.into_iter().collect::<Vec<_>>().join(", ");
        sample
    }
}

impl Values {
    /// Sorts and rounds, so that a sample is what its text says.
    fn settle(&mut self) {
        self.resolution = two_digits_up(self.resolution);
        for value in &mut self.values {
            *value = rounded(*value, self.resolution);
        }
        self.values.sort_by(f64::total_cmp);
    }

    /// The middle value; `None` without values.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        summary::Spread::of(&self.values).map(|spread| spread.median)
    }
}

/// The decimal place that a resolution can still show: 0 for 1 to 9, −3 for 0.001, 4 for 61000.
pub(super) fn place_of(resolution: f64) -> i32 {
    if resolution.is_finite() && resolution > 0.0 {
        // A hair above, so that 0.001 is not 10^-3.0000000001.
        (resolution.log10() + 1e-9).floor() as i32
    } else {
        -9
    }
}

/// A number of these places, as it is read back from its text.
fn rounded(value: f64, resolution: f64) -> f64 {
    let place = place_of(resolution);
    if place <= 0 {
        let decimals = usize::try_from(-place).unwrap_or(9).min(9);
        // Through the text: it is what the text says, to the last bit.
        format!("{value:.decimals$}").parse().unwrap_or(value) + 0.0
    } else {
        let step = 10f64.powi(place);
        (value / step).round() * step + 0.0
    }
}

/// A resolution is no exact number; two digits of it, never finer than it is.
fn two_digits_up(resolution: f64) -> f64 {
    if !(resolution.is_finite() && resolution > 0.0) {
        return 0.0;
    }
    let text = format!("{resolution:.1e}");
    let near: f64 = text.parse().unwrap_or(resolution);
    if near >= resolution * (1.0 - 1e-9) {
        return near;
    }
    let next = near + 10f64.powi(place_of(near) - 1);
    format!("{next:.1e}").parse().unwrap_or(next)
}
