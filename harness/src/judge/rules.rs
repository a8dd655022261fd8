//! What a verdict rests on: the metrics of the gate and their margins.

use super::Margin;
use crate::metric::{self, JUDGED, Judged, Scale};
use crate::run_folder::Manifest;
use lab::{
    schema,
    yaml::{Parsed, Problem, did_you_mean},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// Chance of calling a regression, over all metrics of a gate, where there is none.
pub const ALPHA: f64 = 0.05;
/// The part of [`ALPHA`] that is spent on the metrics over all cells together. They have the
/// values of all cells, so they can do with little.
pub const GATE_ALPHA: f64 = 0.01;
/// The part of [`ALPHA`] that is spent on single cells, each metric in each cell: what a change in
/// one of many cells is called by. Five trials against five can just be called at it, in nine cells
/// and metrics or ten.
pub const CELL_ALPHA: f64 = ALPHA - GATE_ALPHA;
/// Chance with which the detectable shift is detected.
pub const POWER: f64 = 0.80;

/// What an experiment says of its gate: metrics by name, each with its margin. What it does not
/// name is as [`JUDGED`] has it, so a gate is never narrower by mistake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rules {
    margins: BTreeMap<String, Margin>,
}

impl JsonSchema for Rules {
    fn schema_name() -> Cow<'static, str> {
        "Rules".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let margin = generator.subschema_for::<Margin>();
        schema::mapping(JUDGED.iter().map(|judged| {
            let meaning = metric::definition(judged.name).map_or("", |metric| metric.meaning);
            let default = Margin::default_of(judged);
            let unless =
                if judged.in_gate { "Default" } else { "Not judged by default; where it is" };
            let description =
                format!("Margin of {}: {meaning}. {unless}: `{default}`.", judged.name);
            (judged.name.to_owned(), margin.clone(), description)
        }))
    }
}

/// A metric, and how it is judged here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// The metric's name.
    pub name: &'static str,
    /// Direction, scale, default.
    pub judged: &'static Judged,
    /// The margin: a fraction for ratios, in the metric's unit for differences.
    pub margin: f64,
}

impl Rules {
    /// Rules that say this of some metrics.
    #[must_use]
    pub fn new(margins: impl IntoIterator<Item = (String, Margin)>) -> Self {
        Self { margins: margins.into_iter().collect() }
    }

    /// What the experiment of a run says; the defaults where it says nothing.
    ///
    /// # Errors
    /// When its `judge` is none that this version writes.
    pub fn of(manifest: &Manifest) -> Result<Self, serde_json::Error> {
        manifest.experiment.get("judge").map_or_else(|| Ok(Self::default()), Self::deserialize)
    }

    /// Whether they are the defaults.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.margins.is_empty()
    }

    /// The metrics that decide between two runs of one context.
    pub fn gate(&self) -> impl Iterator<Item = Rule> {
        JUDGED.iter().filter(|judged| self.is_in_gate(judged)).map(|judged| self.rule(judged))
    }

    /// The metrics that decide between two runs of different contexts.
    pub fn scale_free(&self) -> impl Iterator<Item = Rule> {
        let on = |judged: &&Judged| self.margins.get(judged.name) != Some(&Margin::Off);
        JUDGED.iter().filter(|judged| judged.scale_free).filter(on).map(|judged| self.rule(judged))
    }

    /// All of both.
    pub fn judged(&self) -> impl Iterator<Item = Rule> {
        let wanted = |judged: &&Judged| {
            self.is_in_gate(judged)
                || (judged.scale_free && self.margins.get(judged.name) != Some(&Margin::Off))
        };
        JUDGED.iter().filter(wanted).map(|judged| self.rule(judged))
    }

    fn is_in_gate(&self, judged: &Judged) -> bool {
        match self.margins.get(judged.name) {
            Some(margin) => margin.on(judged.scale).is_some(),
            None => judged.in_gate,
        }
    }

    fn rule(&self, judged: &'static Judged) -> Rule {
        let own = self.margins.get(judged.name).and_then(|margin| margin.on(judged.scale));
        Rule { name: judged.name, judged, margin: own.unwrap_or(judged.margin) }
    }
}

/// What is wrong with the rules that lie at `key` of a file.
pub fn problems<T>(parsed: &Parsed<T>, key: &str, rules: &Rules) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, margin) in &rules.margins {
        if let Some(judged) = metric::judged(name) {
            if *margin != Margin::Off && margin.on(judged.scale).is_none() {
                let number = margin.to_string();
                let number = number.split_once(' ').map_or("5", |(number, _)| number);
                let (how, unit) = match judged.scale {
                    Scale::Ratio => ("ratio", "%"),
                    Scale::Difference => ("difference", "points"),
                };
                problems.push(
                    parsed
                        .problem(&[key, name], format!("`{name}` is judged by its {how}"))
                        .expected(format!("a margin in {unit}"))
                        .hint(format!("write `{number} {unit}`")),
                );
            }
        } else if let Some(why) = metric::why_not_judged(name) {
            problems.push(
                Problem::new(parsed.at_key(&[key, name]), format!("`{name}` is not judged"))
                    .hint(why),
            );
        } else {
            let names = JUDGED.iter().map(|judged| judged.name);
            let hint = did_you_mean(name, names.clone()).map_or_else(
                || {
                    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
                    format!("judged are {}", names.join(", "))
                },
                |meant| format!("did you mean `{meant}`?"),
            );
            problems.push(
                Problem::new(parsed.at_key(&[key, name]), format!("there is no metric `{name}`"))
                    .hint(hint),
            );
        }
    }
    if problems.is_empty() && rules.gate().next().is_none() {
        problems.push(
            Problem::new(parsed.at_key(&[key]), "no metric is left to judge")
                .hint("keep one; outcomes alone would pass whatever it costs"),
        );
    }
    problems
}
