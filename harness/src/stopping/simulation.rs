//! What stopping on precision does to the interval it stops at, on seeded pseudo-random data.

use super::{LEAST_FOR_AN_INTERVAL, LEVEL, relative_half_width};
use crate::{
    plan::draw::{Purpose, Stream, stream},
    statistics::median,
};

const MIN: usize = 5;
const MAX: usize = 40;
const RUNS: u64 = 1000;

/// A value of median 1, log-normal, as times are: spread by about so much.
fn value(draw: &mut Stream, spread: f64) -> f64 {
    // Twelve uniform numbers less their mean have a variance of 1 and nearly normal tails.
    let sum: f64 = (0..12).map(|_| draw.next() as f64 / u64::MAX as f64).sum();
    (spread * (sum - 6.0)).exp()
}

/// What runs of one cell come to.
struct Runs {
    /// Trials each run took, on average.
    mean_n: f64,
    /// Part of the runs whose last interval holds the true median.
    coverage: f64,
}

/// Runs that stop when the median is known to within `precision`, or, without one, at `max`.
fn runs(spread: f64, precision: Option<f64>, max: usize) -> Runs {
    let (mut trials, mut held) = (0, 0_u32);
    for run in 0..RUNS {
        let mut draw = stream(run, Purpose::Noise, 0);
        let mut values = Vec::new();
        while values.len() < max {
            values.push(value(&mut draw, spread));
            let precise = |wanted| relative_half_width(&values).is_some_and(|w| w <= wanted);
            if values.len() >= MIN && precision.is_some_and(precise) {
                break;
            }
        }
        trials += values.len();
        let interval = median::interval(&values, LEVEL);
        held += u32::from(interval.is_some_and(|i| i.low <= 1.0 && 1.0 <= i.high));
    }
    let of = RUNS as f64;
    Runs { mean_n: trials as f64 / of, coverage: f64::from(held) / of }
}

/// The figures of METHODOLOGY.md; the seed is fixed, so this cannot flake.
#[test]
fn quiet_data_stops_early_and_intervals_still_hold_the_median() {
    let all = [0.01, 0.04, 0.06, 0.08, 0.15].map(|spread| runs(spread, Some(0.05), MAX));
    for runs in &all {
        println!("{:.1} trials, coverage {:.3}", runs.mean_n, runs.coverage);
        assert!(runs.coverage >= 0.92, "{}", runs.coverage);
    }
    assert!(all.is_sorted_by(|quiet, noisy| quiet.mean_n < noisy.mean_n));
    assert_eq!(all[0].mean_n, f64::from(LEAST_FOR_AN_INTERVAL), "the first that has an interval");
    assert!(all[4].mean_n > 35.0, "{}", all[4].mean_n);
    // Without stopping the interval is exact: at least its level, whatever the distribution.
    let fixed = runs(0.05, None, 12);
    assert!(fixed.coverage >= LEVEL - 0.01, "{}", fixed.coverage);
}
