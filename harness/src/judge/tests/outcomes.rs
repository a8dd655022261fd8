//! Outcomes are judged whatever the times say.

use super::{cell, outcomes, sample};
use crate::judge::{CellSample, Judgement, Lost, Rules, Verdict, judge};
use crate::record::Outcome;

/// A cell that ended so; what was lost has reasons.
fn ended(text: &str) -> CellSample {
    let mut cell = CellSample { outcomes: outcomes(text), ..CellSample::default() };
    for outcome in [Outcome::Failed, Outcome::Corrupt] {
        for at in 0..cell.count(outcome) {
            let reason = format!("reason {at}");
            cell.lost.push(Lost { trial: 10 + at, outcome, reason });
        }
    }
    cell
}

/// Judges cells that ended so, baseline and candidate each, besides one that is as it was.
fn judged(cells: &[(&str, &str)]) -> Judgement {
    let side = |of: fn(&(&str, &str)) -> CellSample| {
        let mut side: Vec<(String, CellSample)> = cells
            .iter()
            .enumerate()
            .map(|(at, texts)| (format!("memory={} MiB", at + 1), of(texts)))
            .collect();
        let same: Vec<f64> = (0..8).map(|at| 100.0 + f64::from(at) / 100.0).collect();
        let mut as_it_was = cell("total_time", &same);
        for name in ["stream_bytes", "vcpu_pause"] {
            for value in &same {
                as_it_was.add(name, *value, 0.0, "");
            }
        }
        side.push(("memory=99 MiB".to_owned(), as_it_was));
        sample(&side.iter().map(|(id, cell)| (id.as_str(), cell.clone())).collect::<Vec<_>>())
    };
    judge(&side(|texts| ended(texts.0)), &side(|texts| ended(texts.1)), &Rules::default())
        .expect("common cells")
}

fn check(baseline: &str, candidate: &str, expect: Verdict, words: &str) {
    let judgement = judged(&[(baseline, candidate)]);
    let found: Vec<&str> = judgement.findings.iter().map(|f| f.words.as_str()).collect();
    assert_eq!((judgement.verdict, found.join(" | ").as_str()), (expect, words), "{judgement:?}");
}

#[test]
fn a_guest_that_is_lost_is_a_regression() {
    let one = "trial 10 is corrupt: reason 0; the baseline lost none";
    check("5 completed", "4 completed, 1 corrupt", Verdict::Regressed, one);
    let one = "trial 10 failed: reason 0; the baseline lost none";
    check("5 completed", "4 completed, 1 failed", Verdict::Regressed, one);
    // Not if the baseline lost some as well.
    check("4 completed, 1 corrupt", "4 completed, 1 failed", Verdict::Equivalent, "");
    // Unless many more are.
    let more = "lost the guest in 1 of 20 trials, now in 10 of 20";
    check("19 completed, 1 corrupt", "10 completed, 10 corrupt", Verdict::Regressed, more);
    let fewer = "lost the guest in 10 of 20 trials, now in 0 of 20";
    check("10 completed, 10 failed", "20 completed", Verdict::Improved, fewer);
    let four = "trial 10 failed: reason 0; trial 11 failed: reason 1; trial 12 failed: reason 2; \
                and 1 more; the baseline lost none";
    check("5 completed", "1 completed, 4 failed", Verdict::Regressed, four);
}

#[test]
fn a_cell_that_stops_converging_is_a_regression() {
    let none = "converged in 5 of 5 trials, now in 0 of 5";
    check("5 completed", "5 not converged", Verdict::Regressed, none);
    let all = "converged in 0 of 5 trials, now in 5 of 5";
    check("5 not converged", "5 completed", Verdict::Improved, all);
    check("5 not converged", "5 not converged", Verdict::Equivalent, "");
    // All before and none now is enough, however few they are.
    let none = "converged in 1 of 1 trials, now in 0 of 1";
    check("1 completed", "1 not converged", Verdict::Regressed, none);
    let all = "converged in 0 of 1 trials, now in 1 of 1";
    check("1 not converged", "1 completed", Verdict::Improved, all);
    let fewer = "converged in 9 of 10 trials, now in 2 of 10";
    check(
        "9 completed, 1 not converged",
        "2 completed, 8 not converged",
        Verdict::Regressed,
        fewer,
    );
    check("9 completed, 1 not converged", "7 completed, 3 not converged", Verdict::Equivalent, "");
}

#[test]
fn a_hint_among_many_cells_is_undecided() {
    let hint = ("5 completed, 1 not converged", "1 completed, 5 not converged");
    // Fisher: 37 of the 924 ways to deal out 6 successes leave the candidate at most 1.
    let alone = judged(&[hint]);
    let p = alone.findings[0].p.expect("a test was made");
    assert!((p - 37.0 / 924.0).abs() < 1e-9, "{p}");
    assert_eq!(alone.verdict, Verdict::Regressed);
    let another = ("5 completed, 1 not converged", "5 completed, 1 not converged");
    let among = judged(&[hint, another]);
    assert_eq!(among.verdict, Verdict::Undecided);
    assert_eq!(among.findings[0].p, Some(2.0 * p), "Holm over the two");
    // A cell that could not have said anything does not count.
    let certain = ("6 completed", "6 completed");
    assert_eq!(judged(&[hint, certain]).verdict, Verdict::Regressed);
}

#[test]
fn invalid_and_cancelled_trials_are_said_and_not_judged() {
    let judgement = judged(&[("5 completed", "5 completed, 3 invalid, 1 cancelled")]);
    assert_eq!(judgement.verdict, Verdict::Equivalent);
    let notes = judgement.notes.join("\n");
    assert!(notes.contains("invalid trials are not judged"), "{notes}");
    assert!(notes.contains("0 of the baseline, 3 of the candidate"), "{notes}");
    assert!(notes.contains("0 of the baseline, 1 of the candidate"), "{notes}");
    let none = "no trial of the candidate was valid, so this cell could not be compared";
    check("5 completed", "5 invalid", Verdict::Undecided, none);
    check("5 invalid", "5 invalid", Verdict::Equivalent, "");
}

#[test]
fn a_regression_of_outcomes_outweighs_all_else() {
    let judgement =
        judged(&[("5 not converged", "5 completed"), ("5 completed", "5 not converged")]);
    assert_eq!(judgement.verdict, Verdict::Regressed);
    let cells: Vec<&str> = judgement.findings.iter().map(|f| f.cell.as_str()).collect();
    assert_eq!(cells, ["memory=1 MiB", "memory=2 MiB"], "in the cells' order");
}
