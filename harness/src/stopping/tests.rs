use super::*;
use crate::{experiment::Experiment, fixture, plan::Plan};
use proptest::prelude::*;

fn rule(min: u32, max: u32, precision: &str) -> UntilPrecise {
    let text = format!(
        "name: x\nreplicates: {{ min: {min}, max: {max}, precision: {precision} }}\n\
         factors: {{ touch_rate: [1 pages/s, 2 pages/s] }}\n"
    );
    let experiment = Experiment::parse("x.yaml", &text).unwrap_or_else(|e| panic!("{e}"));
    experiment.replicates.rule().cloned().expect("a rule")
}

/// A completed trial with this total time.
fn trial(block: u32, cell: &str, total_ms: f64) -> Record {
    let mut record = fixture::completed(block, 5000);
    (record.block, record.cell) = (block, cell.to_owned());
    let Some(Metric::Measured(total)) = record.metrics.get_mut("total_time") else {
        panic!("the fixture has no total time")
    };
    total.value = total_ms;
    record
}

fn unfinished(block: u32, cell: &str) -> Record {
    let mut record = trial(block, cell, 1.0);
    record.outcome = Outcome::NotConverged;
    record
}

/// What is known of these records of a plan of `blocks` blocks of `cells` cells.
fn stopping(rule: &UntilPrecise, blocks: u32, cells: u32, records: &[Record]) -> Stopping {
    let mut tally = Tally::of_blocks(rule, blocks, blocks * cells);
    records.iter().for_each(|record| tally.add(record));
    tally.stopping()
}

/// Spread by so many per cent to either side of 100 ms, evenly.
fn spread(block: u32, percent: f64) -> f64 {
    100.0 + percent * (f64::from(block % 5) - 2.0) / 2.0
}

#[test]
fn five_values_are_never_precise_and_six_equal_ones_are() {
    let rule = rule(2, 20, "5 %");
    let records: Vec<Record> = (0..6).map(|block| trial(block, "a", 100.0)).collect();
    for n in 0..=5 {
        let stopping = stopping(&rule, 20, 1, &records[..n]);
        assert_eq!(stopping.state, State::GoesOn, "{n}");
    }
    assert!(stopping(&rule, 20, 1, &records[..5]).words().contains("5 values have no 95 %"));
    let stopping = stopping(&rule, 20, 1, &records);
    assert_eq!((stopping.state, stopping.blocks), (State::Precise, 6));
    assert_eq!(
        stopping.words(),
        "precise after 6 of at most 20 blocks: every cell's median is known (95 % interval): total_time to ±5 %"
    );
}

#[test]
fn a_noisy_cell_keeps_all_cells_running_until_the_last_block() {
    let rule = rule(3, 8, "5 %");
    let block = |block| [trial(block, "calm", 100.0), trial(block, "noisy", spread(block, 40.0))];
    let records: Vec<Record> = (0..8).flat_map(block).collect();
    for blocks in 1..8_usize {
        let stopping = stopping(&rule, 8, 2, &records[..2 * blocks]);
        assert_eq!((stopping.state, stopping.blocks as usize), (State::GoesOn, blocks));
    }
    let stopping = stopping(&rule, 8, 2, &records);
    assert_eq!(stopping.state, State::NotPrecise);
    let [worst] = &stopping.imprecise[..] else { panic!("{stopping:?}") };
    assert_eq!((worst.cell.as_str(), worst.n), ("noisy", 8));
    assert!(stopping.words().starts_with("not precise after 8 blocks: noisy: total_time ±"));
    assert!(stopping.words().ends_with("asked for ±5 %"), "{}", stopping.words());
}

#[test]
fn a_block_that_was_begun_is_finished_first() {
    let rule = rule(2, 20, "5 %");
    let mut records: Vec<Record> =
        (0..7).flat_map(|block| [trial(block, "a", 100.0), trial(block, "b", 100.0)]).collect();
    assert_eq!(stopping(&rule, 20, 2, &records).state, State::Precise);
    assert_eq!(stopping(&rule, 20, 2, &records[..13]).state, State::GoesOn);
    // One record of an early block is lost: it is made again before anything is decided.
    records.remove(3);
    let stopping = stopping(&rule, 20, 2, &records);
    assert_eq!((stopping.state, stopping.blocks), (State::GoesOn, 6));
}

#[test]
fn a_cell_that_mostly_does_not_complete_is_not_waited_for() {
    let rule = rule(2, 20, "5 %");
    let mut records: Vec<Record> =
        (0..6).flat_map(|block| [trial(block, "a", 100.0), unfinished(block, "never")]).collect();
    let seen = stopping(&rule, 20, 2, &records);
    assert_eq!(seen.state, State::Precise);
    assert!(seen.words().ends_with("; not waited for: never: total_time in 0 of 6 trials"));
    // With half of its trials complete it is waited for, with fewer it is not.
    for (n, state) in [(2, State::Precise), (3, State::GoesOn)] {
        for record in records.iter_mut().filter(|record| record.cell == "never").take(n) {
            record.outcome = Outcome::Completed;
        }
        assert_eq!(stopping(&rule, 20, 2, &records).state, state, "{n} of 6");
    }
}

#[test]
fn each_metric_has_a_precision_of_its_own() {
    let wide = |block| {
        let mut record = trial(block, "a", 100.0);
        let Some(Metric::Measured(pause)) = record.metrics.get_mut("vcpu_pause") else {
            panic!("the fixture has no pause")
        };
        pause.value = spread(block, 20.0);
        record
    };
    let records: Vec<Record> = (0..6).map(wide).collect();
    let state = |precision| stopping(&rule(2, 20, precision), 20, 1, &records).state;
    assert_eq!(state("{ total_time: 1 %, vcpu_pause: 10 % }"), State::GoesOn);
    assert_eq!(state("{ total_time: 1 %, vcpu_pause: 25 % }"), State::Precise);
}

#[test]
fn a_median_of_zero_is_precise_only_without_spread() {
    let rule = rule(2, 20, "50 %");
    let of = |values: [f64; 6]| {
        let records: Vec<Record> =
            (0..).zip(values).map(|(block, value)| trial(block, "a", value)).collect();
        stopping(&rule, 20, 1, &records)
    };
    assert_eq!(of([0.0; 6]).state, State::Precise);
    let spread = of([-1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(spread.imprecise[0].half_width_percent, None);
    assert!(spread.words().contains("a: the median of total_time is 0"));
}

#[test]
fn what_is_known_of_a_run_follows_from_its_folder() {
    let text = "name: x\nreplicates: { min: 2, max: 20, precision: 5 % }\n\
                factors: { touch_rate: [1 pages/s, 2 pages/s] }\n";
    let experiment = Experiment::parse("x.yaml", text).expect("good");
    let plan = Plan::new(&experiment, 3).filter("touch_rate=1 pages/s").expect("a level");
    let plan = plan.shard(2, 3).expect("a shard");
    let mut manifest = Manifest {
        experiment: serde_json::to_value(&experiment).expect("written"),
        planned_trials: u32::try_from(plan.trials.len()).expect("few"),
        shard: Some("2/3".to_owned()),
        ..fixture::manifest()
    };
    let records: Vec<Record> =
        plan.trials.iter().map(|planned| trial(planned.block, "a", 100.0)).collect();
    // Blocks 1, 4, … 19.
    assert_eq!(records.len(), 7);
    let rule = experiment.replicates.rule().expect("a rule");
    for n in 0..=7 {
        let mut tally = Tally::new(rule, &plan);
        records[..n].iter().for_each(|record| tally.add(record));
        let known = of_run(&manifest, &records[..n]).expect("a rule");
        assert_eq!(known, tally.stopping());
        assert_eq!(known.state == State::Precise, n >= 6, "{n}");
        assert_eq!(known.most, 7);
    }
    manifest.experiment["replicates"] = 5.into();
    assert_eq!(of_run(&manifest, &records), None);
}

proptest! {
    /// Which trial of a block came first, and which cell is called what, decides nothing.
    #[test]
    fn the_order_of_records_does_not_matter(
        values in prop::collection::vec(90.0f64..110.0, 12..40), turn in 0_usize..40
    ) {
        let rule = rule(2, 20, "4 %");
        let mut records: Vec<Record> = values
            .chunks_exact(2)
            .zip(0..)
            .flat_map(|(pair, block)| [trial(block, "a", pair[0]), trial(block, "b", pair[1])])
            .collect();
        let before = stopping(&rule, 20, 2, &records);
        let turn = turn % records.len();
        records.rotate_left(turn);
        prop_assert_eq!(stopping(&rule, 20, 2, &records), before);
    }

    /// A wider tolerance never stops later.
    #[test]
    fn a_run_that_stops_for_a_precision_stops_for_a_lower_one(
        values in prop::collection::vec(90.0f64..110.0, 6..20)
    ) {
        let records: Vec<Record> =
            (0..).zip(&values).map(|(block, value)| trial(block, "a", *value)).collect();
        let state = |precision| stopping(&rule(2, 20, precision), 20, 1, &records).state;
        if state("3 %") == State::Precise {
            prop_assert_eq!(state("6 %"), State::Precise);
        }
    }
}
