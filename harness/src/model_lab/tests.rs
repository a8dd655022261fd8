use super::*;
use crate::{
    experiment::{Experiment, Steadiness},
    plan::Plan,
    record::Metric,
};
use std::{collections::BTreeSet, time::Duration};

fn experiment(text: &str) -> Experiment {
    Experiment::parse("x.yaml", &format!("name: x\n{text}")).unwrap_or_else(|e| panic!("{e}"))
}

fn shipped(name: &str) -> Experiment {
    Experiment::read(format!("../experiments/{name}.yaml").as_str().into(), &Default::default())
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Every trial of an experiment, one after the other.
fn run(experiment: &Experiment) -> Vec<Record> {
    let (lab, plan) = (ModelLab::default(), Plan::new(experiment, 3));
    let mut trials = VirtualTrials::new(&lab, experiment.seed, &[]);
    orders(experiment, &plan).iter().map(|order| trials.trial(order)).collect()
}

fn orders(experiment: &Experiment, plan: &Plan) -> Vec<Order> {
    let order = |planned: &crate::plan::PlannedTrial| Order {
        run: "run".to_owned(),
        trial: planned.trial,
        block: planned.block,
        cell: plan.cell_of(planned).id.clone(),
        settings: plan.cell_of(planned).settings.clone(),
        policy: experiment.policy.to_string(),
        source: planned.source,
        target: planned.target,
        witness: planned.witness,
        guest_seed: planned.guest_seed,
        heartbeat_interval: Duration::from_millis(1),
        gate: experiment.gate,
        max_time: experiment.max_time.duration(),
    };
    plan.trials.iter().map(order).collect()
}

fn value(record: &Record, name: &str) -> Option<f64> {
    match &record.metrics[name] {
        Metric::Measured(measured) => Some(measured.value),
        Metric::Unavailable(_) => None,
    }
}

#[test]
fn records_have_every_metric_or_why_not() {
    let mut seen = BTreeSet::new();
    for name in ["quick", "levels", "precopy"] {
        for record in run(&shipped(name)) {
            assert!(record.metrics.keys().eq({
                let mut names: Vec<&str> = metric::ALL.iter().map(|known| known.name).collect();
                names.sort_unstable();
                names
            }));
            for definition in metric::ALL {
                match &record.metrics[definition.name] {
                    Metric::Measured(measured) => {
                        assert!(measured.value.is_finite(), "{definition:?}");
                        assert_eq!(measured.unit, definition.unit);
                        assert_ne!(measured.source, "query-migrate", "nobody was asked");
                        seen.insert(definition.name);
                    }
                    Metric::Unavailable(why) => assert!(!why.is_empty()),
                }
            }
            assert_eq!(record.outcome == Outcome::NotConverged, record.reason.is_some());
            consistent(&record);
        }
    }
    assert!(METRICS.iter().all(|name| seen.contains(name)), "{seen:?}");
}

/// What follows from one another, does.
fn consistent(record: &Record) {
    let of = |name| value(record, name);
    let total_s = record.phases.wall_s;
    if record.outcome == Outcome::Completed {
        assert_eq!(of("total_time"), Some((total_s * 1e3).round()));
        assert!(of("downtime_reported") < of("total_time"));
        assert!(record.rounds.iter().filter(|round| round.stopped).count() == 1);
        assert_eq!(of("nominal_speed"), Some(record.settings.memory.0 as f64 / total_s));
    } else {
        assert_eq!((of("total_time"), of("vcpu_pause")), (None, None));
        assert!(of("remaining_bytes") > Some(0.0));
        assert!(record.rounds.iter().all(|round| !round.stopped));
    }
    let last = record.rounds.last().expect("rounds");
    assert!((last.start_s + last.duration_s - total_s).abs() < 1e-4, "{last:?} of {total_s}");
}

#[test]
fn a_seed_makes_the_same_records() {
    let mut experiment = shipped("quick");
    let records = run(&experiment);
    assert!(records == run(&experiment), "other records");
    experiment.seed += 1;
    let others = run(&experiment);
    let times = |records: &[Record]| -> Vec<Option<f64>> {
        let mut times: Vec<_> = records.iter().map(|r| value(r, "stream_bytes")).collect();
        times.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
        times
    };
    assert_ne!(times(&records), times(&others));
}

/// A virtual trial deviates from its prediction as one real trial from its cell's median, in all
/// metrics at once; and all trials of a block by real trials of one block.
#[test]
fn deviations_are_those_of_real_trials_and_blocks() {
    let records = run(&experiment(
        "replicates: 40\nmax_time: 30 s\n\
         factors: { filled: memory, touch_rate: [1000 pages/s, 12000 pages/s], link_rate: [400 Mbit/s, 1 Gbit/s] }\n",
    ));
    let lab = ModelLab::default();
    let noise = Noise::new(1);
    let mut drawn = BTreeSet::new();
    for record in records.iter().filter(|record| record.outcome == Outcome::Completed) {
        let order = Order {
            run: String::new(),
            trial: record.trial,
            block: record.block,
            cell: String::new(),
            settings: record.settings.clone(),
            policy: "qemu".to_owned(),
            source: 0,
            target: 1,
            witness: 2,
            guest_seed: 0,
            heartbeat_interval: Duration::ZERO,
            gate: Steadiness::default(),
            max_time: Duration::from_secs(30),
        };
        let scenario = scenario(&order, &lab);
        let predicted = scenario.predict();
        let ratios = ["total_time", "stream_bytes"].map(|name| {
            let expected = match name {
                "total_time" => predicted.total_time_s * 1e3,
                _ => predicted.stream_bytes,
            };
            value(record, name).expect("completed") / expected
        });
        let real = noise.of(record.block, &scenario, true);
        let [time, bytes] =
            ["total_time", "stream_bytes"].map(|name| real.ratio(name).expect("real"));
        // But for the rounding to whole milliseconds and bytes.
        assert!((ratios[0] - time).abs() < 1e-3 && (ratios[1] - bytes).abs() < 1e-6);
        drawn.insert(noise.block(record.block));
    }
    assert!(drawn.len() > 20, "40 blocks, drawn from 110: {drawn:?}");
}

#[test]
fn a_run_that_is_taken_up_again_goes_on_in_time() {
    let experiment = shipped("quick");
    let (lab, plan) = (ModelLab::default(), Plan::new(&experiment, 3));
    let whole = run(&experiment);
    assert_eq!(whole[0].started, EPOCH);
    assert!(whole.is_sorted_by(|a, b| a.started < b.started));
    for done in [0, 1, 7, 19] {
        let mut trials = VirtualTrials::new(&lab, experiment.seed, &whole[..done]);
        let rest: Vec<Record> =
            orders(&experiment, &plan)[done..].iter().map(|order| trials.trial(order)).collect();
        assert!(rest == whole[done..], "other records from {done} on");
    }
}

/// The limit binds although the prediction lies below it: a real migration of 2.99 s may take 3.01.
#[test]
fn noise_may_carry_a_migration_over_its_time() {
    let factors = "factors: { filled: memory, touch_rate: 0 pages/s, pattern: idle, link_rate: 400 Mbit/s }\n";
    let free = run(&experiment(&format!("replicates: 60\nmax_time: 60 s\n{factors}")));
    let times: Vec<f64> = free.iter().map(|r| value(r, "total_time").expect("idle")).collect();
    let limit = crate::statistics::median::median(&times).expect("times").round();
    let cut = run(&experiment(&format!("replicates: 60\nmax_time: {limit} ms\n{factors}")));
    let converged = cut.iter().filter(|record| record.outcome == Outcome::Completed).count();
    assert!((10..=50).contains(&converged), "{converged} of 60 within the median time");
    assert!(cut.iter().all(|record| record.phases.wall_s * 1e3 <= limit));
}

#[test]
fn what_the_model_does_not_know_is_said() {
    assert_eq!(unknown_to_the_model(&shipped("precopy")), Vec::<String>::new());
}

/// Bytes and times are as on a network of their own; what heartbeats meet on a shared one is not
/// known.
#[test]
fn a_shared_network_has_no_service_gap() {
    let records = run(&experiment(
        "replicates: 3\nfactors: { working_set: 16 MiB, network: [dedicated, shared] }\n",
    ));
    for record in &records {
        assert_eq!(record.outcome, Outcome::Completed);
        assert!(value(record, "total_time").is_some() && value(record, "stream_bytes").is_some());
        let gap = &record.metrics["service_gap"];
        let unknown = matches!(gap, Metric::Unavailable(why) if why.contains("migration's link"));
        assert_eq!(unknown, !record.settings.network.is_dedicated(), "{gap:?}");
    }
    let experiment = experiment("replicates: 3\nfactors: { network: [dedicated, shared] }\n");
    let [warning] = &unknown_to_the_model(&experiment)[..] else { panic!("one warning") };
    assert!(warning.contains("knows no `network`"), "{warning}");
}

#[test]
fn the_lab_reads_back() {
    let lab = ModelLab::default();
    let json = serde_json::to_value(&lab).expect("written");
    assert_eq!(json["hypervisor"], "model");
    assert_eq!(json["networks"]["migration"]["link_rate"], "1 Gbit/s");
    assert_eq!(serde_json::from_value::<ModelLab>(json).expect("read"), lab);
}
