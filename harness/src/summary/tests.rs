use super::*;
use crate::fixture;
use crate::record::{Measured, Metric};
use proptest::prelude::*;

fn measured(value: f64) -> Metric {
    Metric::Measured(Measured {
        value,
        unit: "ms".into(),
        source: "query-migrate".into(),
        resolution: 1.0,
        interval: None,
    })
}

#[test]
fn outcomes_are_never_pooled() {
    let mut records: Vec<Record> = (0..3).map(|trial| fixture::completed(trial, 5000)).collect();
    records.push(fixture::not_converged(3, 5000));
    let cell = records[0].cell.clone();
    records[3].cell = cell;
    // Even if a record of a cancelled migration carries a time, it is not a migration time.
    records[3].metrics.insert(metric::TOTAL_TIME.into(), measured(10_000.0));
    let summary = Summary::of(&records);
    let cell = &summary.cells[0];
    assert_eq!((summary.cells.len(), cell.n), (1, 4));
    let total = cell.metric(Outcome::Completed, metric::TOTAL_TIME).unwrap();
    assert_eq!(total.n, 3);
    assert!(total.spread.unwrap().max < 1000.0);
    assert_eq!(cell.metric(Outcome::NotConverged, metric::TOTAL_TIME), None);
    assert_eq!(cell.metric(Outcome::NotConverged, metric::THROUGHPUT).unwrap().n, 1);
}

#[test]
fn what_is_unavailable_is_counted_with_its_reason_and_never_zero() {
    let mut records: Vec<Record> = (0..4).map(|trial| fixture::completed(trial, 5000)).collect();
    let set = |record: &mut Record, metric| {
        record.metrics.insert("service_gap".to_owned(), metric);
    };
    set(&mut records[0], measured(f64::NAN));
    set(&mut records[1], Metric::Unavailable("observer died".into()));
    records[2].metrics.remove("service_gap");
    set(&mut records[3], measured(115.0));
    let summary = Summary::of(&records);
    let gap = summary.cells[0].metric(Outcome::Completed, "service_gap").unwrap();
    assert_eq!((gap.n, gap.unavailable), (1, 3));
    assert_eq!(gap.spread, Some(Spread { median: 115.0, min: 115.0, max: 115.0 }));
    assert_eq!(
        gap.unavailable_because.iter().map(String::as_str).collect::<Vec<_>>(),
        ["not a finite number", "not in the record", "observer died"]
    );
}

#[test]
fn an_interval_is_told_where_every_trial_has_one() {
    let with = |interval| {
        let Metric::Measured(one) = measured(5.0) else { unreachable!() };
        let mut records: Vec<Record> = (0..3).map(|n| fixture::completed(n, 5000)).collect();
        for (record, interval) in records.iter_mut().zip::<[Option<[f64; 2]>; 3]>(interval) {
            let metric = Metric::Measured(Measured { interval, ..one.clone() });
            record.metrics.insert("service_gap".into(), metric);
        }
        let summary = Summary::of(&records);
        summary.cells[0].metric(Outcome::Completed, "service_gap").unwrap().interval
    };
    assert_eq!(with([Some([1.0, 6.0]), Some([3.0, 7.0]), Some([4.0, 9.0])]), Some([3.0, 7.0]));
    assert_eq!(with([Some([1.0, 6.0]), None, Some([4.0, 9.0])]), None);
    assert_eq!(with([None, None, None]), None);
}

#[test]
fn integrity_needs_every_check() {
    let mut records: Vec<Record> = (0..5).map(|trial| fixture::completed(trial, 5000)).collect();
    records[1].metrics.remove(metric::COUNTER_BEHIND);
    records[2].metrics.insert(metric::PAGES_WRONG.into(), measured(1.0));
    records[3].metrics.insert(metric::PAGES_CHECKED.into(), measured(0.0));
    records[4].outcome = Outcome::Invalid;
    let summary = Summary::of(&records);
    assert_eq!(summary.cells[0].integrity, Integrity { trials: 4, verified: 1, wrong: 1 });
}

#[test]
fn cells_are_ordered_by_their_factors_and_constants_are_the_rest() {
    let summary = Summary::of(&fixture::records());
    assert_eq!(summary.factors, ["touch_rate", "link_rate"]);
    let cells: Vec<&str> = summary.cells.iter().map(|cell| cell.cell.as_str()).collect();
    assert_eq!(
        cells,
        [
            "touch_rate=5000 pages/s, link_rate=100 Mbit/s",
            "touch_rate=5000 pages/s, link_rate=1 Gbit/s",
            "touch_rate=20000 pages/s, link_rate=100 Mbit/s",
            "touch_rate=20000 pages/s, link_rate=1 Gbit/s",
            "touch_rate=50000 pages/s, link_rate=1 Gbit/s",
        ]
    );
    assert!(summary.constants.iter().any(|factor| factor.name == "memory"));
    assert!(!summary.constants.iter().any(|factor| factor.name == "touch_rate"));
}

#[test]
fn no_records_make_an_empty_summary() {
    let summary = Summary::of(&[]);
    assert_eq!((summary.trials, summary.cells.len(), summary.started), (0, 0, None));
    assert!(summary.phases.iter().all(|phase| phase.n == 0 && phase.spread.is_none()));
}

#[test]
fn the_whole_of_it() {
    insta::assert_json_snapshot!(Summary::of(&fixture::records()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Whatever the values and outcomes: every trial is counted once, the order of the records
    /// does not matter, and the JSON comes back (so it holds no NaN).
    #[test]
    fn every_trial_is_counted_and_the_json_comes_back(
        trials in prop::collection::vec((0usize..5, any::<f64>(), 0u32..3), 0..20),
        shift: usize,
    ) {
        let mut records: Vec<Record> = trials
            .iter()
            .zip(0u32..)
            .map(|(&(outcome, value, cell), trial)| {
                let mut record = fixture::of_outcome(outcome, trial, 5000 * (cell + 1));
                record.metrics.insert("service_gap".into(), measured(value));
                record
            })
            .collect();
        let summary = Summary::of(&records);
        prop_assert_eq!(summary.trials as usize, trials.len());
        prop_assert_eq!(summary.outcomes.values().sum::<u32>(), summary.trials);
        prop_assert_eq!(summary.cells.iter().map(|cell| cell.n).sum::<u32>(), summary.trials);
        for cell in &summary.cells {
            prop_assert_eq!(cell.outcomes.values().sum::<u32>(), cell.n);
            let of_causes: usize = cell.causes.iter().map(|cause| cause.trials.len()).sum();
            prop_assert_eq!(of_causes as u32 + cell.count(Outcome::Completed), cell.n);
            if let Some(gap) = cell.metric(Outcome::Completed, "service_gap") {
                prop_assert_eq!(gap.n + gap.unavailable, cell.count(Outcome::Completed));
            }
        }
        let json = serde_json::to_string(&summary).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Summary>(&json).unwrap(), &summary);
        if !records.is_empty() {
            let shift = shift % records.len();
            records.rotate_left(shift);
            let rotated = Summary::of(&records);
            prop_assert_eq!(rotated.cells, summary.cells);
            prop_assert_eq!(rotated.outcomes, summary.outcomes);
        }
    }
}

/// A record of one of the outcomes whose cell, settings, metrics and reason vary.
fn odd_record() -> impl Strategy<Value = Record> {
    let names =
        prop::sample::select(vec!["service_gap", "pages_wrong", "counter_behind", "of_later"]);
    let metric = prop_oneof![
        any::<f64>().prop_map(measured),
        (0.0f64..9.0).prop_map(|value| {
            let Metric::Measured(measured) = measured(value) else { unreachable!() };
            Metric::Measured(Measured { interval: Some([value - 1.0, value + 0.5]), ..measured })
        }),
        prop::sample::select(vec!["observer died", "no beats"])
            .prop_map(|reason| Metric::Unavailable(reason.into())),
    ];
    let reason = prop::option::of(prop::sample::select(vec!["sent 1 MiB", "sent 2 MiB", "died"]));
    (
        (0usize..5, 0u32..40, 1u32..4, prop::bool::ANY),
        prop::collection::vec((names, metric), 0..4),
        prop::collection::vec(0usize..40, 0..4),
        reason,
    )
        .prop_map(|((outcome, trial, rate, named), metrics, removed, reason)| {
            let mut record = fixture::of_outcome(outcome, trial, 5000 * rate);
            if !named {
                record.cell = format!("cell {}", rate % 2);
            }
            for at in removed {
                if let Some(name) = record.metrics.keys().nth(at).cloned() {
                    record.metrics.remove(&name);
                }
            }
            record.metrics.extend(metrics.into_iter().map(|(name, value)| (name.into(), value)));
            record.reason = reason.map(str::to_owned);
            record
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Record by record the same is found as from all of them at once, in whatever order they
    /// come, repeated trial numbers included. Compared as JSON, where it is read.
    #[test]
    fn a_tally_finds_what_all_records_at_once_say(
        records in prop::collection::vec(odd_record(), 0..30)
    ) {
        let found = serde_json::to_string_pretty(&Summary::of(&records)).unwrap();
        let wanted = serde_json::to_string_pretty(&at_once::summary(&records)).unwrap();
        prop_assert_eq!(found, wanted);
    }
}
