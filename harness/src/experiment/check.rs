//! What an experiment file may not say although its types allow it.

mod cells;
mod levels;
mod replicates;
mod steadiness;

use super::{Experiment, Selection, qemus};
use lab::{
    units::Millis,
    yaml::{Parsed, Problem, one_of},
};
use std::{collections::BTreeSet, ops::RangeInclusive};

const MAX_TIME: RangeInclusive<Millis> = Millis(1_000)..=Millis(3_600_000);
const HEARTBEAT_INTERVAL: RangeInclusive<Millis> = Millis(1)..=Millis(100);
/// More cells than this are no experiment that anybody waits for.
const MOST_CELLS: usize = 10_000;
const NAME_CHARS: usize = 40;

/// Everything that is wrong.
pub(super) fn problems(parsed: &Parsed<Experiment>) -> Vec<Problem> {
    let mut problems = Vec::new();
    top(parsed, &mut problems);
    qemus::check(parsed, &mut problems);
    levels::check(parsed, &mut problems);
    problems.extend(crate::claim::problems(parsed, "claims", &parsed.value.claims));
    problems.extend(crate::judge::problems(parsed, "judge", &parsed.value.judge));
    let experiment = &parsed.value;
    match experiment.factors.cells() {
        // An empty list; its own problem is enough.
        Some(0) => return problems,
        Some(cells) if cells <= MOST_CELLS => {}
        cells => {
            let count = cells.map_or("countless".to_owned(), |cells| cells.to_string());
            problems.push(
                Problem::new(
                    parsed.at_key(&["factors"]),
                    format!("these factors make {count} cells, {MOST_CELLS} is the most"),
                )
                .hint("take fewer levels, or split the experiment"),
            );
            return problems;
        }
    }
    excludes(parsed, &mut problems);
    includes(parsed, &mut problems);
    cells::check(parsed, &mut problems);
    problems
}

fn top(parsed: &Parsed<Experiment>, problems: &mut Vec<Problem>) {
    let experiment = &parsed.value;
    let name = &experiment.name;
    let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if name.is_empty()
        || name.len() > NAME_CHARS
        || name.contains(odd)
        || !name.starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        problems.push(parsed.problem(&["name"], format!("`{name}` cannot name an experiment")).hint(
            format!("a run's folder is named after it: letters, digits, `-`, `_`, `.`, at most {NAME_CHARS}"),
        ));
    }
    if experiment.description.contains('\n') {
        problems.push(
            parsed
                .problem(&["description"], "the description is more than one line")
                .hint("keep it to one line; comments, `# …`, have room for more"),
        );
    }
    replicates::check(parsed, problems);
    range_at(parsed, &["max_time"], experiment.max_time, &MAX_TIME, problems);
    range_at(
        parsed,
        &["heartbeat_interval"],
        experiment.heartbeat_interval,
        &HEARTBEAT_INTERVAL,
        problems,
    );
    steadiness::check(parsed, problems);
}

/// Refuses what lies outside of the range; its name is the last step of `path`.
fn range_at<T: PartialOrd + std::fmt::Display>(
    parsed: &Parsed<Experiment>,
    path: &[&str],
    value: T,
    range: &RangeInclusive<T>,
    problems: &mut Vec<Problem>,
) {
    if !range.contains(&value) {
        let possible = possible(range);
        let name = path.last().copied().unwrap_or_default();
        problems.push(
            parsed
                .problem(path, format!("`{name}` cannot be {value}"))
                .expected(possible.clone())
                .hint(format!("possible: {possible}")),
        );
    }
}

fn possible<T: std::fmt::Display>(range: &RangeInclusive<T>) -> String {
    format!("{} to {}", range.start(), range.end())
}

fn excludes(parsed: &Parsed<Experiment>, problems: &mut Vec<Problem>) {
    let experiment = &parsed.value;
    let all = experiment.factors.product();
    for (index, exclude) in experiment.exclude.iter().enumerate() {
        let step = index.to_string();
        let at = ["exclude", step.as_str()];
        if exclude.texts().is_empty() {
            problems.push(parsed.problem(&at, "this exclude names no factor").hint(NAME_ONE));
        } else if !all.iter().any(|levels| exclude.matches(levels)) {
            problems.push(no_such_level(parsed, &step, exclude));
        }
    }
    if problems.is_empty() && experiment.combinations().is_empty() {
        problems.push(
            Problem::new(parsed.at_key(&["exclude"]), "the excludes leave no cell")
                .hint("remove one of them, or add levels"),
        );
    }
}

const NAME_ONE: &str =
    "write factors and a level each: `{ memory: 128 MiB, touch_rate: 5000 pages/s }`";

/// An exclude that matches nothing has a level that its factor does not.
fn no_such_level(parsed: &Parsed<Experiment>, step: &str, exclude: &Selection) -> Problem {
    let factors = parsed.value.factors.texts();
    for (name, level) in exclude.texts() {
        let Some((_, levels)) = factors.iter().find(|(factor, _)| *factor == name) else {
            continue;
        };
        if !levels.contains(&level) {
            let levels: Vec<&str> = levels.iter().map(String::as_str).collect();
            return parsed
                .problem(
                    &["exclude", step, name],
                    format!("this exclude matches no cell: `{name}` has no level {level}"),
                )
                .expected(one_of(&levels))
                .hint(format!("`{name}` is {} here", one_of(&levels)));
        }
    }
    parsed.problem(&["exclude", step], "this exclude matches no cell").hint("remove it")
}

fn includes(parsed: &Parsed<Experiment>, problems: &mut Vec<Problem>) {
    let experiment = &parsed.value;
    for (index, include) in experiment.include.iter().enumerate() {
        if include.texts().is_empty() {
            let at = index.to_string();
            problems.push(
                parsed.problem(&["include", &at], "this include names no factor").hint(NAME_ONE),
            );
        }
    }
    // Two cells that do the same would be counted as two different ones.
    let cells = experiment.combinations();
    let own = cells.len() - experiment.include.len();
    let mut seen = BTreeSet::new();
    for (index, levels) in cells.iter().enumerate() {
        if seen.insert(levels.settings()) {
            continue;
        }
        if let Some(include) = index.checked_sub(own) {
            problems.push(
                parsed
                    .problem(&["include", &include.to_string()], "this include is a cell already")
                    .hint("remove it; more trials of a cell are made by `replicates`"),
            );
        } else if !experiment.factors.texts().iter().any(|(_, levels)| repeats(levels)) {
            // Levels that differ in words and not in effect: only `filled` has such.
            problems.push(
                parsed
                    .problem(
                        &["factors", "filled"],
                        "two levels of `filled` come to the same size in a cell",
                    )
                    .hint("keep one of them, or exclude the cell"),
            );
        }
    }
}

fn repeats(levels: &[String]) -> bool {
    let distinct: BTreeSet<&String> = levels.iter().collect();
    distinct.len() < levels.len()
}
