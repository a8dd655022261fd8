//! A check of a lab for people: what failed first, then warnings, then what is as it should be,
//! alike things in one line.

use crate::{
    color::Paint,
    columns::{Align, aligned},
};
use harness::lab_check::{Finding, LabCheck, Severity, What};

/// One line of the table.
struct Row<'a> {
    severity: Severity,
    cells: [String; 5],
    remedy: Option<&'a str>,
}

/// The whole text.
pub fn render(lab: &str, check: &LabCheck, paint: Paint, unicode: bool) -> String {
    let count = |severity| check.of(severity).count();
    let (failed, warned, ok) = (count(Severity::Fail), count(Severity::Warn), count(Severity::Ok));
    let came = match (failed, warned) {
        (0, 0) => {
            format!("{} its check: all {ok} findings are as they should be", paint.good("passed"))
        }
        (0, _) => format!(
            "{} its check: {warned} of {} findings deserve a look",
            paint.warning("passed"),
            warned + ok
        ),
        _ => format!(
            "{} its check: {failed} of {} findings",
            paint.error("failed"),
            failed + warned + ok
        ),
    };
    let rows = rows(check);
    let cells: Vec<[String; 5]> = rows.iter().map(|row| row.cells.clone()).collect();
    let lines = aligned([Align::Left; 5], &cells);
    let mut text = vec![format!("the lab `{lab}` {came} ({:.1} s)", check.seconds), String::new()];
    for (row, line) in rows.iter().zip(lines) {
        text.push(match row.severity {
            Severity::Fail => painted(&line, |word| paint.error(word)),
            Severity::Warn => painted(&line, |word| paint.warning(word)),
            Severity::Ok => painted(&line, |word| paint.good(word)),
        });
        text.extend(row.remedy.map(|remedy| format!("         remedy: {remedy}")));
    }
    let text = text.join("\n") + "\n";
    if unicode { text } else { text.replace('→', "->").replace('±', "+-") }
}

/// The line with its first word painted: aligned before, for colours have no width.
fn painted(line: &str, paint: impl Fn(&str) -> String) -> String {
    let (word, rest) = line.split_at(line.find(' ').unwrap_or(line.len()));
    paint(word) + rest
}

fn rows(check: &LabCheck) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for finding in check.of(Severity::Fail).chain(check.of(Severity::Warn)) {
        rows.push(Row {
            severity: finding.severity,
            cells: cells(finding, finding.whose(), finding.measured.clone()),
            remedy: finding.remedy.as_deref(),
        });
    }
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in check.of(Severity::Ok) {
        let alike =
            |group: &&mut Vec<&Finding>| group.iter().all(|other| are_alike(other, finding));
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    rows.extend(groups.iter().filter_map(|group| {
        let first = group.first()?;
        let cells = cells(first, whose(group), range(group));
        Some(Row { severity: Severity::Ok, cells, remedy: None })
    }));
    rows
}

fn are_alike(a: &Finding, b: &Finding) -> bool {
    let key =
        |it: &Finding| (it.what, it.network.clone(), it.expected.clone(), it.tolerance.clone());
    // Words without a number are shown as they are.
    key(a) == key(b) && (a.value.is_some() || a.measured == b.measured)
}

fn cells(finding: &Finding, whose: String, measured: String) -> [String; 5] {
    let mark = match finding.severity {
        Severity::Fail => "FAILED",
        Severity::Warn => "warning",
        Severity::Ok => "ok",
    };
    let (expected, tolerance) = (finding.expected.as_str(), finding.tolerance.as_str());
    let expected = match (expected, tolerance) {
        (_, "") => expected.to_owned(),
        ("", _) => tolerance.to_owned(),
        _ => format!("{expected}, {tolerance}"),
    };
    [mark.to_owned(), finding.subject(), whose, measured, expected]
}

fn whose(group: &[&Finding]) -> String {
    let (Some(first), n) = (group.first(), group.len()) else { return String::new() };
    match first.what {
        _ if n == 1 => first.whose(),
        What::Rate | What::Mtu => format!("{n} links"),
        What::RoundTrip => format!("{n} pairs"),
        What::StorageRead => format!("{n} pairs"),
        _ => {
            let nodes: Vec<String> = group.iter().map(|finding| finding.whose()).collect();
            nodes.join(", ")
        }
    }
}

/// From the least to the greatest.
fn range(group: &[&Finding]) -> String {
    let value = |it: &&&Finding| it.value.unwrap_or(0.0);
    let least = group.iter().min_by(|a, b| value(a).total_cmp(&value(b)));
    let most = group.iter().max_by(|a, b| value(a).total_cmp(&value(b)));
    match (least, most) {
        (Some(least), Some(most)) if least.measured != most.measured => {
            format!("{} to {}", least.measured, most.measured)
        }
        (Some(one), _) => one.measured.clone(),
        _ => String::new(),
    }
}
