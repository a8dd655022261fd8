//! A judgement as a comment of a pull request.

use super::number::{Number, margin, of};
use super::words;
use crate::judge::{Judgement, Sides, Verdict};
use crate::record::Outcome;
use crate::report::{escape, markdown_table};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The judgement as Markdown, ending in a newline.
#[must_use]
pub fn markdown(judgement: &Judgement) -> String {
    let mut out = format!(
        "### Migration cost of {}: {}\n\n**{}**: {}\n",
        escape(&judgement.experiment),
        judgement.verdict,
        judgement.verdict,
        escape(&words::headline(judgement)),
    );
    section(&mut out, "", &words::compared(judgement));
    out.push_str(&metrics(judgement));
    let undecided: Vec<String> = judgement
        .metrics
        .iter()
        .filter_map(|metric| Some(format!("{}: {}", metric.name, words::undecided(metric)?)))
        .collect();
    section(&mut out, "", &undecided);
    let findings: Vec<String> = judgement
        .findings
        .iter()
        .map(|finding| format!("{}: {}: {}", finding.verdict, finding.cell, finding.words))
        .collect();
    section(&mut out, "Outcomes", &findings);
    out.push_str(&outcomes(&judgement.outcomes));
    out.push_str(&cells(judgement));
    section(&mut out, "", &words::notes(judgement));
    out
}

/// A list below a heading; nothing for an empty one.
fn section(out: &mut String, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    out.push('\n');
    if !heading.is_empty() {
        let _ = writeln!(out, "**{heading}**\n");
    }
    for line in lines {
        let _ = writeln!(out, "- {}", escape(line));
    }
}

fn metrics(judgement: &Judgement) -> String {
    if judgement.metrics.is_empty() {
        return String::new();
    }
    let heads = ["metric", "verdict", "shift", "90 % interval", "margin", "n"].map(str::to_owned);
    let rows: Vec<Vec<String>> = judgement
        .metrics
        .iter()
        .map(|metric| {
            let number = Number::of(metric);
            let shift = metric.shift.map_or_else(|| "–".to_owned(), |shift| number.signed(shift));
            let interval = metric.shift.map(|_| number.interval(metric.interval));
            let verdict = match metric.verdict {
                Verdict::Equivalent => metric.verdict.to_string(),
                changed => format!("**{changed}**"),
            };
            vec![
                escape(&metric.name),
                verdict,
                shift,
                escape(&interval.unwrap_or_default()),
                margin(metric),
                of(metric.n),
            ]
        })
        .collect();
    format!("\n{}", markdown_table(&heads, &[false, false, true, true, true, true], &rows))
}

fn outcomes(of: &Sides<BTreeMap<Outcome, u32>>) -> String {
    let side = |counts: &BTreeMap<Outcome, u32>| {
        let counts: Vec<String> =
            counts.iter().map(|(outcome, n)| format!("{n} {}", outcome.words())).collect();
        if counts.is_empty() { "no trial".to_owned() } else { counts.join(", ") }
    };
    format!("\nTrials: baseline {}; candidate {}.\n", side(&of.baseline), side(&of.candidate))
}

fn cells(judgement: &Judgement) -> String {
    let heads = ["cell", "metric", "shift", "95 % interval", "Cliff's δ", "n", ""];
    let rows: Vec<Vec<String>> = judgement
        .cells
        .iter()
        .filter_map(|row| {
            let metric = judgement.metrics.iter().find(|metric| metric.name == row.metric)?;
            let number = Number::of(metric);
            let word = match row.verdict {
                Some(Verdict::Regressed) => "**worse**",
                Some(Verdict::Improved) => "better",
                _ => "",
            };
            Some(vec![
                escape(&row.cell),
                escape(&row.metric),
                number.signed(row.shift),
                escape(&number.interval(row.interval)),
                format!("{:+.2}", row.cliffs_delta).replace('-', "−"),
                of(row.n),
                word.to_owned(),
            ])
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let right = [false, false, true, true, true, true, false];
    let table = markdown_table(&heads.map(str::to_owned), &right, &rows);
    format!("\n<details><summary>Cell by cell</summary>\n\n{table}\n</details>\n")
}
