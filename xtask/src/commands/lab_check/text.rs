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
    why: Option<&'a str>,
    remedy: Option<&'a str>,
}

/// The whole text.
pub fn render(lab: &str, check: &LabCheck, paint: Paint, unicode: bool) -> String {
    let count = |severity| check.of(severity).count();
    let (failed, warned, ok) = (count(Severity::Fail), count(Severity::Warn), count(Severity::Ok));
    let verdict = if failed > 0 { paint.error("failed") } else { paint.good("passed") };
    let mut counts = vec![format!("{} findings", failed + warned + ok)];
    if failed > 0 {
        counts.push(format!("{failed} failed"));
    }
    if warned > 0 {
        counts.push(format!("{warned} to look at"));
    }
    let counts = counts.join(", ");
    let rows = rows(check);
    // Before they are aligned: what is spelt out is longer.
    let spell = |text: String| match unicode {
        true => text,
        false => text.replace('→', "->").replace('±', "+-").replace('…', "..."),
    };
    let cells: Vec<[String; 5]> = rows.iter().map(|row| row.cells.clone().map(spell)).collect();
    let lines = aligned([Align::Left; 5], &cells);
    let mut text = vec![
        format!("the lab `{lab}` {verdict} its check: {counts} ({:.1} s)", check.seconds),
        String::new(),
    ];
    for (row, line) in rows.iter().zip(lines) {
        text.push(match row.severity {
            Severity::Fail => painted(&line, |word| paint.error(word)),
            Severity::Warn => painted(&line, |word| paint.warning(word)),
            Severity::Ok => painted(&line, |word| paint.good(word)),
        });
        text.extend(row.why.map(|why| format!("         why: {why}")));
        text.extend(row.remedy.map(|remedy| format!("         remedy: {remedy}")));
    }
    text.join("\n") + "\n"
}

/// The line with its first word painted: aligned before, for colours have no width.
fn painted(line: &str, paint: impl Fn(&str) -> String) -> String {
    let (word, rest) = line.split_at(line.find(' ').unwrap_or(line.len()));
    paint(word) + rest
}

fn rows(check: &LabCheck) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for finding in check.of(Severity::Fail).chain(check.of(Severity::Warn)) {
        // What went wrong may be long, and what there is instead of a number is short.
        let (measured, why) = match finding.measured.split_once(": ") {
            Some((measured, why)) if finding.value.is_none() => (measured, Some(why)),
            _ => (finding.measured.as_str(), None),
        };
        rows.push(Row {
            severity: finding.severity,
            cells: cells(finding, finding.whose(), measured.to_owned()),
            why,
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
        Some(Row { severity: Severity::Ok, cells, why: None, remedy: None })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::color::ColorChoice;
    use harness::lab_check::Measured;

    fn finding(severity: Severity, what: What, nodes: [&str; 2], measured: &str) -> Finding {
        let value = measured.split(' ').next().and_then(|number| number.parse().ok());
        Finding {
            severity,
            what,
            network: Some("migration".to_owned()),
            nodes: nodes.map(str::to_owned).to_vec(),
            expected: "1 Gbit/s".to_owned(),
            measured: measured.to_owned(),
            tolerance: "85 % to 110 %".to_owned(),
            value,
            unit: None,
            remedy: (severity != Severity::Ok).then(|| "mend it".to_owned()),
        }
    }

    #[test]
    fn failures_come_first_and_what_is_alike_is_one_line() {
        let rate =
            |severity, from, to, measured| finding(severity, What::Rate, [from, to], measured);
        let mut check = LabCheck {
            at: jiff::Timestamp::UNIX_EPOCH,
            seconds: 2.345,
            findings: Vec::new(),
            measured: Measured::default(),
        };
        check.add(rate(Severity::Ok, "a", "b", "941 Mbit/s"));
        check.add(rate(Severity::Ok, "b", "c", "938 Mbit/s"));
        check.add(finding(Severity::Warn, What::RoundTrip, ["a", "b"], "1 ms, 1 lost"));
        check.add(rate(Severity::Fail, "c", "a", "310 Mbit/s"));
        check.add(rate(Severity::Fail, "c", "b", "not measured: Connection refused"));
        let text = render("x", &check, Paint::stdout(ColorChoice::Never), false);
        insta::assert_snapshot!(text, @"
        the lab `x` failed its check: 5 findings, 2 failed, 1 to look at (2.3 s)

        FAILED   migration rate        c->a     310 Mbit/s                1 Gbit/s, 85 % to 110 %
                 remedy: mend it
        FAILED   migration rate        c->b     not measured              1 Gbit/s, 85 % to 110 %
                 why: Connection refused
                 remedy: mend it
        warning  migration round trip  a->b     1 ms, 1 lost              1 Gbit/s, 85 % to 110 %
                 remedy: mend it
        ok       migration rate        2 links  938 Mbit/s to 941 Mbit/s  1 Gbit/s, 85 % to 110 %
        ");
        let painted = render("x", &check, Paint::stdout(ColorChoice::Always), true);
        assert!(painted.contains("\x1b[1;31mFAILED\x1b[0m   migration rate"), "{painted}");
        check.findings.retain(|finding| finding.severity == Severity::Ok);
        let text = render("x", &check, Paint::stdout(ColorChoice::Never), true);
        assert!(text.starts_with("the lab `x` passed its check: 2 findings (2.3 s)\n"), "{text}");
    }
}
