//! What an experiment claims, and what its trials say about it: Kendall's τ within the levels of
//! what is held, with its interval.
//!
//! Pure: no clock, no file.

mod check;
mod show;

pub use check::problems;
pub use show::{markdown, text};

use crate::record::{Metric, Outcome, Record};
use crate::statistics::kendall::{self, Kendall};
use crate::summary::{self, Factor};
use crate::{experiment::NAMES, metric};
use lab::schema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Confidence of τ's interval.
pub const CONFIDENCE: f64 = 0.95;

/// One metric is claimed to grow or to fall with another, or with a factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a claim: `claim`, `x`, `y` and `direction`")]
pub struct Claim {
    /// In the words of whoever claims it.
    pub claim: String,
    /// The factor or metric that is said to matter.
    #[schemars(schema_with = "any_quantity")]
    pub x: String,
    /// The metric that is said to follow it.
    #[schemars(schema_with = "any_metric")]
    pub y: String,
    /// Which way.
    pub direction: Direction,
    /// Factors within whose levels alone trials are compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "factors")]
    pub held: Vec<String>,
}

fn metrics() -> impl Iterator<Item = &'static str> {
    metric::every().map(|definition| definition.name)
}

fn any_metric(_: &mut SchemaGenerator) -> Schema {
    schema::words(&metrics().collect::<Vec<_>>())
}

fn any_quantity(_: &mut SchemaGenerator) -> Schema {
    schema::words(&quantities().into_iter().chain(metrics()).collect::<Vec<_>>())
}

fn factors(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": schema::words(NAMES) })
}

/// Which way a metric is claimed to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "`grows` or `falls`")]
pub enum Direction {
    /// More of x, more of y.
    Grows,
    /// More of x, less of y.
    Falls,
}

/// What the trials say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// The interval of τ lies wholly on the side that is claimed.
    Supported,
    /// It lies wholly on the other side.
    Contradicted,
    /// It holds both.
    NotShown,
    /// There is nothing to compare.
    Untested,
}

impl Found {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Contradicted => "contradicted",
            Self::NotShown => "not shown",
            Self::Untested => "untested",
        }
    }
}

/// A claim and what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tested {
    /// What was claimed.
    pub claim: Claim,
    /// What the trials say.
    pub found: Found,
    /// Trials that have both quantities.
    pub n: u32,
    /// Groups of trials within which pairs were made.
    pub groups: u32,
    /// `None` when no pair of trials differs in both.
    pub kendall: Option<Kendall>,
}

/// The values of x and of y, trial by trial.
type Pairs = (Vec<f64>, Vec<f64>);

/// Takes records one at a time.
#[derive(Clone, Debug)]
pub struct Tests {
    /// Each claim with its pairs by the levels of what is held.
    claims: Vec<(Claim, BTreeMap<Vec<String>, Pairs>)>,
}

impl Tests {
    /// Of these claims, without a trial.
    #[must_use]
    pub fn new(claims: &[Claim]) -> Self {
        Self { claims: claims.iter().map(|claim| (claim.clone(), BTreeMap::new())).collect() }
    }

    /// Takes a record. Only trials that completed have what is compared.
    pub fn add(&mut self, record: &Record) {
        if record.outcome != Outcome::Completed || self.claims.is_empty() {
            return;
        }
        let settings = summary::settings_of(&record.settings);
        for (claim, groups) in &mut self.claims {
            let (x, y) = (value(record, &settings, &claim.x), value(record, &settings, &claim.y));
            let (Some(x), Some(y)) = (x, y) else { continue };
            let level = |name: &String| {
                let factor = settings.iter().find(|factor| factor.name == *name);
                factor.map(|factor| factor.value.clone()).unwrap_or_default()
            };
            let group = groups.entry(claim.held.iter().map(level).collect()).or_default();
            group.0.push(x);
            group.1.push(y);
        }
    }

    /// What they say, in the order of the claims.
    #[must_use]
    pub fn finish(self) -> Vec<Tested> {
        self.claims.into_iter().map(|(claim, groups)| test(claim, groups)).collect()
    }

    /// Of all these records.
    #[must_use]
    pub fn of<'a>(claims: &[Claim], records: impl IntoIterator<Item = &'a Record>) -> Vec<Tested> {
        let mut tests = Self::new(claims);
        for record in records {
            tests.add(record);
        }
        tests.finish()
    }
}

fn test(claim: Claim, groups: BTreeMap<Vec<String>, Pairs>) -> Tested {
    let groups: Vec<Pairs> = groups.into_values().collect();
    let n = groups.iter().map(|(x, _)| x.len()).sum::<usize>();
    let kendall = kendall::stratified(&groups, CONFIDENCE);
    let found = kendall.map_or(Found::Untested, |kendall| {
        let (grows, falls) = (kendall.interval.low > 0.0, kendall.interval.high < 0.0);
        match (claim.direction, grows, falls) {
            (Direction::Grows, true, _) | (Direction::Falls, _, true) => Found::Supported,
            (Direction::Grows, _, true) | (Direction::Falls, true, _) => Found::Contradicted,
            _ => Found::NotShown,
        }
    });
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    Tested { claim, found, n: count(n), groups: count(groups.len()), kendall }
}

/// A metric's value, or a factor's level as a number.
fn value(record: &Record, settings: &[Factor], name: &str) -> Option<f64> {
    if metric::definition(name).is_some() {
        return match record.metrics.get(name)? {
            Metric::Measured(measured) => Some(measured.value).filter(|value| value.is_finite()),
            Metric::Unavailable(_) => None,
        };
    }
    let factor = settings.iter().find(|factor| factor.name == name)?;
    summary::Quantity::parse(&factor.value).map(summary::Quantity::magnitude)
}

/// The factors whose levels are quantities, which alone can grow.
#[must_use]
pub fn quantities() -> BTreeSet<&'static str> {
    [
        "memory",
        "working_set",
        "filled",
        "touch_rate",
        "link_rate",
        "bandwidth_limit",
        "downtime_limit",
    ]
    .into()
}

#[cfg(test)]
mod tests;
