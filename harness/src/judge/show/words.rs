//! A judgement in sentences.

use super::number::Number;
use crate::judge::{Form, Judgement, MetricJudgement, ShiftScale, Verdict};

/// What the verdict means here.
pub(super) fn headline(judgement: &Judgement) -> String {
    let names = |verdict: Verdict| -> Vec<&str> {
        let of = |metric: &&MetricJudgement| metric.verdict == verdict;
        judgement.metrics.iter().filter(of).map(|metric| metric.name.as_str()).collect()
    };
    let findings =
        |verdict| judgement.findings.iter().filter(|finding| finding.verdict == verdict).count();
    match judgement.verdict {
        Verdict::Equivalent => "nothing changed by more than its margin".to_owned(),
        Verdict::Improved => {
            let better = subjects(&names(Verdict::Improved), findings(Verdict::Improved));
            format!("{better} better, nothing is worse")
        }
        Verdict::Undecided if judgement.metrics.is_empty() && judgement.findings.is_empty() => {
            "nothing was measured on both sides that could be compared".to_owned()
        }
        Verdict::Undecided
            if judgement.cells.iter().any(|row| row.verdict == Some(Verdict::Regressed)) =>
        {
            "nothing is shown to be worse over all cells together, but single cells are".to_owned()
        }
        Verdict::Undecided => {
            "nothing is shown to be worse, but not everything is shown to be the same".to_owned()
        }
        Verdict::Regressed => {
            let worse = subjects(&names(Verdict::Regressed), findings(Verdict::Regressed));
            format!("{worse} worse")
        }
    }
}

/// `total_time and 2 cells' outcomes are`.
fn subjects(metrics: &[&str], findings: usize) -> String {
    let mut all: Vec<String> = metrics.iter().map(|name| (*name).to_owned()).collect();
    match findings {
        0 => {}
        1 => all.push("how trials of a cell end".to_owned()),
        n => all.push(format!("how trials of {n} cells end")),
    }
    let verb = if all.len() == 1 { "is" } else { "are" };
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    format!("{} {verb}", crate::report::list(&all))
}

/// What is compared, and in which context.
pub(super) fn compared(judgement: &Judgement) -> Vec<String> {
    let mut lines: Vec<String> =
        judgement.subjects.iter().map(|difference| format!("compared: {difference}")).collect();
    if lines.is_empty() && judgement.contexts.is_empty() {
        lines.push("compared: the same with the same, as far as both sides say".to_owned());
    }
    if !judgement.contexts.is_empty() {
        lines.push(
            "the contexts differ, so times and bytes are not compared, only what means the same \
             anywhere:"
                .to_owned(),
        );
        lines.extend(judgement.contexts.iter().map(|difference| format!("context: {difference}")));
    }
    lines
}

/// What a metric says below its line, where its verdict is not plain.
pub(super) fn undecided(metric: &MetricJudgement) -> Option<String> {
    let because = metric.because.as_ref()?;
    if metric.verdict != Verdict::Undecided {
        return Some(because.clone());
    }
    let number = Number::of(metric);
    let seen = metric.detectable.map(|shift| {
        format!("; a true change of about {} is seen 4 times in 5", number.signed(shift))
    });
    Some(format!("{because}{}", seen.unwrap_or_default()))
}

/// How many cells are told one by one on a terminal.
const TOLD: usize = 8;

/// The cells that carry a change, one line each: the worse ones first, the largest change first.
pub(super) fn changed_cells(judgement: &Judgement) -> Vec<String> {
    let mut rows: Vec<(bool, f64, String)> = judgement
        .cells
        .iter()
        .filter_map(|row| {
            let worse = row.verdict? == Verdict::Regressed;
            let metric = judgement.metrics.iter().find(|metric| metric.name == row.metric)?;
            let number = Number::of(metric);
            let text = format!(
                "{} {} {} {} in {}",
                row.metric,
                number.signed(row.shift),
                number.interval(row.interval),
                if worse { "worse" } else { "better" },
                row.cell,
            );
            Some((!worse, -row.shift.abs(), text))
        })
        .collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let all = rows.len();
    let mut lines: Vec<String> = rows.into_iter().take(TOLD).map(|(_, _, text)| text).collect();
    if all > TOLD {
        lines.push(format!("and {} more such changes", all - TOLD));
    }
    lines
}

/// What a reader must know to read the above.
pub(super) fn notes(judgement: &Judgement) -> Vec<String> {
    let mut notes = judgement.notes.clone();
    if !judgement.metrics.is_empty() {
        let fractions = judgement.metrics.iter().any(|metric| metric.scale == ShiftScale::Fraction);
        let of = if fractions { "candidate over baseline" } else { "candidate less baseline" };
        let form = match judgement.form {
            Form::Runs => "trials of a cell against those of the same cell",
            Form::Levels => "trials of one block against each other",
        };
        let wide = judgement
            .metrics
            .iter()
            .filter(|metric| metric.scale == ShiftScale::Fraction)
            .map(|metric| metric.margin)
            .fold(0.0, f64::max);
        let both_ways = if wide > 0.1 {
            let down = 100.0 * (1.0 - 1.0 / (1.0 + wide));
            format!(
                " A margin of {:.0} % is a factor of {} either way: from −{down:.0} % to +{:.0} %.",
                100.0 * wide,
                1.0 + wide,
                100.0 * wide
            )
        } else {
            String::new()
        };
        notes.push(format!("Shifts are {of}, {form}; in brackets their 90 % intervals, of single cells 95 %.{both_ways}"));
    }
    notes
}
