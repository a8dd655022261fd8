//! The table a terminal shows: a row a cell.
//!
//! It stays within the style's width. What does not fit gives way in this order: unbroken heads,
//! the column `n` (the outcomes count every trial too), long words for outcomes, rounds, columns
//! of the leading factors (they become headings over their rows), the service gap. The four
//! figures of the reference study always stay: where even they do not fit, each cell is a block
//! of lines instead.

use super::figure::{FIGURES, Figure, outcome_words};
use super::grid::{self, Column, Line, Tone};
use super::{Run, Style, note, number, text};
use crate::claim;
use crate::metric;
use crate::model_lab::NOT_CHECKED;
use crate::record::Outcome;
use crate::summary::{CellSummary, Summary, in_one_unit};

/// What a table leaves out.
#[derive(Clone, Copy, Default)]
struct Layout {
    narrow_heads: bool,
    no_n: bool,
    short_outcomes: bool,
    no_rounds: bool,
    /// How many leading factors are headings.
    headings: usize,
    no_gap: bool,
}

/// The table of a run with its heading and notes, ending in a newline.
///
/// Widths below 50 columns may be exceeded by a few characters.
#[must_use]
pub fn table(run: Run<'_>, style: Style) -> String {
    let mut out = String::new();
    for paragraph in note::heading(run) {
        out.push_str(&text::wrap(&text::spell(&paragraph, style), style.width, 2));
        out.push('\n');
    }
    out.push('\n');
    out.push_str(&match run.summary.trials {
        0 if run.faults.is_damage() => "No trial has a record that can be read.\n".to_owned(),
        _ => body(run.summary, style),
    });
    out.push('\n');
    for paragraph in note::below_table(run) {
        out.push_str(&text::wrap(&text::spell(&paragraph, style), style.width, 2));
        out.push('\n');
    }
    if !run.claims.is_empty() {
        out.push('\n');
        out.push_str(&claim::text(run.claims, style));
    }
    out
}

fn body(summary: &Summary, style: Style) -> String {
    if summary.cells.is_empty() {
        return "No trial has a record yet.\n".to_owned();
    }
    for layout in layouts(summary.factors.len()) {
        let columns = columns(summary, layout);
        if grid::width(&columns, style) <= style.width {
            return grid::render(&columns, style, |row| heading(summary, layout.headings, row));
        }
    }
    blocks(summary, style)
}

/// From the widest to the narrowest.
fn layouts(factors: usize) -> Vec<Layout> {
    let mut layout = Layout::default();
    let mut all = vec![layout];
    let steps: [fn(&mut Layout); 4] = [
        |layout| layout.narrow_heads = true,
        |layout| layout.no_n = true,
        |layout| layout.short_outcomes = true,
        |layout| layout.no_rounds = true,
    ];
    for step in steps {
        step(&mut layout);
        all.push(layout);
    }
    for headings in 1..factors {
        layout.headings = headings;
        all.push(layout);
    }
    layout.no_gap = true;
    all.push(layout);
    all
}

fn columns(summary: &Summary, layout: Layout) -> Vec<Column> {
    let cells = &summary.cells;
    let mut columns: Vec<Column> =
        (layout.headings..summary.factors.len()).map(|at| factor_column(summary, at)).collect();
    if !layout.no_n {
        let n = cells.iter().map(|cell| cell.n.to_string()).collect();
        columns.push(Column::plain(vec!["n".to_owned()], true, n));
    }
    columns.push(Column {
        head: vec!["outcomes".to_owned()],
        right: false,
        rows: cells.iter().map(|cell| outcomes(cell, layout.short_outcomes)).collect(),
    });
    let left_out = |figure: &Figure| {
        (layout.no_rounds && figure.metric == metric::ROUNDS)
            || (layout.no_gap && figure.metric == metric::SERVICE_GAP)
    };
    for figure in FIGURES.iter().filter(|figure| !left_out(figure)) {
        let words = if layout.narrow_heads { figure.narrow_head } else { figure.head };
        let mut head: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        if !figure.unit.is_empty() {
            head.push(figure.unit.to_owned());
        }
        columns.push(Column::plain(head, true, figure.column(cells)));
    }
    let head: &[&str] = if layout.narrow_heads { &["veri-", "fied"] } else { &["verified"] };
    columns.push(Column {
        head: head.iter().map(|&word| word.to_owned()).collect(),
        right: true,
        rows: cells.iter().map(|cell| vec![integrity(cell)]).collect(),
    });
    columns
}

/// A factor's column; the unit goes into the head when all levels can share one.
fn factor_column(summary: &Summary, at: usize) -> Column {
    let mut head: Vec<String> = summary.factors[at].split('_').map(str::to_owned).collect();
    let levels: Vec<&str> = summary
        .cells
        .iter()
        .map(|cell| cell.factors.get(at).map_or("", |factor| factor.value.as_str()))
        .collect();
    if let Some((unit, numbers)) = in_one_unit(&levels) {
        head.push(unit);
        return Column::plain(head, true, numbers);
    }
    Column::plain(head, false, levels.into_iter().map(str::to_owned).collect())
}

/// The line over a row whose leading factors differ from those of the row before.
fn heading(summary: &Summary, headings: usize, row: usize) -> Option<String> {
    let leading = |row: usize| summary.cells[row].factors.iter().take(headings);
    if headings == 0 || (row > 0 && leading(row - 1).eq(leading(row))) {
        return None;
    }
    let words: Vec<String> = leading(row)
        .map(|factor| format!("{} {}", factor.name.replace('_', " "), factor.value))
        .collect();
    let gap = if row > 0 { "\n" } else { "" };
    Some(format!("{gap}{}:", words.join(", ")))
}

fn outcomes(cell: &CellSummary, short: bool) -> Vec<Line> {
    cell.outcomes
        .iter()
        .map(|(&outcome, n)| {
            let (long_words, short_words) = outcome_words(outcome);
            let words = if short { short_words } else { long_words };
            (format!("{n} {words}"), tone(outcome))
        })
        .collect()
}

fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Completed => Tone::Plain,
        Outcome::NotConverged | Outcome::Cancelled | Outcome::Invalid => Tone::Odd,
        Outcome::Failed | Outcome::Corrupt => Tone::Bad,
    }
}

fn integrity(cell: &CellSummary) -> Line {
    let integrity = cell.integrity;
    if integrity.trials == 0 || has_no_guest(cell) {
        return ("–".to_owned(), Tone::Plain);
    }
    let tone = match integrity {
        _ if integrity.wrong > 0 => Tone::Bad,
        _ if integrity.verified < integrity.trials => Tone::Odd,
        _ => Tone::Plain,
    };
    (format!("{}/{}", integrity.verified, integrity.trials), tone)
}

/// Whether there was never a guest whose memory could have been checked: `0/5` would say that
/// five were, or should have been.
fn has_no_guest(cell: &CellSummary) -> bool {
    let mut checked = cell.metrics.values().filter_map(|of| of.get(metric::PAGES_CHECKED));
    checked.any(|checked| checked.unavailable_because.contains(NOT_CHECKED))
}

/// A block of lines a cell, for widths at which no table fits.
fn blocks(summary: &Summary, style: Style) -> String {
    let mut out = String::new();
    let columns: Vec<(&Figure, Vec<String>)> =
        FIGURES.iter().map(|figure| (figure, figure.column(&summary.cells))).collect();
    for (row, cell) in summary.cells.iter().enumerate() {
        if row > 0 {
            out.push('\n');
        }
        out.push_str(&text::wrap(note::label(cell), style.width, 2));
        out.push('\n');
        let counts: Vec<String> =
            outcomes(cell, false).into_iter().map(|(words, _)| words).collect();
        let mut lines = vec![
            ("trials".to_owned(), format!("{}: {}", cell.n, counts.join(", "))),
            ("verified".to_owned(), integrity(cell).0),
        ];
        for (figure, column) in &columns {
            let unit = if column[row] == "–" { "" } else { figure.unit };
            lines.push((figure.name(), format!("{} {unit}", column[row])));
        }
        let name_width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in lines {
            let line = format!("  {name:name_width$}  {value}");
            out.push_str(&text::spell(line.trim_end(), style));
            out.push('\n');
        }
    }
    out
}

/// The outcomes of a cell in one line, for other reports.
pub(super) fn outcomes_in_words(cell: &CellSummary) -> String {
    let words: Vec<String> = outcomes(cell, false).into_iter().map(|(words, _)| words).collect();
    words.join(", ")
}

/// What verification found in a cell, for other reports.
pub(super) fn integrity_in_words(cell: &CellSummary) -> String {
    match cell.integrity {
        integrity if integrity.trials == 0 || has_no_guest(cell) => "–".to_owned(),
        integrity if integrity.wrong > 0 => format!(
            "verified {}/{}, {} wrong",
            integrity.verified, integrity.trials, integrity.wrong
        ),
        integrity => format!("verified {}/{}", integrity.verified, integrity.trials),
    }
}

/// Trials in words, for headings.
pub(super) fn trials_in_words(summary: &Summary) -> String {
    let counts: Vec<String> = summary
        .outcomes
        .iter()
        .map(|(&outcome, n)| match outcome {
            Outcome::Completed => format!("{n} completed"),
            other => format!("{n} {}", outcome_words(other).0),
        })
        .collect();
    let trials = number::plural(summary.trials, "trial");
    if counts.is_empty() { trials } else { format!("{trials}: {}", counts.join(", ")) }
}
