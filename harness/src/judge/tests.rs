//! Verdicts over made-up samples; `harness/tests/judging.rs` judges real ones.

use super::*;
use crate::record::Outcome;
use proptest::prelude::*;

mod outcomes;

/// Outcomes of a cell, such as `5 completed, 2 invalid`.
fn outcomes(text: &str) -> std::collections::BTreeMap<Outcome, u32> {
    let known = [
        Outcome::Completed,
        Outcome::NotConverged,
        Outcome::Failed,
        Outcome::Cancelled,
        Outcome::Corrupt,
        Outcome::Invalid,
    ];
    let one = |part: &str| {
        let (n, word) = part.split_once(' ').expect("a number and an outcome");
        let outcome = known.into_iter().find(|outcome| outcome.words() == word);
        (outcome.unwrap_or_else(|| panic!("no outcome `{word}`")), n.parse().expect("a number"))
    };
    text.split(", ").map(one).collect()
}

/// A cell of so many completed trials with one metric, of resolution 0.
fn cell(metric: &str, values: &[f64]) -> CellSample {
    let mut cell = CellSample::default();
    cell.outcomes.insert(Outcome::Completed, u32::try_from(values.len()).expect("few"));
    for value in values {
        cell.add(metric, *value, 0.0, "");
    }
    cell.settle();
    cell
}

fn sample(cells: &[(&str, CellSample)]) -> Sample {
    Sample {
        experiment: "test".to_owned(),
        context: Context::default(),
        subject: Subject::default(),
        cells: cells.iter().map(|(id, cell)| ((*id).to_owned(), cell.clone())).collect(),
    }
}

/// Rules of one metric.
fn only(metric: &str, margin: &str) -> Rules {
    let off = crate::metric::JUDGED.iter().filter(|judged| judged.in_gate || judged.scale_free);
    let mut all: Vec<(String, Margin)> =
        off.map(|judged| (judged.name.to_owned(), Margin::Off)).collect();
    all.push((metric.to_owned(), margin.parse().expect("a margin")));
    Rules::new(all)
}

/// Judges one metric over cells of values, baseline and candidate each.
fn metric(name: &str, margin: &str, cells: &[(&[f64], &[f64])]) -> MetricJudgement {
    let (mut baseline, mut candidate) = (sample(&[]), sample(&[]));
    for (at, (before, after)) in cells.iter().enumerate() {
        let id = format!("memory={} MiB", at + 1);
        baseline.cells.insert(id.clone(), cell(name, before));
        candidate.cells.insert(id, cell(name, after));
    }
    let judgement = judge(&baseline, &candidate, &only(name, margin)).expect("common cells");
    assert_eq!(judgement.metrics.len(), 1);
    judgement.metrics.into_iter().next().expect("one")
}

const STEADY: &[f64] = &[99.0, 99.5, 100.0, 100.5, 101.0];

fn times(values: &[f64], factor: f64) -> Vec<f64> {
    values.iter().map(|value| value * factor).collect()
}

#[test]
fn what_is_called_follows_margin_and_direction() {
    let check = |name: &str, margin: &str, factor: f64, expect: Verdict| {
        let found = metric(name, margin, &[(STEADY, &times(STEADY, factor))]);
        assert_eq!(found.verdict, expect, "{name} × {factor} at {margin}: {found:?}");
        let shift = found.shift.expect("values on both sides");
        assert!((shift - (factor - 1.0)).abs() < 0.003, "{shift}");
    };
    check("total_time", "5 %", 1.10, Verdict::Regressed);
    check("total_time", "5 %", 0.90, Verdict::Improved);
    check("total_time", "5 %", 1.02, Verdict::Equivalent);
    check("total_time", "5 %", 1.05, Verdict::Undecided);
    check("total_time", "15 %", 1.10, Verdict::Equivalent);
    // Less of it is worse.
    check("throughput", "5 %", 0.90, Verdict::Regressed);
    check("throughput", "5 %", 1.10, Verdict::Improved);
}

#[test]
fn differences_are_judged_in_their_unit() {
    let before = [-1.0, -0.5, 0.0, 0.5, 1.0];
    let after = before.map(|value| value + 8.0);
    let found = metric("guest_slowdown", "5 points", &[(&before, &after)]);
    assert_eq!((found.verdict, found.shift), (Verdict::Regressed, Some(8.0)));
    let found = metric("guest_slowdown", "20 points", &[(&before, &after)]);
    assert_eq!(found.verdict, Verdict::Equivalent);
}

#[test]
fn a_shift_beyond_doubt_but_within_the_margin_is_equivalent() {
    let found = metric("total_time", "5 %", &[(STEADY, &times(STEADY, 1.025))]);
    assert_eq!(found.verdict, Verdict::Equivalent);
    assert!(found.interval.low.is_some_and(|low| low > 0.0), "{:?}", found.interval);
}

#[test]
fn a_margin_is_never_finer_than_what_was_measured() {
    let coarse = |values: &[f64]| {
        let mut cell = CellSample::default();
        cell.outcomes.insert(Outcome::Completed, 5);
        for value in values {
            cell.add("total_time", *value, 1.0, "ms");
        }
        sample(&[("all", cell)])
    };
    // 4 and 5 ms differ by 25 %, which is one step of the clock.
    let (four, five) = (coarse(&[4.0; 5]), coarse(&[5.0; 5]));
    let found = judge(&four, &five, &only("total_time", "5 %")).expect("common").metrics.remove(0);
    assert_eq!((found.margin, found.verdict), (0.05, Verdict::Undecided));
    assert!((found.widest_margin - 0.25).abs() < 1e-9, "{}", found.widest_margin);
    let six = coarse(&[6.0; 5]);
    let found = judge(&four, &six, &only("total_time", "5 %")).expect("common").metrics.remove(0);
    assert_eq!(found.verdict, Verdict::Regressed);
}

#[test]
fn an_average_does_not_hide_a_cell_that_is_worse() {
    let same = |value: f64| times(STEADY, value);
    let mut cells: Vec<(Vec<f64>, Vec<f64>)> = vec![(same(1.0), same(1.0)); 12];
    let slices = |cells: &[(Vec<f64>, Vec<f64>)]| -> MetricJudgement {
        let cells: Vec<(&[f64], &[f64])> =
            cells.iter().map(|(a, b)| (a.as_slice(), b.as_slice())).collect();
        metric("total_time", "5 %", &cells)
    };
    assert_eq!(slices(&cells).verdict, Verdict::Equivalent);
    cells[7].1 = same(1.4);
    let found = slices(&cells);
    assert_eq!((found.verdict, found.more_trials), (Verdict::Undecided, None));
    insta::assert_snapshot!(
        found.because.expect("it says why"),
        @"equivalent over all cells, but worse in (memory=8 MiB); more trials would not change that"
    );
}

#[test]
fn more_metrics_make_each_harder_to_call() {
    let gate = |values: &[f64], factor: f64| {
        let mut cell = cell("total_time", &times(values, factor));
        for name in ["stream_bytes", "vcpu_pause"] {
            for value in values {
                cell.add(name, *value, 0.0, "");
            }
        }
        sample(&[("all", cell)])
    };
    let (baseline, candidate) = (gate(&STEADY[..3], 1.0), gate(&STEADY[..4], 1.2));
    let first =
        |rules: &Rules| judge(&baseline, &candidate, rules).expect("common").metrics.remove(0);
    // Wholly apart, 3 against 4: one of 35 ways. That is enough alone, and not among three.
    let alone = first(&only("total_time", "5 %"));
    assert!((alone.p.expect("tested").regressed - 1.0 / 35.0).abs() < 1e-12);
    assert_eq!(alone.verdict, Verdict::Regressed);
    let among = first(&Rules::default());
    assert!((among.p.expect("tested").regressed - 3.0 / 35.0).abs() < 1e-12);
    assert_eq!((among.name.as_str(), among.verdict), ("total_time", Verdict::Undecided));
}

#[test]
fn more_cells_make_each_harder_to_point_at() {
    let pointed_at = |cells: usize| {
        let ids: Vec<String> = (0..cells).map(|at| format!("memory={} MiB", at + 1)).collect();
        let side = |slow: usize| {
            let of = |at: usize| times(&STEADY[..4], if at == slow { 1.2 } else { 1.0 });
            let cells =
                ids.iter().enumerate().map(|(at, id)| (id.as_str(), cell("total_time", &of(at))));
            sample(&cells.collect::<Vec<_>>())
        };
        let judgement = judge(&side(usize::MAX), &side(0), &only("total_time", "5 %"));
        let rows = judgement.expect("common").cells;
        rows.iter().filter(|row| row.verdict == Some(Verdict::Regressed)).count()
    };
    // One of 70 ways for the slow cell: enough among 3 rows, not among 4.
    assert_eq!([1, 3, 4, 20].map(pointed_at), [1, 1, 0, 0]);
}

#[test]
fn one_trial_says_little_and_how_many_would_say_more() {
    let found = metric("total_time", "5 %", &[(&[100.0], &[120.0])]);
    assert_eq!((found.verdict, found.interval), (Verdict::Undecided, OpenInterval::default()));
    // 5 against 5 trials are the least of which a test at 1 % can say anything.
    assert_eq!(found.more_trials, Some(4));
    assert_eq!(found.detectable, None);
    // A shift on the margin is not decided by any number.
    let found = metric("total_time", "5 %", &[(STEADY, &times(STEADY, 1.05))]);
    assert_eq!((found.verdict, found.more_trials), (Verdict::Undecided, None));
}

#[test]
fn as_many_more_trials_as_were_said_to_be_missing_decide() {
    let wide: &[f64] = &[90.0, 95.0, 100.0, 105.0, 110.0];
    let repeated = |times: usize| {
        let values = wide.repeat(times);
        metric("total_time", "5 %", &[(&values, &values)])
    };
    let few = repeated(1);
    let wanted = 5 + few.more_trials.expect("more would decide") as usize;
    assert_eq!(few.verdict, Verdict::Undecided);
    assert_eq!(repeated(wanted.div_ceil(5)).verdict, Verdict::Equivalent, "{wanted}");
    assert_eq!(repeated(wanted / 5 / 2).verdict, Verdict::Undecided, "{wanted}");
}

#[test]
fn the_rules_of_a_run_are_those_of_its_experiment() {
    let mut manifest = crate::fixture::manifest();
    let read = |manifest: &_| Rules::of(manifest).ok();
    assert_eq!(read(&manifest), Some(Rules::default()));
    let own = Rules::new([("total_time".to_owned(), Margin::Percent(300))]);
    manifest.experiment["judge"] = serde_json::to_value(&own).expect("rules are JSON");
    assert_eq!(read(&manifest), Some(own));
    manifest.experiment["judge"] = serde_json::json!({ "total_time": 3 });
    assert_eq!(read(&manifest), None);
}

#[test]
fn runs_without_a_common_cell_are_refused() {
    let (a, b) = (
        sample(&[("memory=1 MiB", cell("total_time", STEADY))]),
        sample(&[("memory=2 MiB", cell("total_time", STEADY))]),
    );
    let error = judge(&a, &b, &Rules::default()).expect_err("nothing in common");
    insta::assert_snapshot!(format!("{error}\nhint: {}", error.hint().unwrap_or("none")), @"
    the two have no cell in common
    hint: the baseline's cells are such as `memory=1 MiB`, the candidate's such as `memory=2 MiB`; a setting that is the same in all cells of a run may differ, factors that make the cells may not
    ");
}

#[test]
fn what_a_baseline_does_not_hold_is_undecided() {
    let baseline = sample(&[("all", cell("total_time", STEADY))]);
    let candidate = sample(&[("all", cell("service_gap", STEADY))]);
    let judgement = judge(&baseline, &candidate, &only("service_gap", "25 %")).expect("common");
    assert_eq!(judgement.verdict, Verdict::Undecided);
    let because = judgement.metrics[0].because.as_deref();
    assert_eq!(because, Some("the baseline does not hold it: accept a run that does"));
    // Nothing at all to compare is no clean bill either.
    let nothing = judge(&baseline, &baseline, &only("service_gap", "25 %")).expect("common");
    assert_eq!((nothing.verdict, nothing.metrics.len()), (Verdict::Undecided, 0));
}

#[test]
fn other_definitions_leave_outcomes_only() {
    let run = sample(&[("all", cell("total_time", STEADY))]);
    let mut older = run.clone();
    older.context.metrics = 7;
    let judgement = judge(&older, &run, &Rules::default()).expect("common");
    assert!(judgement.metrics.is_empty());
    assert_eq!(judgement.verdict, Verdict::Undecided);
    assert!(judgement.notes.iter().any(|note| note.contains("defined otherwise")));
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(50.0f64..150.0, 2..6)
}

proptest! {
    #[test]
    fn nothing_is_ever_worse_or_better_than_itself(cells in prop::collection::vec(values(), 1..4)) {
        let cells: Vec<(&[f64], &[f64])> =
            cells.iter().map(|values| (values.as_slice(), values.as_slice())).collect();
        let found = metric("total_time", "5 %", &cells);
        prop_assert!(matches!(found.verdict, Verdict::Equivalent | Verdict::Undecided));
        prop_assert!(found.shift.is_some_and(|shift| shift.abs() < 1e-9));
    }

    #[test]
    fn the_other_way_round_worse_is_better(
        cells in prop::collection::vec((values(), values()), 1..4)
    ) {
        let forth: Vec<(&[f64], &[f64])> =
            cells.iter().map(|(a, b)| (a.as_slice(), b.as_slice())).collect();
        let back: Vec<(&[f64], &[f64])> = forth.iter().map(|(a, b)| (*b, *a)).collect();
        let (forth, back) = (metric("total_time", "5 %", &forth), metric("total_time", "5 %", &back));
        let (p, q) = (forth.p.unwrap(), back.p.unwrap());
        prop_assert!((p.regressed - q.improved).abs() < 1e-9, "{p:?} {q:?}");
        prop_assert!((p.improved - q.regressed).abs() < 1e-9, "{p:?} {q:?}");
        prop_assert!((p.equivalent - q.equivalent).abs() < 1e-9, "{p:?} {q:?}");
        let (there, again) = (forth.shift.unwrap(), back.shift.unwrap());
        prop_assert!(((1.0 + there) * (1.0 + again) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn slower_is_never_more_easily_called_the_same(
        baseline in values(), candidate in values(), factor in 1.0f64..2.0
    ) {
        let p = |by: f64| {
            metric("total_time", "5 %", &[(&baseline, &times(&candidate, by))]).p.unwrap()
        };
        prop_assert!(p(factor).regressed <= p(1.0).regressed + 1e-12);
        prop_assert!(p(factor).improved >= p(1.0).improved - 1e-12);
    }

    #[test]
    fn a_judgement_reads_back_from_its_json(a in values(), b in values()) {
        let judgement = judge(
            &sample(&[("all", cell("total_time", &a))]),
            &sample(&[("all", cell("total_time", &b))]),
            &Rules::default(),
        )
        .unwrap();
        let text = json(&judgement).unwrap();
        prop_assert_eq!(serde_json::from_str::<Judgement>(&text).unwrap(), judgement);
    }
}
