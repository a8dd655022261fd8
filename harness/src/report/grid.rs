//! Columns of text below their heads, aligned.

use super::Style;
use super::text::spell;

/// What a cell's text says, for colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    Odd,
    Bad,
}

/// One line of a table's cell.
pub(super) type Line = (String, Tone);

/// A column: its head (lines, standing on the rule) and the lines of each row.
pub(super) struct Column {
    pub head: Vec<String>,
    pub right: bool,
    pub rows: Vec<Vec<Line>>,
}

const GAP: usize = 2;

impl Column {
    /// A column whose every row is one plain line.
    pub fn plain(head: Vec<String>, right: bool, rows: Vec<String>) -> Self {
        let rows = rows.into_iter().map(|text| vec![(text, Tone::Plain)]).collect();
        Self { head, right, rows }
    }

    fn width(&self, style: Style) -> usize {
        let head = self.head.iter();
        let rows = self.rows.iter().flatten().map(|(text, _)| text);
        head.chain(rows).map(|text| spell(text, style).chars().count()).max().unwrap_or(0)
    }
}

/// Columns that this table takes.
pub(super) fn width(columns: &[Column], style: Style) -> usize {
    columns.iter().map(|column| column.width(style)).sum::<usize>()
        + GAP * columns.len().saturating_sub(1)
}

/// The table; `heading(row)` may give a line that is set before a row.
pub(super) fn render(
    columns: &[Column],
    style: Style,
    heading: impl Fn(usize) -> Option<String>,
) -> String {
    let widths: Vec<usize> = columns.iter().map(|column| column.width(style)).collect();
    let mut out = String::new();
    let line = |cells: &[Line], out: &mut String| {
        let mut text = String::new();
        let mut blank = 0;
        for ((cell, column), &width) in cells.iter().zip(columns).zip(&widths) {
            let (words, tone) = cell;
            let words = spell(words, style);
            let padding = width.saturating_sub(words.chars().count());
            let (before, after) = if column.right { (padding, 0) } else { (0, padding) };
            if !words.is_empty() {
                text.push_str(&" ".repeat(blank + before));
                blank = 0;
                text.push_str(&coloured(&words, *tone, style));
                blank += after + GAP;
            } else {
                blank += width + GAP;
            }
        }
        out.push_str(&text);
        out.push('\n');
    };
    let heads = columns.iter().map(|column| column.head.len()).max().unwrap_or(0);
    for at in 0..heads {
        let cells: Vec<Line> = columns
            .iter()
            .map(|column| {
                let above = heads - column.head.len();
                let text = at.checked_sub(above).map(|at| column.head[at].clone());
                (text.unwrap_or_default(), Tone::Plain)
            })
            .collect();
        line(&cells, &mut out);
    }
    out.push_str(&rule(width(columns, style), style));
    let rows = columns.iter().map(|column| column.rows.len()).max().unwrap_or(0);
    for row in 0..rows {
        if let Some(heading) = heading(row) {
            out.push_str(&spell(&heading, style));
            out.push('\n');
        }
        let height = columns.iter().map(|column| column.rows[row].len()).max().unwrap_or(0);
        for at in 0..height {
            let cells: Vec<Line> = columns
                .iter()
                .map(|column| column.rows[row].get(at).cloned().unwrap_or_default())
                .collect();
            line(&cells, &mut out);
        }
    }
    out
}

/// A line across the table, newline included.
fn rule(width: usize, style: Style) -> String {
    format!("{}\n", if style.unicode { "─" } else { "-" }.repeat(width))
}

fn coloured(text: &str, tone: Tone, style: Style) -> String {
    let code = match tone {
        Tone::Odd if style.colour => "33",
        Tone::Bad if style.colour => "31",
        _ => return text.to_owned(),
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}
