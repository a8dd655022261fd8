use super::*;
use crate::{experiment::Factors, settings::Settings};
use lab::units::{BitRate, Bytes, Millis, PageRate};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const LAB: Option<BitRate> = Some(BitRate(1_000_000_000));

fn nodes() -> Vec<String> {
    ["node1", "node2", "node3"].map(str::to_owned).to_vec()
}

fn shipped(name: &str) -> Experiment {
    let programs = crate::experiment::Qemus::new();
    Experiment::read(format!("../experiments/{name}.yaml").as_str().into(), &programs)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// An experiment of this many cells and blocks.
fn experiment(cells: u32, replicates: u32, seed: u64) -> Experiment {
    let text = format!("name: test\nseed: {seed}\nreplicates: {replicates}\n");
    let experiment = Experiment::parse("test.yaml", &text).expect("a good experiment");
    let touch_rate = (1..=cells).map(PageRate).collect();
    Experiment { factors: Factors { touch_rate, ..Factors::default() }, ..experiment }
}

/// The plan is what lets a run be taken up again: if this snapshot ever changes, every run
/// that was begun before is lost.
#[test]
fn plans_stay_what_they_are() {
    for name in ["quick", "levels"] {
        let experiment = shipped(name);
        let plan = Plan::new(&experiment, 3);
        insta::assert_snapshot!(name, render_plan(&plan, &experiment, &nodes(), LAB));
    }
    let plan = Plan::new(&experiment(2, 2, 7), 4);
    insta::assert_json_snapshot!("trials", plan.trials);
}

/// The first words for a key with 1 in byte 8 and zeros elsewhere, worked out by a ChaCha8
/// written down separately from the cipher's definition (20 lines of Python).
#[test]
fn the_stream_is_chacha8() {
    let mut stream = stream(0, Purpose::Order, 0);
    assert_eq!([stream.next(), stream.next()], [0x3feb_e7d0_52d7_6565, 0x519d_89fd_b939_a805]);
}

#[test]
fn every_order_is_equally_likely() {
    let mut counts: BTreeMap<[u8; 4], u32> = BTreeMap::new();
    for number in 0..24_000 {
        let mut items = [0, 1, 2, 3];
        shuffle(&mut items, &mut stream(1, Purpose::Order, number));
        *counts.entry(items).or_default() += 1;
    }
    assert_eq!(counts.len(), 24);
    // 1000 each; six standard deviations either way. The seed is fixed: this cannot flake.
    for (order, count) in counts {
        assert!((815..=1185).contains(&count), "{order:?} came {count} times");
    }
}

#[test]
fn the_shipped_experiments_end_in_time() {
    let estimate = |name| {
        let experiment = shipped(name);
        Plan::new(&experiment, 3).estimate(&experiment, LAB)
    };
    assert!(estimate("quick") < Duration::from_secs(80), "{:?}", estimate("quick"));
    assert!(estimate("precopy") < Duration::from_secs(40 * 60), "{:?}", estimate("precopy"));
    assert!(estimate("levels") < Duration::from_secs(60), "{:?}", estimate("levels"));
}

#[test]
fn some_cells_converge_and_some_do_not() {
    for name in ["quick", "precopy"] {
        let cells = shipped(name).cells();
        let converging = cells.iter().filter(|cell| migration_time(&cell.settings, LAB).is_some());
        let converging = converging.count();
        assert!(0 < converging && converging < cells.len(), "{name}: {converging}");
    }
}

/// Figures worked out by hand: 240 MiB at 95 % of 1 Gbit/s take 2.119 s, 16 MiB of zero pages
/// (9 bytes each) next to nothing.
#[test]
fn the_model_is_the_textbook_s() {
    let settings = |rest: &str| -> Settings {
        let text = format!(
            "name: x\nreplicates: 1\nfactors: {{ filled: memory, bandwidth_limit: unlimited, {rest} }}\n"
        );
        Experiment::parse("x.yaml", &text).expect("a good experiment").cells()[0].settings.clone()
    };
    let time = |settings: &Settings| migration_time(settings, LAB).map(|time| time.as_millis());
    assert_eq!(time(&settings("pattern: idle, touch_rate: 0 pages/s")), Some(2119));
    // 2.119 s × 1000 pages/s, sequential: 2119 pages, 8.68 MB, in the stop phase: 73 ms more.
    assert_eq!(time(&settings("pattern: sequential")), Some(2192));
    // Half the stream's rate, all of it ever again: 29000 pages/s in, 29000 pages/s out.
    assert_eq!(time(&settings("pattern: sequential, touch_rate: 40000 pages/s")), None);
    // A cap binds the rounds, not the stop phase: 240 MiB at 32 MiB/s, then 30 MB at the link's.
    let capped = settings("pattern: sequential");
    let capped = Settings {
        bandwidth_limit: crate::settings::BandwidthLimit::Capped(lab::units::ByteRate(32 << 20)),
        downtime_limit: Millis(2000),
        ..capped
    };
    assert_eq!(time(&capped), Some(7501 + 258));
}

/// The most is planned; that of it which is run anyway are whole blocks, the first ones.
#[test]
fn a_run_that_may_end_early_is_planned_from_so_many_to_so_many() {
    let text = "name: x\nreplicates: { min: 5, max: 20, precision: { total_time: 3 %, vcpu_pause: 20 % } }\n\
                factors: { touch_rate: [1 pages/s, 2 pages/s] }\n";
    let open = Experiment::parse("x.yaml", text).expect("good");
    let plan = Plan::new(&open, 3);
    let least = plan.at_least(&open);
    assert_eq!((least.trials.len(), plan.trials.len()), (10, 40));
    assert_eq!(least.trials[..], plan.trials[..10]);
    let shown = render_plan(&plan, &open, &nodes(), LAB);
    let heading: Vec<&str> = shown.lines().take(2).collect();
    insta::assert_snapshot!(heading.join("\n"));
    // Every third block is a shard's, and it runs its own first five.
    let shard = plan.shard(2, 3).expect("a shard").at_least(&open);
    let blocks: Vec<u32> = shard.trials.iter().step_by(2).map(|trial| trial.block).collect();
    assert_eq!(blocks, [1, 4, 7, 10, 13]);
}

#[test]
fn a_filter_selects_cells_and_keeps_numbers() {
    let experiment = shipped("quick");
    let plan = Plan::new(&experiment, 3);
    let some = plan.clone().filter("touch_rate=20000 pages/s").expect("there is such a level");
    assert_eq!(some.trials.len(), 12);
    assert!(some.trials.iter().all(|trial| plan.trials.contains(trial)));
    for (index, cell) in plan.cells.iter().enumerate() {
        let own = plan.clone().filter(&cell.id).expect("a cell's id is its filter");
        assert!(own.trials.iter().all(|trial| trial.cell == index));
        assert_eq!(own.trials.len(), 6);
    }
    assert_eq!(plan.clone().filter("all").expect("all is all"), plan);
}

#[test]
fn bad_filters_and_shards_are_refused_with_a_hint() {
    let plan = Plan::new(&shipped("quick"), 3);
    let refusals: Vec<String> = [
        "",
        "touch_rate",
        "touchrate=1000 pages/s",
        "colour=red",
        "touch_rate=1000",
        "touch_rate=7 pages/s",
        "touch_rate=1000 pages/s, touch_rate=20000 pages/s",
    ]
    .into_iter()
    .map(|filter| plan.clone().filter(filter).expect_err(filter))
    .chain([(0, 3), (4, 3), (1, 7)].map(|(i, n)| plan.clone().shard(i, n).expect_err("no shard")))
    .map(|error| format!("{error}\n  hint: {}", error.hint().unwrap_or("none")))
    .collect();
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn an_excluded_combination_cannot_be_filtered_for() {
    let text = "name: x\nreplicates: 1\nfactors: { memory: [128 MiB, 256 MiB], touch_rate: [1 pages/s, 2 pages/s] }\n\
                exclude: [{ memory: 128 MiB, touch_rate: 2 pages/s }]\n";
    let plan = Plan::new(&Experiment::parse("x.yaml", text).expect("good"), 3);
    let error = plan.filter("memory=128 MiB, touch_rate=2 pages/s").expect_err("excluded");
    assert_eq!(error.to_string(), "no cell has all of `memory=128 MiB, touch_rate=2 pages/s`");
}

#[test]
fn what_remains_is_in_the_planned_order() {
    let plan = Plan::new(&experiment(3, 4, 1), 3);
    let finished: BTreeSet<u32> = [0, 3, 4, 11].into();
    let remaining: Vec<u32> = plan.remaining(&finished).map(|trial| trial.trial).collect();
    assert_eq!(remaining, [1, 2, 5, 6, 7, 8, 9, 10]);
}

#[test]
fn blocks_have_orders_of_their_own() {
    let plan = Plan::new(&experiment(12, 8, 1), 3);
    let orders: BTreeSet<Vec<usize>> = (0..8)
        .map(|block| plan.trials.iter().filter(|t| t.block == block).map(|t| t.cell).collect())
        .collect();
    assert_eq!(orders.len(), 8);
}

/// How often each key comes.
fn counts<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

fn spread<K: Ord>(counts: &BTreeMap<K, usize>, of: usize) -> usize {
    let least = if counts.len() < of { 0 } else { counts.values().copied().min().unwrap_or(0) };
    counts.values().copied().max().unwrap_or(0) - least
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_block_holds_each_cell_once(cells in 1_u32..20, replicates in 1_u32..15, seed: u64, nodes in 3_usize..6) {
        let plan = Plan::new(&experiment(cells, replicates, seed), nodes);
        let all = counts(plan.trials.iter().map(|trial| (trial.block, trial.cell)));
        prop_assert_eq!(all.len(), (cells * replicates) as usize);
        prop_assert!(all.values().all(|count| *count == 1));
        prop_assert!(plan.trials.is_sorted_by_key(|trial| trial.block));
        prop_assert!(plan.trials.iter().enumerate().all(|(at, trial)| trial.trial as usize == at));
        let seeds: BTreeSet<u64> = plan.trials.iter().map(|trial| trial.guest_seed).collect();
        prop_assert_eq!(seeds.len(), plan.trials.len());
    }

    #[test]
    fn one_seed_makes_one_plan(seed: u64) {
        let plan = Plan::new(&experiment(8, 3, seed), 3);
        prop_assert_eq!(&plan, &Plan::new(&experiment(8, 3, seed), 3));
        let other = Plan::new(&experiment(8, 3, seed ^ 1), 3);
        let order = |plan: &Plan| plan.trials.iter().map(|trial| trial.cell).collect::<Vec<_>>();
        prop_assert_ne!(order(&plan), order(&other));
    }

    /// A longer run begins as the shorter one: more replicates can be added later.
    #[test]
    fn more_replicates_go_on_where_fewer_ended(cells in 1_u32..10, seed: u64) {
        let short = Plan::new(&experiment(cells, 3, seed), 3);
        let long = Plan::new(&experiment(cells, 7, seed), 3);
        prop_assert_eq!(&long.trials[..short.trials.len()], &short.trials[..]);
    }

    #[test]
    fn roles_are_distinct_and_even(cells in 1_u32..20, replicates in 1_u32..30, seed: u64, nodes in 3_usize..6) {
        let plan = Plan::new(&experiment(cells, replicates, seed), nodes);
        let ways = nodes * (nodes - 1) * (nodes - 2);
        for trial in &plan.trials {
            let roles = BTreeSet::from([trial.source, trial.target, trial.witness]);
            prop_assert!(roles.len() == 3 && roles.iter().all(|node| *node < nodes));
        }
        for cell in 0..cells as usize {
            let own = || plan.trials.iter().filter(|trial| trial.cell == cell);
            let all = counts(own().map(|trial| (trial.source, trial.target, trial.witness)));
            prop_assert!(spread(&all, ways) <= 1, "{all:?}");
            for role in [|t: &PlannedTrial| t.source, |t: &PlannedTrial| t.target, |t: &PlannedTrial| t.witness] {
                prop_assert!(spread(&counts(own().map(role)), nodes) <= 1);
            }
        }
        for block in 0..replicates {
            let own = plan.trials.iter().filter(|trial| trial.block == block);
            let all = counts(own.map(|trial| (trial.source, trial.target, trial.witness)));
            prop_assert!(spread(&all, ways) <= 1, "{all:?}");
        }
    }

    #[test]
    fn shards_together_are_the_plan(cells in 1_u32..6, replicates in 1_u32..12, shards in 1_u32..12, seed: u64) {
        let plan = Plan::new(&experiment(cells, replicates, seed), 3);
        let parts: Result<Vec<Plan>, _> =
            (1..=shards).map(|number| plan.clone().shard(number, shards)).collect();
        prop_assert_eq!(parts.is_ok(), shards <= replicates);
        if let Ok(parts) = parts {
            prop_assert_eq!(parts[0].trials[0].trial, 0);
            let mut all: Vec<PlannedTrial> = parts.into_iter().flat_map(|part| part.trials).collect();
            all.sort_by_key(|trial| trial.trial);
            prop_assert_eq!(all, plan.trials);
        }
    }

    #[test]
    fn an_estimate_is_positive_and_bounded(
        memory in 64_u64..3072, set in 1_u64..48, rate in 0_u32..1_000_000, link in 1_u64..100_000, limit in 1_u64..2_000_000
    ) {
        let mut experiment = experiment(1, 1, 1);
        experiment.factors.memory = vec![Bytes(memory << 20)];
        experiment.factors.working_set = vec![Bytes(set << 20)];
        experiment.factors.touch_rate = vec![PageRate(rate)];
        experiment.factors.link_rate = vec![crate::experiment::LinkRate::Shaped(BitRate(link * 1_000_000))];
        experiment.factors.downtime_limit = vec![Millis(limit)];
        let estimate = Plan::new(&experiment, 3).estimate(&experiment, LAB);
        prop_assert!(estimate > Duration::from_secs(1));
        prop_assert!(estimate < experiment.max_time.duration() + Duration::from_secs(6));
    }
}
