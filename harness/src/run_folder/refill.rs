//! Parses a record into one that is no longer needed, so that almost nothing is allocated: most
//! of a record's texts are those of the record before.

use crate::record::{
    Clocks, Measured, Metric, OtherGuest, Outcome, Phases, Programs, Record, Roles, Round,
};
use crate::settings::Settings;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// Settings are kept by their text up to this many: a run has as many as it has cells.
const MOST_SETTINGS: usize = 4096;
/// Metrics of a record, about.
const METRICS: usize = 40;

/// What is remembered from record to record.
#[derive(Default)]
pub(super) struct Refiller {
    settings: HashMap<String, Settings>,
}

impl Refiller {
    /// Makes `record` what `line` says, exactly as if it were read anew.
    ///
    /// # Errors
    /// When the line is no record; what `record` is then has no meaning. The full parse of the
    /// line says why.
    pub fn refill(&mut self, record: &mut Record, line: &str) -> serde_json::Result<()> {
        let line: Line<'_> = serde_json::from_str(line)?;
        let from = line.settings.get();
        match self.settings.get(from) {
            Some(known) if *known == record.settings => {}
            Some(known) => record.settings.clone_from(known),
            None => {
                record.settings = serde_json::from_str(from)?;
                if self.settings.len() == MOST_SETTINGS {
                    self.settings.clear();
                }
                self.settings.insert(from.to_owned(), record.settings.clone());
            }
        }
        line.fill(record);
        Ok(())
    }
}

/// A [`Record`] whose texts are those of the line.
#[derive(Deserialize)]
struct Line<'a> {
    schema: u32,
    #[serde(borrow)]
    run: Cow<'a, str>,
    trial: u32,
    block: u32,
    #[serde(borrow)]
    cell: Cow<'a, str>,
    started: jiff::Timestamp,
    #[serde(borrow)]
    roles: LineRoles<'a>,
    #[serde(borrow)]
    settings: &'a RawValue,
    #[serde(default)]
    programs: Option<Programs>,
    #[serde(default)]
    guest: Option<OtherGuest>,
    #[serde(borrow)]
    policy: Cow<'a, str>,
    outcome: Outcome,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    metrics: LineMetrics<'a>,
    rounds: Vec<Round>,
    phases: Phases,
    host_load: f64,
    #[serde(default)]
    clocks: Option<Clocks>,
    #[serde(default, borrow)]
    lab_faults: Vec<Text<'a>>,
}

#[derive(Deserialize)]
struct LineRoles<'a> {
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    target: Cow<'a, str>,
    #[serde(borrow)]
    witness: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum LineMetric<'a> {
    Measured(#[serde(borrow)] LineMeasured<'a>),
    Unavailable(#[serde(borrow)] Text<'a>),
}

#[derive(Deserialize)]
struct LineMeasured<'a> {
    value: f64,
    #[serde(borrow)]
    unit: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    resolution: f64,
    #[serde(default)]
    interval: Option<[f64; 2]>,
}

/// A text of the line itself, unless it holds escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Metrics in the order of the line, which is that of their names.
struct LineMetrics<'a>(Vec<(Text<'a>, LineMetric<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for LineMetrics<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Metrics;

        impl<'de> Visitor<'de> for Metrics {
            type Value = Vec<(Text<'de>, LineMetric<'de>)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut metrics = Vec::with_capacity(METRICS);
                while let Some(metric) = map.next_entry()? {
                    metrics.push(metric);
                }
                Ok(metrics)
            }
        }

        deserializer.deserialize_map(Metrics).map(Self)
    }
}

impl Line<'_> {
    fn fill(self, record: &mut Record) {
        // All fields by name: one that is added to a record must be added here.
        let Record {
            schema,
            run,
            trial,
            block,
            cell,
            started,
            roles: Roles { source, target, witness },
            settings: _,
            programs,
            guest,
            policy,
            outcome,
            reason,
            metrics,
            rounds,
            phases,
            host_load,
            clocks,
            lab_faults,
        } = record;
        (*schema, *trial, *block) = (self.schema, self.trial, self.block);
        (*started, *outcome) = (self.started, self.outcome);
        (*rounds, *phases, *host_load) = (self.rounds, self.phases, self.host_load);
        (*programs, *guest, *clocks) = (self.programs, self.guest, self.clocks);
        fill_text(run, &self.run);
        fill_text(cell, &self.cell);
        fill_text(source, &self.roles.source);
        fill_text(target, &self.roles.target);
        fill_text(witness, &self.roles.witness);
        fill_text(policy, &self.policy);
        match (reason.as_mut(), self.reason) {
            (Some(old), Some(Text(new))) => fill_text(old, &new),
            (_, new) => *reason = new.map(|Text(new)| new.into_owned()),
        }
        fill_metrics(metrics, self.metrics.0);
        // Those of the record before, mostly.
        if !lab_faults.iter().eq(self.lab_faults.iter().map(|Text(fault)| fault.as_ref())) {
            *lab_faults = self.lab_faults.into_iter().map(|Text(it)| it.into_owned()).collect();
        }
    }
}

fn fill_text(text: &mut String, new: &str) {
    if text != new {
        text.clear();
        text.push_str(new);
    }
}

/// Both are in the order of their names, and mostly of the same ones.
fn fill_metrics(metrics: &mut BTreeMap<String, Metric>, line: Vec<(Text<'_>, LineMetric<'_>)>) {
    let alike = line.len() == metrics.len()
        && line.iter().zip(metrics.keys()).all(|((Text(new), _), name)| new == name);
    if alike {
        for (metric, (_, new)) in metrics.values_mut().zip(line) {
            new.fill(metric);
        }
    } else {
        *metrics =
            line.into_iter().map(|(Text(name), new)| (name.into_owned(), new.owned())).collect();
    }
}

impl LineMetric<'_> {
    fn fill(self, metric: &mut Metric) {
        match (metric, self) {
            (Metric::Measured(old), Self::Measured(new)) => {
                let Measured { value, unit, source, resolution, interval } = old;
                (*value, *resolution, *interval) = (new.value, new.resolution, new.interval);
                fill_text(unit, &new.unit);
                fill_text(source, &new.source);
            }
            (Metric::Unavailable(old), Self::Unavailable(Text(new))) => fill_text(old, &new),
            (metric, new) => *metric = new.owned(),
        }
    }

    fn owned(self) -> Metric {
        match self {
            Self::Unavailable(Text(reason)) => Metric::Unavailable(reason.into_owned()),
            Self::Measured(new) => Metric::Measured(Measured {
                value: new.value,
                unit: new.unit.into_owned(),
                source: new.source.into_owned(),
                resolution: new.resolution,
                interval: new.interval,
            }),
        }
    }
}
