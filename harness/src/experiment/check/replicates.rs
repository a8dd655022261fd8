//! What `replicates` may not say.

use super::{Experiment, range_at};
use crate::{
    experiment::{Percent, Replicates},
    metric,
    record::Outcome,
    stopping::LEAST_FOR_AN_INTERVAL,
    summary,
};
use lab::yaml::{Parsed, Problem, did_you_mean};
use std::ops::RangeInclusive;

const REPLICATES: RangeInclusive<u32> = 1..=1000;
const PRECISION: RangeInclusive<Percent> = Percent(1)..=Percent(100_000);

/// Checks numbers, their order, and the metrics that are named.
pub(super) fn check(parsed: &Parsed<Experiment>, problems: &mut Vec<Problem>) {
    let rule = match &parsed.value.replicates {
        Replicates::Fixed(number) => {
            range_at(parsed, &["replicates"], *number, &REPLICATES, problems);
            return;
        }
        Replicates::UntilPrecise(rule) => rule,
    };
    let before = problems.len();
    range_at(parsed, &["replicates", "min"], rule.min, &REPLICATES, problems);
    range_at(parsed, &["replicates", "max"], rule.max, &REPLICATES, problems);
    if problems.len() == before && rule.min > rule.max {
        problems.push(
            parsed
                .problem(
                    &["replicates", "min"],
                    format!("`min` is {} and `max` is {}", rule.min, rule.max),
                )
                .hint("`min` is at most `max`")
                .also(parsed.at(&["replicates", "max"]), "the other"),
        );
    } else if problems.len() == before && rule.max < LEAST_FOR_AN_INTERVAL {
        problems.push(
            parsed
                .problem(
                    &["replicates", "max"],
                    format!("with at most {} trials a cell no median is precise", rule.max),
                )
                .hint(format!(
                    "the least that has a 95 % interval is {LEAST_FOR_AN_INTERVAL}; `replicates: {}` stops for nothing",
                    rule.max
                )),
        );
    }
    if rule.precision.0.is_empty() {
        problems.push(
            parsed
                .problem(&["replicates", "precision"], "no metric is named")
                .hint("such as `precision: 5 %` or `precision: { total_time: 3 % }`"),
        );
    }
    // One percentage stands for `total_time` and has no key of its own.
    let mapping =
        rule.precision.0.keys().any(|name| {
            parsed.says(&["replicates", "precision", name]) || name != metric::TOTAL_TIME
        });
    for (name, percent) in &rule.precision.0 {
        let path: &[&str] = &["replicates", "precision", name];
        let path = if mapping { path } else { &path[..2] };
        range_at(parsed, path, *percent, &PRECISION, problems);
        metric_of_completed(parsed, name, path, problems);
    }
}

/// Only what a completed trial has can become precise.
fn metric_of_completed(
    parsed: &Parsed<Experiment>,
    name: &str,
    path: &[&str],
    problems: &mut Vec<Problem>,
) {
    let possible: Vec<&str> = metric::every()
        .map(|definition| definition.name)
        .filter(|name| summary::applies(Outcome::Completed, name))
        .collect();
    if possible.contains(&name) {
        return;
    }
    let hint = match did_you_mean(name, possible.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            "METHODOLOGY.md lists them: `total_time`, `stream_bytes`, `vcpu_pause`, …".to_owned()
        }
    };
    let message = if metric::definition(name).is_some() {
        format!("a completed trial has no `{name}`")
    } else {
        format!("`{name}` is no metric")
    };
    problems.push(Problem::new(parsed.at_key(path), message).hint(hint));
}
