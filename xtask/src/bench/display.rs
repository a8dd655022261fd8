//! Figures for people, and as JSON.

use super::{
    measure::{Machine, Measured, Outcomes},
    sample::{Bar, Spread, Statistic},
};
use crate::{
    color::{ColorChoice, Paint},
    columns::{Align, aligned},
};
use harness::record::Outcome;
use serde::Serialize;
use std::collections::BTreeMap;

/// The JSON's form.
#[derive(Serialize)]
struct Told<'a> {
    schema: u32,
    machine: &'a Machine,
    trials: &'a BTreeMap<Outcome, u32>,
    figures: Vec<ToldFigure>,
}

#[derive(Serialize)]
struct ToldFigure {
    name: &'static str,
    what: &'static str,
    unit: &'static str,
    spread: Option<Spread>,
    bar: Option<Bar>,
    holds: Option<bool>,
}

/// For programs, and for comparison.
///
/// # Errors
/// None that figures can cause.
pub fn json(outcomes: &Outcomes) -> serde_json::Result<String> {
    let told = |measured: &Measured| ToldFigure {
        name: measured.figure.name,
        what: measured.figure.what,
        unit: measured.figure.unit,
        spread: measured.spread,
        bar: measured.figure.bar,
        holds: measured.holds(),
    };
    let told = Told {
        schema: 1,
        machine: &outcomes.machine,
        trials: &outcomes.trials,
        figures: outcomes.figures.iter().map(told).collect(),
    };
    serde_json::to_string_pretty(&told).map(|text| text + "\n")
}

/// For people.
pub fn text(outcomes: &Outcomes, colors: ColorChoice) -> String {
    let paint = Paint::stdout(colors);
    let head = ["figure", "unit", "n", "median", "p95", "min", "max", "bar"].map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(outcomes.figures.iter().map(row));
    let mut align = [Align::Right; 8];
    (align[0], align[1], align[7]) = (Align::Left, Align::Left, Align::Left);
    let table = aligned(align, &rows);
    let verdicts = outcomes.figures.iter().map(|measured| match measured.holds() {
        Some(true) => paint.good("HOLDS"),
        Some(false) => paint.error("MISSED"),
        None => String::new(),
    });
    let width = table.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let mut lines: Vec<String> = Vec::new();
    for (line, verdict) in table.iter().zip(std::iter::once(String::new()).chain(verdicts)) {
        let line = if lines.is_empty() {
            paint.strong(line)
        } else {
            format!("{line:<width$}  {verdict}")
        };
        lines.push(line.trim_end().to_owned());
    }
    lines.push(String::new());
    let named: Vec<[String; 2]> = outcomes
        .figures
        .iter()
        .map(|measured| [measured.figure.name.to_owned(), measured.figure.what.to_owned()])
        .collect();
    lines.extend(aligned([Align::Left; 2], &named));
    lines.push(String::new());
    lines.extend(machine(&outcomes.machine));
    if !outcomes.trials.is_empty() {
        let words = |(outcome, count): (&Outcome, &u32)| format!("{count} {}", outcome.words());
        let outcomes: Vec<String> = outcomes.trials.iter().map(words).collect();
        lines.push(format!("trials: {}", outcomes.join(", ")));
    }
    lines.join("\n") + "\n"
}

fn row(measured: &Measured) -> [String; 8] {
    let figure = &measured.figure;
    // Parts stand below their whole.
    let name = match figure.name.split_once('/') {
        Some((_, part)) => format!("  {part}"),
        None => figure.name.to_owned(),
    };
    let count = figure.unit.is_empty();
    let number = |value: f64| if count { format!("{value:.0}") } else { significant(value) };
    let of = |value: fn(&Spread) -> f64| {
        measured.spread.as_ref().map_or_else(|| "-".to_owned(), |spread| number(value(spread)))
    };
    let n = measured.spread.map_or(0, |spread| spread.n).to_string();
    let unit = if count { "count" } else { figure.unit };
    let bar = figure.bar.map_or_else(String::new, |bar| {
        let statistic = match bar.statistic {
            Statistic::Median => "median",
            Statistic::Max => "max",
            Statistic::Sum => "sum",
        };
        format!("{statistic} <= {} {}", bar.at_most, figure.unit).trim_end().to_owned()
    });
    [
        name,
        unit.to_owned(),
        n,
        of(|spread| spread.median),
        of(|spread| spread.p95),
        of(|spread| spread.min),
        of(|spread| spread.max),
        bar,
    ]
}

/// Milliseconds below ten seconds, tenths above.
fn significant(value: f64) -> String {
    if value.abs() < 10.0 { format!("{value:.3}") } else { format!("{value:.1}") }
}

fn machine(machine: &Machine) -> Vec<String> {
    let mut lines = vec![format!(
        "machine: {} x {}, Linux {}",
        machine.cpu_count, machine.cpu_model, machine.kernel
    )];
    if let Some(qemu) = &machine.qemu {
        lines.push(format!("QEMU: {qemu}"));
    }
    if let Some(commit) = &machine.commit {
        lines.push(format!("commit: {commit}"));
    }
    lines.push(format!(
        "load average over 1 min: {} before, {} after (with its own)",
        machine.load_before, machine.load_after
    ));
    #[expect(clippy::cast_precision_loss, reason = "a number of processors")]
    let busy = machine.load_before > 0.5 * machine.cpu_count as f64;
    if busy {
        lines.push(
            "note: the machine was busy before this began, so times are upper bounds".to_owned(),
        );
    }
    lines
}
