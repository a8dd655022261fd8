//! A baseline's text in types.

use super::SCHEMA;
use crate::judge::{CellSample, Context, Sample, Subject, Values};
use crate::metric::{self, JUDGED};
use crate::record::Outcome;
use lab::yaml::{self, Parsed, Problem, Report, did_you_mean};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a baseline: `schema`, `context`, `subject`, `cells`")]
pub(super) struct File {
    schema: u32,
    experiment: String,
    context: Context,
    subject: Subject,
    cells: BTreeMap<String, Cell>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a cell: `outcomes` and `metrics`")]
struct Cell {
    outcomes: BTreeMap<Outcome, u32>,
    #[serde(default)]
    metrics: BTreeMap<String, Line>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with `unit`, `resolution` and `values`")]
struct Line {
    #[serde(default)]
    unit: String,
    resolution: f64,
    values: Vec<f64>,
}

/// Reads the types. What another version wrote is not found wanting key by key.
pub(super) fn read(file_name: &str, text: &str) -> Result<Parsed<File>, Report> {
    #[derive(Deserialize)]
    struct Schema {
        schema: u32,
    }
    let parsed = yaml::parse::<File>(file_name, text);
    if parsed.as_ref().is_ok_and(|parsed| parsed.value.schema == SCHEMA) {
        return parsed;
    }
    if let Ok(schema) = yaml::parse::<Schema>(file_name, text)
        && schema.value.schema != SCHEMA
    {
        let found = schema.value.schema;
        let problem = schema
            .problem(&["schema"], format!("this baseline has schema {found}"))
            .expected(format!("schema {SCHEMA}, which this program writes"))
            .hint("accept a run of this version in its place");
        schema.checked(vec![problem])?;
    }
    parsed
}

pub(super) fn problems(parsed: &Parsed<File>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (id, cell) in &parsed.value.cells {
        let completed = cell.outcomes.get(&Outcome::Completed).copied().unwrap_or(0);
        for (name, line) in &cell.metrics {
            let at = ["cells", id, "metrics", name];
            let of = |last: &'static str| [at[0], at[1], at[2], at[3], last];
            let Some(judged) = metric::judged(name) else {
                let names = JUDGED.iter().map(|judged| judged.name);
                let problem = Problem::new(
                    parsed.at_key(&at),
                    format!("`{name}` is no metric that is judged"),
                );
                problems.push(match did_you_mean(name, names) {
                    Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
                    None => problem.hint("remove the line"),
                });
                continue;
            };
            let unit = metric::definition(judged.name).map(|definition| definition.unit);
            if unit.is_some_and(|unit| unit != line.unit) {
                let unit = unit.unwrap_or_default();
                problems.push(
                    parsed
                        .problem(&of("unit"), format!("`{name}` is not in `{}`", line.unit))
                        .expected(if unit.is_empty() { "no unit" } else { unit }),
                );
            }
            let values = &line.values;
            if values.is_empty() {
                problems.push(
                    parsed.problem(&of("values"), "no value").hint("leave the metric out instead"),
                );
            }
            if values.len() > completed as usize {
                problems.push(parsed.problem(
                    &of("values"),
                    format!("{} values, but {completed} completed in `outcomes`", values.len()),
                ));
            }
            if values.iter().any(|value| !value.is_finite()) {
                problems.push(parsed.problem(&of("values"), "a value is not a finite number"));
            } else if !values.is_sorted() {
                problems.push(parsed.problem(&of("values"), "the values are not in order"));
            }
            if !(line.resolution.is_finite() && line.resolution >= 0.0) {
                problems.push(
                    parsed
                        .problem(&of("resolution"), format!("{} is no resolution", line.resolution))
                        .expected("the smallest difference that the source can show"),
                );
            }
        }
    }
    problems
}

impl File {
    pub(super) fn sample(self) -> Sample {
        let cells = self.cells.into_iter().map(|(id, cell)| {
            let metrics = cell.metrics.into_iter().map(|(name, line)| {
                let Line { unit, resolution, values } = line;
                (name, Values { unit, resolution, values })
            });
            let metrics = metrics.collect();
            (id, CellSample { outcomes: cell.outcomes, metrics, lost: Vec::new() })
        });
        Sample {
            experiment: self.experiment,
            context: self.context,
            subject: self.subject,
            cells: cells.collect(),
        }
    }
}
