use super::*;
use crate::judge::Margin;
use crate::statistics::normal;

/// Trials of two cells with noise of 3 %, half of it of the block, so that the cells of a block
/// are slow together; one run a hundred blocks.
fn pool() -> Pool {
    let mut pool = Pool::default();
    let mut stream = stream(7, Purpose::Resample, u64::MAX);
    let mut noise = || {
        let uniform = (stream.next() >> 11) as f64 / (1u64 << 53) as f64;
        0.03 * normal::quantile(uniform.clamp(1e-9, 1.0 - 1e-9))
    };
    for block in 0..100 {
        let of_block = noise();
        for (cell, mean) in [("memory=1 MiB", 300.0), ("memory=2 MiB", 900.0)] {
            let mut value = |scale: f64| {
                let factor: f64 = ((of_block + noise()) * scale).exp();
                (mean * factor, 0.001)
            };
            let metrics = [("total_time", value(0.7)), ("vcpu_pause", value(5.0))];
            pool.trials.push(Trial {
                run: format!("run{}", block % 10),
                block,
                cell: cell.to_owned(),
                outcome: Outcome::Completed,
                metrics: metrics.map(|(name, value)| (name.to_owned(), value)).into(),
            });
        }
    }
    pool
}

fn rules() -> Rules {
    Rules::new([("stream_bytes".to_owned(), Margin::Off)])
}

fn simulation(inject: Option<(&str, f64)>) -> Simulation {
    Simulation {
        experiments: 300,
        replicates: 5,
        draw: Draw::Blocks,
        seed: 1,
        inject: inject.map(|(name, factor)| (name.to_owned(), factor)),
    }
}

#[test]
fn the_same_is_not_called_worse() {
    let tally = simulate(&pool(), &rules(), &simulation(None)).unwrap();
    assert_eq!(tally.verdicts.values().sum::<u32>(), 300);
    assert!(tally.share(Verdict::Regressed) <= 0.02, "{tally:?}");
    // 5 and 5 trials with that noise pin the time down, and do not pin the pause down.
    assert!(tally.metric_share("total_time", Verdict::Equivalent) >= 0.6, "{tally:?}");
    assert!(tally.metric_share("vcpu_pause", Verdict::Undecided) >= 0.2, "{tally:?}");
    let by_run = Simulation { draw: Draw::Runs, ..simulation(None) };
    assert!(simulate(&pool(), &rules(), &by_run).unwrap().share(Verdict::Regressed) <= 0.02);
}

#[test]
fn at_the_margin_hardly_more_than_the_promised_share_is_called() {
    // The edge of what may not be called: this is where a test of a wrong level shows. Blocks in
    // which all cells are slow together cost some of it: the strata are taken to be independent.
    let tally = simulate(&pool(), &rules(), &simulation(Some(("total_time", 1.05)))).unwrap();
    let called = tally.metric_share("total_time", Verdict::Regressed);
    assert!((0.005..=0.08).contains(&called), "{called}");
}

#[test]
fn what_is_put_in_is_found() {
    let tally = simulate(&pool(), &rules(), &simulation(Some(("total_time", 1.2)))).unwrap();
    assert!(tally.share(Verdict::Regressed) >= 0.95, "{tally:?}");
    assert!(tally.metric_share("total_time", Verdict::Regressed) >= 0.95, "{tally:?}");
    let tally = simulate(&pool(), &rules(), &simulation(Some(("total_time", 0.8)))).unwrap();
    assert!(tally.metric_share("total_time", Verdict::Improved) >= 0.95, "{tally:?}");
}

#[test]
fn the_detectable_factor_is_where_four_of_five_are_called() {
    let simulation = Simulation { experiments: 100, ..simulation(None) };
    let factor = detectable_factor(&pool(), &rules(), &simulation, "total_time", 0.8).unwrap();
    let factor = factor.expect("a hundredfold is seen");
    let called = |factor: f64| {
        let inject = Some(("total_time".to_owned(), factor));
        let tally = simulate(&pool(), &rules(), &Simulation { inject, ..simulation.clone() });
        tally.unwrap().metric_share("total_time", Verdict::Regressed)
    };
    assert!(called(factor) >= 0.8 && called(factor / 1.004) < 0.8, "{factor}");
    assert!(factor > 1.05, "below the margin nothing is called: {factor}");
}

#[test]
fn the_same_seed_makes_the_same_experiments() {
    let mut backwards = pool();
    backwards.trials.reverse();
    let tally = |pool: &Pool, seed| {
        simulate(pool, &rules(), &Simulation { seed, ..simulation(None) }).unwrap()
    };
    assert_eq!(tally(&pool(), 3), tally(&backwards, 3), "whatever the order of the pool");
    assert_ne!(tally(&pool(), 3).detectable, tally(&pool(), 4).detectable);
}

#[test]
fn a_pool_that_is_too_small_is_refused() {
    let too_many = Simulation { replicates: 51, ..simulation(None) };
    insta::assert_snapshot!(
        simulate(&pool(), &rules(), &too_many).unwrap_err(),
        @"the trials to draw from do not make 51 blocks for each of two sides"
    );
    let foreign = simulation(Some(("service_gap", 2.0)));
    assert!(simulate(&pool(), &rules(), &foreign).is_err());
}
