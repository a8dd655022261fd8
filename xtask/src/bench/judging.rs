//! Does the judgement keep its promises, at the replicates of the shipped quick experiment?

use anyhow::{Result, anyhow};
use harness::{
    judge::{
        Rules, Verdict,
        resample::{Draw, Pool, Simulation, detectable_factor, simulate},
    },
    metric,
};

/// Experiments that are made again from real trials, for each figure.
const EXPERIMENTS: u32 = 10_000;
/// The same for a figure that is found by trying.
const EXPERIMENTS_A_STEP: u32 = 1000;
/// Trials of a cell in `experiments/quick.yaml`.
const REPLICATES: u32 = 6;
/// What is put in to be found.
const TEN_PERCENT: f64 = 1.10;

/// Shifts that just do not matter: the hardest that must not be called.
const AT_THE_MARGINS: [(&str, f64); 3] =
    [(metric::TOTAL_TIME, 1.0499), (metric::STREAM_BYTES, 1.0499), (metric::VCPU_PAUSE, 1.2499)];

/// What came of the experiments, in percent.
#[derive(Clone, Copy, Debug)]
pub struct Promises {
    /// Called regressed though nothing was put in.
    pub false_regressions: f64,
    /// The same, each side from a run of its own.
    pub false_regressions_of_runs: f64,
    /// Called regressed though a metric was put just within its margin; the worst metric.
    pub false_at_margin: f64,
    /// Not called regressed though the total time was 10 % longer.
    pub missed_time: f64,
    /// Not called regressed though 10 % more bytes were sent.
    pub missed_bytes: f64,
    /// How much longer a pause is called in 4 experiments of 5.
    pub seen_pause: f64,
}

/// Makes all of them.
///
/// # Errors
/// None that the committed trials can cause.
pub fn measure() -> Result<Promises> {
    let (pool, rules) = (Pool::committed(), Rules::default());
    let simulation = Simulation {
        experiments: EXPERIMENTS,
        replicates: REPLICATES,
        draw: Draw::Blocks,
        seed: 1,
        inject: None,
    };
    let failed = |error| anyhow!("failed to judge the committed trials: {error}");
    let called = |simulation: &Simulation| {
        let tally = simulate(&pool, &rules, simulation).map_err(failed)?;
        anyhow::Ok(100.0 * tally.share(Verdict::Regressed))
    };
    let put_in = |name: &str, factor: f64| Simulation {
        inject: Some((name.to_owned(), factor)),
        ..simulation.clone()
    };
    let with = |name: &str| put_in(name, TEN_PERCENT);
    let mut false_at_margin = 0.0f64;
    for (name, factor) in AT_THE_MARGINS {
        false_at_margin = false_at_margin.max(called(&put_in(name, factor))?);
    }
    // A committed run has five blocks.
    let of_runs = Simulation { draw: Draw::Runs, replicates: 5, ..simulation.clone() };
    let few = Simulation { experiments: EXPERIMENTS_A_STEP, ..simulation.clone() };
    let seen = detectable_factor(&pool, &rules, &few, metric::VCPU_PAUSE, 0.8).map_err(failed)?;
    Ok(Promises {
        false_regressions: called(&simulation)?,
        false_regressions_of_runs: called(&of_runs)?,
        false_at_margin,
        missed_time: 100.0 - called(&with(metric::TOTAL_TIME))?,
        missed_bytes: 100.0 - called(&with(metric::STREAM_BYTES))?,
        seen_pause: 100.0 * (seen.unwrap_or(f64::INFINITY) - 1.0),
    })
}
