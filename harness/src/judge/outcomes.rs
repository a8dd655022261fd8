//! What is said of how trials ended, whatever their times: guests that died, cells that do not
//! converge any more.

use super::{ALPHA, CellSample, Counted, Lost, OutcomeFinding, Proportion, Sides, Verdict};
use crate::record::Outcome;
use crate::statistics::adjust;
use crate::statistics::proportion::{self, Count};

/// A cell on both sides.
pub(super) type Pair<'a> = (&'a str, Sides<&'a CellSample>);

/// A question to a cell that Fisher's test answers.
struct Question<'a> {
    cell: &'a str,
    counted: Counted,
    counts: Sides<(u32, u32)>,
    /// Of "no more likely in the candidate to be worse", and "… better".
    worse: f64,
    better: f64,
}

/// What is found, cell by cell in the given order; a cell of which nothing is to be said is absent.
pub(super) fn findings(cells: &[Pair<'_>]) -> Vec<OutcomeFinding> {
    let mut found: Vec<(usize, OutcomeFinding)> = Vec::new();
    let mut questions: Vec<(usize, Question<'_>)> = Vec::new();
    for (at, (cell, sides)) in cells.iter().enumerate() {
        if let Some(finding) = unmeasured(cell, sides) {
            found.push((at, finding));
            continue;
        }
        match lost(cell, sides) {
            Some(Ok(finding)) => found.push((at, finding)),
            Some(Err(question)) => questions.push((at, question)),
            None => {}
        }
        match converged(cell, sides) {
            Some(Ok(finding)) => found.push((at, finding)),
            Some(Err(question)) => questions.push((at, question)),
            None => {}
        }
    }
    // A family is every cell that could have said something; the tests of the two directions are
    // families of their own.
    let worse = adjust::holm(&questions.iter().map(|(_, q)| q.worse).collect::<Vec<_>>());
    let better = adjust::holm(&questions.iter().map(|(_, q)| q.better).collect::<Vec<_>>());
    for ((at, question), (worse, better)) in questions.iter().zip(worse.into_iter().zip(better)) {
        found.extend(answer(question, worse, better).map(|finding| (*at, finding)));
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// One side was never measured: every trial was invalid or cancelled.
fn unmeasured(cell: &str, sides: &Sides<&CellSample>) -> Option<OutcomeFinding> {
    let (baseline, candidate) = (sides.baseline.valid(), sides.candidate.valid());
    if (baseline == 0) == (candidate == 0) {
        return None;
    }
    let which = if candidate == 0 { "candidate" } else { "baseline" };
    let of = |side: &CellSample| side.outcomes.values().sum::<u32>();
    Some(OutcomeFinding {
        cell: cell.to_owned(),
        verdict: Verdict::Undecided,
        counted: Counted::Valid,
        proportions: Sides {
            baseline: proportion_of(baseline, of(sides.baseline)),
            candidate: proportion_of(candidate, of(sides.candidate)),
        },
        p: None,
        words: format!("no trial of the {which} was valid, so this cell could not be compared"),
    })
}

type Asked<'a> = Option<Result<OutcomeFinding, Question<'a>>>;

/// Guests that were lost. One is too many where the baseline lost none.
fn lost<'a>(cell: &'a str, sides: &Sides<&CellSample>) -> Asked<'a> {
    let lost = |side: &CellSample| side.count(Outcome::Failed) + side.count(Outcome::Corrupt);
    let counts = Sides {
        baseline: (lost(sides.baseline), sides.baseline.valid()),
        candidate: (lost(sides.candidate), sides.candidate.valid()),
    };
    match (counts.baseline.0, counts.candidate.0) {
        (0, 0) => None,
        (0, _) => {
            let words = format!("{}; the baseline lost none", lost_in_words(&sides.candidate.lost));
            Some(Ok(finding(cell, Verdict::Regressed, Counted::Lost, counts, None, words)))
        }
        _ => Some(Err(question(cell, Counted::Lost, counts, true))),
    }
}

/// Trials that converged, of those that completed or did not converge.
fn converged<'a>(cell: &'a str, sides: &Sides<&CellSample>) -> Asked<'a> {
    let count = |side: &CellSample| {
        let completed = side.count(Outcome::Completed);
        (completed, completed + side.count(Outcome::NotConverged))
    };
    let counts = Sides { baseline: count(sides.baseline), candidate: count(sides.candidate) };
    let ((before, of_before), (after, of_after)) = (counts.baseline, counts.candidate);
    if of_before == 0 || of_after == 0 || before + after == 0 {
        return None;
    }
    if before == of_before && after == 0 {
        let words = format!("converged in {before} of {of_before} trials, now in 0 of {of_after}");
        return Some(Ok(finding(
            cell,
            Verdict::Regressed,
            Counted::Converged,
            counts,
            None,
            words,
        )));
    }
    if before == 0 && after == of_after {
        let words = format!("converged in 0 of {of_before} trials, now in {after} of {of_after}");
        return Some(Ok(finding(cell, Verdict::Improved, Counted::Converged, counts, None, words)));
    }
    if before == of_before && after == of_after {
        return None;
    }
    Some(Err(question(cell, Counted::Converged, counts, false)))
}

/// `more_is_worse`: of what is counted.
fn question(
    cell: &str,
    counted: Counted,
    counts: Sides<(u32, u32)>,
    more_is_worse: bool,
) -> Question<'_> {
    let count = |(successes, trials): (u32, u32)| Count {
        successes: u64::from(successes),
        trials: u64::from(trials),
    };
    let test = proportion::fisher(count(counts.baseline), count(counts.candidate));
    let (less, greater) = test.map_or((1.0, 1.0), |test| (test.less, test.greater));
    let (worse, better) = if more_is_worse { (greater, less) } else { (less, greater) };
    Question { cell, counted, counts, worse, better }
}

/// What the adjusted p-values say; something only hinted at is undecided.
fn answer(question: &Question<'_>, worse: f64, better: f64) -> Option<OutcomeFinding> {
    let Question { cell, counted, counts, .. } = question;
    let what = match counted {
        Counted::Converged => "converged",
        Counted::Lost => "lost the guest",
        Counted::Valid => "were valid",
    };
    let ((before, of_before), (after, of_after)) = (counts.baseline, counts.candidate);
    let counted_words =
        format!("{what} in {before} of {of_before} trials, now in {after} of {of_after}");
    let (verdict, p, words) = if worse <= ALPHA {
        (Verdict::Regressed, worse, counted_words)
    } else if better <= ALPHA {
        (Verdict::Improved, better, counted_words)
    } else if question.worse <= ALPHA {
        let words = format!("{counted_words}: a hint, too weak among so many cells");
        (Verdict::Undecided, worse, words)
    } else {
        return None;
    };
    Some(finding(cell, verdict, *counted, *counts, Some(p), words))
}

fn finding(
    cell: &str,
    verdict: Verdict,
    counted: Counted,
    counts: Sides<(u32, u32)>,
    p: Option<f64>,
    words: String,
) -> OutcomeFinding {
    OutcomeFinding {
        cell: cell.to_owned(),
        verdict,
        counted,
        proportions: Sides {
            baseline: proportion_of(counts.baseline.0, counts.baseline.1),
            candidate: proportion_of(counts.candidate.0, counts.candidate.1),
        },
        p,
        words,
    }
}

/// With Wilson's interval at 95 %.
fn proportion_of(count: u32, of: u32) -> Proportion {
    let interval = proportion::wilson(u64::from(count), u64::from(of), 0.95);
    let (low, high) = interval.map_or((0.0, 1.0), |interval| (interval.low, interval.high));
    Proportion { count, of, low, high }
}

/// How many lost trials are told one by one.
const TOLD: usize = 3;

fn lost_in_words(lost: &[Lost]) -> String {
    let mut told: Vec<String> = lost
        .iter()
        .take(TOLD)
        .map(|lost| format!("trial {} {}: {}", lost.trial, lost_as(lost.outcome), lost.reason))
        .collect();
    if lost.len() > TOLD {
        told.push(format!("and {} more", lost.len() - TOLD));
    }
    told.join("; ")
}

fn lost_as(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Corrupt => "is corrupt",
        _ => "failed",
    }
}
