//! Shares: how many of so many.

use super::{Interval, normal, tail};
use serde::{Deserialize, Serialize};

/// Beyond this many trials [`fisher`] has no answer.
const MOST_TRIALS: u64 = 10_000_000;

/// So many of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// Trials of which it is true.
    pub successes: u64,
    /// All trials.
    pub trials: u64,
}

/// p of Fisher's exact test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fisher {
    /// p for the alternative that the candidate's share is less.
    pub less: f64,
    /// p for the alternative that the candidate's share is greater.
    pub greater: f64,
    /// p for either: the probability of all tables that are no likelier than this one.
    pub two_sided: f64,
}

/// Wilson's interval of the true share (1927), approximate: it covers about as often as asked, on
/// the average over shares. Unlike the textbook's it stays within 0..1 and has a width at 0 and at
/// all. `None` without trials, with more successes than trials, or when `confidence` is not
/// between 0 and 1.
#[must_use]
pub fn wilson(successes: u64, trials: u64, confidence: f64) -> Option<Interval> {
    let z = -normal::quantile(tail(confidence)?);
    if trials == 0 || successes > trials {
        return None;
    }
    let n = trials as f64;
    let share = successes as f64 / n;
    let scale = 1.0 + z * z / n;
    let middle = (share + z * z / (2.0 * n)) / scale;
    let half = z / scale * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    // At the ends the formula gives 0 and 1 but for rounding.
    let low = if successes == 0 { 0.0 } else { (middle - half).clamp(0.0, share) };
    let high = if successes == trials { 1.0 } else { (middle + half).clamp(share, 1.0) };
    Some(Interval { low, high, confidence })
}

/// Fisher's exact test of two shares: over all tables with these margins. `None` without trials on
/// either side, with more successes than trials, or beyond ten million trials.
#[must_use]
pub fn fisher(baseline: Count, candidate: Count) -> Option<Fisher> {
    let sound = |c: &Count| c.trials > 0 && c.successes <= c.trials && c.trials <= MOST_TRIALS;
    if !sound(&baseline) || !sound(&candidate) {
        return None;
    }
    let successes = baseline.successes + candidate.successes;
    let least = successes.saturating_sub(baseline.trials);
    let most = successes.min(candidate.trials);
    // Likelihoods of so many successes of the candidate, relative to one of the likeliest: products
    // of ratios from there on, so that nothing overflows.
    let (n, m) = (candidate.trials as f64, baseline.trials as f64);
    let ratio = |x: u64| {
        let (x, all) = (x as f64, successes as f64);
        (n - x) * (all - x) / ((x + 1.0) * (m - all + x + 1.0))
    };
    let likeliest = ((n + 1.0) * (successes as f64 + 1.0) / (n + m + 2.0)).floor() as u64;
    let likeliest = likeliest.clamp(least, most);
    let mut likelihoods = vec![1.0; (most - least + 1) as usize];
    let at = |x: u64| (x - least) as usize;
    for x in likeliest..most {
        likelihoods[at(x + 1)] = likelihoods[at(x)] * ratio(x);
    }
    for x in (least..likeliest).rev() {
        likelihoods[at(x)] = likelihoods[at(x + 1)] / ratio(x);
    }
    let observed = at(candidate.successes);
    // Equally likely tables differ by rounding.
    let no_likelier = likelihoods[observed] * (1.0 + 1e-9);
    let total: f64 = likelihoods.iter().sum();
    let share = |of: &[f64]| (of.iter().sum::<f64>() / total).min(1.0);
    let unlikely: f64 = likelihoods.iter().filter(|&&l| l <= no_likelier).sum();
    Some(Fisher {
        less: share(&likelihoods[..=observed]),
        greater: share(&likelihoods[observed..]),
        two_sided: (unlikely / total).min(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn choose(n: u64, k: u64) -> u128 {
        (0..u128::from(k)).fold(1, |ways, i| ways * (u128::from(n) - i) / (i + 1))
    }

    proptest! {
        #[test]
        fn fisher_counts_tables(
            n in 1u64..20, m in 1u64..20, shares in (0.0f64..=1.0, 0.0f64..=1.0)
        ) {
            let part = |share: f64, of: u64| ((share * of as f64).round() as u64).min(of);
            let candidate = Count { successes: part(shares.0, n), trials: n };
            let baseline = Count { successes: part(shares.1, m), trials: m };
            let all = candidate.successes + baseline.successes;
            let ways = |x: u64| choose(n, x) * choose(m, all - x);
            let possible = || (0..=n).filter(|&x| x <= all && all - x <= m);
            let total: u128 = possible().map(ways).sum();
            let share = |of: &dyn Fn(u64) -> bool| {
                possible().filter(|&x| of(x)).map(ways).sum::<u128>() as f64 / total as f64
            };
            let observed = candidate.successes;
            let found = fisher(baseline, candidate).unwrap();
            prop_assert!((found.less - share(&|x| x <= observed)).abs() < 1e-12);
            prop_assert!((found.greater - share(&|x| x >= observed)).abs() < 1e-12);
            let no_likelier = share(&|x| ways(x) <= ways(observed));
            prop_assert!((found.two_sided - no_likelier).abs() < 1e-12);
        }

        /// Wilson's ends are the shares that the score test just does not reject.
        #[test]
        fn wilson_inverts_the_score_test(
            n in 1u64..2000, share in 0.0f64..=1.0, confidence in 0.5f64..0.999
        ) {
            let successes = ((share * n as f64).round() as u64).min(n);
            let found = wilson(successes, n, confidence).unwrap();
            let seen = successes as f64 / n as f64;
            prop_assert!(0.0 <= found.low && found.low <= seen);
            prop_assert!(seen <= found.high && found.high <= 1.0);
            let z = normal::half_width(confidence);
            for end in [found.low, found.high] {
                if end > 0.0 && end < 1.0 {
                    let score = (seen - end).abs() / (end * (1.0 - end) / n as f64).sqrt();
                    prop_assert!((score - z).abs() < 1e-7, "{score} {z}");
                }
            }
            let turned = wilson(n - successes, n, confidence).unwrap();
            prop_assert!((turned.low - (1.0 - found.high)).abs() < 1e-14);
        }

        #[test]
        fn nothing_panics(a: u64, b: u64, c: u64, d: u64, confidence: f64) {
            let _ = wilson(a, b, confidence);
            let counts = |a: u64, b: u64| Count { successes: a % 1_000, trials: b % 1_000 };
            let _ = fisher(counts(a, b), counts(c, d));
            let _ = fisher(Count { successes: a, trials: b }, Count { successes: c, trials: d });
        }
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert_eq!(wilson(0, 0, 0.95), None);
        assert_eq!(wilson(2, 1, 0.95), None);
        let none = wilson(0, 10, 0.95).unwrap();
        assert!(none.low == 0.0 && (none.high - 0.277_532_8).abs() < 1e-6, "{none:?}");
        let some = Count { successes: 1, trials: 2 };
        assert_eq!(fisher(Count { successes: 0, trials: 0 }, some), None);
        assert_eq!(fisher(some, Count { successes: 3, trials: 2 }), None);
    }
}
