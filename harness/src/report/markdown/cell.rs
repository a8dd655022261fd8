//! A section a cell: every outcome with its causes, every metric.

use super::super::number::{decimals, fixed, plural, shown_unit};
use super::super::{Run, note, table};
use super::syntax::{escape, markdown_table};
use crate::metric;
use crate::record::Outcome;
use crate::summary::{CellSummary, MetricSummary, Spread};
use std::fmt::Write;

pub(super) fn cells(run: Run<'_>) -> String {
    let mut out = "## Cells\n".to_owned();
    for cell in &run.summary.cells {
        let _ = writeln!(out, "\n### {}\n", escape(note::label(cell)));
        let _ = writeln!(
            out,
            "{}: {}. Integrity: {}.\n",
            plural(cell.n, "trial"),
            table::outcomes_in_words(cell),
            table::integrity_in_words(cell)
        );
        for cause in &cell.causes {
            let _ = writeln!(out, "- {}", escape(&note::cause_in_words(cell, cause)));
        }
        if !cell.causes.is_empty() {
            out.push('\n');
        }
        let tables: Vec<String> =
            cell.metrics.keys().filter_map(|&outcome| metrics_of(cell, outcome)).collect();
        out.push_str(&tables.join("\n"));
    }
    out
}

/// All metrics of the trials of one outcome, in the order of [`metric::every`].
fn metrics_of(cell: &CellSummary, outcome: Outcome) -> Option<String> {
    let metrics = cell.metrics.get(&outcome)?;
    let known = metric::every().map(|definition| definition.name);
    let others =
        metrics.keys().map(String::as_str).filter(|name| metric::definition(name).is_none());
    let mut rows = Vec::new();
    let mut without: Vec<(String, Vec<&str>)> = Vec::new();
    for name in known.chain(others) {
        let Some(summary) = metrics.get(name) else { continue };
        match summary.spread {
            Some(spread) => rows.push(metric_row(name, summary, spread)),
            None => {
                let because: Vec<&str> =
                    summary.unavailable_because.iter().map(String::as_str).collect();
                let because = because.join("; ");
                match without.iter_mut().find(|(other, _)| *other == because) {
                    Some((_, names)) => names.push(name),
                    None => without.push((because, vec![name])),
                }
            }
        }
    }
    if rows.is_empty() && without.is_empty() {
        return None;
    }
    let (words, until) = match outcome {
        Outcome::Completed => ("Completed", ""),
        Outcome::NotConverged => ("Not converged", ", until the cancellation"),
        Outcome::Cancelled => ("Cancelled", ", until the cancellation"),
        Outcome::Failed => ("Failed", ", until the failure"),
        Outcome::Corrupt => ("Corrupt", ""),
        Outcome::Invalid => ("Invalid", ", from the gate"),
    };
    let mut out = format!("{words} ({}){until}:\n\n", plural(cell.count(outcome), "trial"));
    if !rows.is_empty() {
        let heads = ["metric", "median", "min – max", "unit", "n", "source"].map(str::to_owned);
        out.push_str(&markdown_table(&heads, &[false, true, true, false, true, false], &rows));
    }
    for (because, names) in without {
        let gap = if out.ends_with("\n\n") { "" } else { "\n" };
        let _ = writeln!(out, "{gap}Unavailable: {} ({}).", names.join(", "), escape(&because));
    }
    Some(out)
}

fn metric_row(name: &str, summary: &MetricSummary, spread: Spread) -> Vec<String> {
    let (unit, divisor) = shown_unit(&summary.unit);
    let values = [spread.median, spread.min, spread.max].map(|value| value / divisor);
    let digits = decimals(values, summary.resolution / divisor);
    let [mut median, min, max] = values.map(|value| fixed(value, digits));
    if let Some([low, high]) = summary.interval {
        let [low, high] = [low, high].map(|end| fixed(end / divisor, digits));
        median = format!("{median} \\[{low}, {high}\\]");
    }
    let sources: Vec<String> = summary.sources.iter().map(|source| escape(source)).collect();
    let n = match summary.unavailable {
        0 => summary.n.to_string(),
        missing => format!("{} ({missing} without)", summary.n),
    };
    vec![name.to_owned(), median, format!("{min} – {max}"), unit.to_owned(), n, sources.join(", ")]
}
