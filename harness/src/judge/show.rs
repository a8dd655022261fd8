//! What a person or a program is shown of a judgement.

mod markdown;
mod number;
mod words;

pub use markdown::markdown;

use super::{Judgement, MetricJudgement, Verdict};
use crate::report::{Style, spell, wrap};
use number::{Number, margin, of};
use std::fmt::Write;

/// The judgement for a terminal, ending in a newline.
#[must_use]
pub fn text(judgement: &Judgement, style: Style) -> String {
    let mut out = String::new();
    let headline = format!("{}: {}", judgement.verdict, words::headline(judgement));
    paragraph(&mut out, &headline, 0, style);
    for difference in words::compared(judgement) {
        paragraph(&mut out, &difference, 2, style);
    }
    if !judgement.metrics.is_empty() {
        out.push('\n');
        out.push_str(&metrics(judgement, style));
        out.push('\n');
    }
    for finding in &judgement.findings {
        let text = format!("{}: {}: {}", finding.verdict, finding.cell, finding.words);
        paragraph(&mut out, &text, 0, style);
    }
    for row in words::changed_cells(judgement) {
        paragraph(&mut out, &row, 2, style);
    }
    for note in words::notes(judgement) {
        paragraph(&mut out, &note, 0, style);
    }
    paint(&out, judgement.verdict, style)
}

/// Folds a paragraph into the style's width.
fn paragraph(out: &mut String, text: &str, indent: usize, style: Style) {
    let room = style.width.saturating_sub(indent).max(20);
    for line in wrap(&spell(text, style), room, 2).lines() {
        let _ = writeln!(out, "{:indent$}{line}", "");
    }
}

/// A line a metric, in columns; what is undecided says below what it would take.
fn metrics(judgement: &Judgement, style: Style) -> String {
    let rows: Vec<[String; 6]> = judgement.metrics.iter().map(row).collect();
    let widths: Vec<usize> = (0..6)
        .map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for (row, metric) in rows.iter().zip(&judgement.metrics) {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if at == 0 { "" } else { "  " };
            // Shifts stand below each other by their unit.
            let _ = match at {
                2 => write!(line, "{gap}{cell:>width$}"),
                _ => write!(line, "{gap}{cell:<width$}"),
            };
        }
        let _ = writeln!(out, "  {}", spell(line.trim_end(), style));
        if let Some(because) = words::undecided(metric) {
            paragraph(&mut out, &because, 6, style);
        }
    }
    out
}

fn row(metric: &MetricJudgement) -> [String; 6] {
    let number = Number::of(metric);
    [
        metric.name.clone(),
        metric.verdict.to_string(),
        metric.shift.map_or_else(|| "–".to_owned(), |shift| number.signed(shift)),
        metric.shift.map_or_else(String::new, |_| number.interval(metric.interval)),
        format!("margin {}", margin(metric)),
        format!("n={}", of(metric.n)),
    ]
}

/// Colours the verdict, which stands first.
fn paint(text: &str, verdict: Verdict, style: Style) -> String {
    let colour = match verdict {
        _ if !style.colour => return text.to_owned(),
        Verdict::Regressed => "31",
        Verdict::Undecided => "33",
        Verdict::Improved | Verdict::Equivalent => "32",
    };
    let rest = text.strip_prefix(verdict.as_str()).unwrap_or(text);
    format!("\u{1b}[{colour}m{verdict}\u{1b}[0m{rest}")
}

/// The judgement as one JSON object, ending in a newline.
///
/// # Errors
/// None that a judgement of ours can cause.
pub fn json(judgement: &Judgement) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(judgement)?;
    text.push('\n');
    Ok(text)
}
