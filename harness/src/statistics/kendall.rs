//! Whether one quantity grows with another: Kendall's τ-b.

mod concordance;

use super::null::untied;
use super::{Interval, RankTest, normal, tail};
use concordance::Concordance;
use serde::{Deserialize, Serialize};

/// τ, its test and its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kendall {
    /// τ-b: pairs that are ordered alike less pairs that are ordered the other way round, over the
    /// geometric mean of the pairs that x and y order at all. From -1 over 0 to 1.
    pub tau: f64,
    /// Against no relation. The statistic is the difference of the numbers of pairs; `greater`
    /// speaks for y growing with x, `less` for y falling.
    pub test: RankTest,
    /// Of the true τ-b, approximate: with the confidence asked for.
    pub interval: Interval,
}

/// Of values that belong together by their place. `None` when the lengths differ, a value is not
/// finite, x or y is all the same, or `confidence` is not between 0 and 1.
///
/// p is exact when x or y has no ties and there are at most about 300 values: over all orders of
/// the untied one (Mann 1945; with ties in the other it is the Jonckheere–Terpstra test's
/// distribution). Else it is of the normal distribution with the variance corrected for ties, and
/// without a correction for continuity (Kendall and Gibbons, *Rank Correlation Methods*, 4).
///
/// The interval holds each τ with (t - τ)² ≤ z² κ (1 - τ²), t the estimate: a score interval, as
/// Wilson's of a share, which does not leave -1..1 and has a width where all pairs agree. The form
/// is that of Kendall's bound of the variance, 2 (1 - τ²) / n, with an estimated factor: κ is the
/// jackknife's variance of t (Arvesen 1969) over 1 - t², but at least that of an unrelated t times
/// 1 - t² or 3 / n, whichever is more. Without this floor, which is our own, the interval shrinks
/// to a point where x has levels that y's values no longer cross. By simulation a 95 % interval
/// covers in 93 to 100 % of cases, of 6 values or more, with and without levels in x: near the
/// middle about as often as asked, near ±1 oftener.
#[must_use]
pub fn tau(x: &[f64], y: &[f64], confidence: f64) -> Option<Kendall> {
    of(&[Concordance::of(x, y)?], confidence)
}

/// Only pairs within a stratum are counted, and all together make one τ: whether y grows with x
/// where everything else is held. Strata in which x or y is all the same add what they have, which
/// is no ordered pair. `None` when no stratum has one, and as of [`tau`].
#[must_use]
pub fn stratified(strata: &[(Vec<f64>, Vec<f64>)], confidence: f64) -> Option<Kendall> {
    let strata: Vec<Concordance> =
        strata.iter().map(|(x, y)| Concordance::of(x, y)).collect::<Option<_>>()?;
    of(&strata, confidence)
}

fn of(strata: &[Concordance], confidence: f64) -> Option<Kendall> {
    let z = -normal::quantile(tail(confidence)?);
    let total = |of: fn(&Concordance) -> f64| strata.iter().map(of).sum::<f64>();
    let (score, variance) = (total(|s| s.score), total(Concordance::variance));
    let (x, y) = (total(|s| s.x_pairs), total(|s| s.y_pairs));
    let tau = ratio(score, x, y)?;
    let test = exact(strata, score).unwrap_or_else(|| {
        let standard = if variance > 0.0 { score / variance.sqrt() } else { 0.0 };
        RankTest::of(score, normal::cdf(standard), normal::cdf(-standard), false)
    });

    let n = total(|s| s.len() as f64);
    let rest = 1.0 - tau * tau;
    let unrelated = variance / (x * y) * rest.max(3.0 / n);
    let jackknifed = strata.iter().map(|stratum| stratum.jackknife(score, x, y)).sum::<f64>();
    let c = z * z * if rest > 0.0 { unrelated.max(jackknifed / rest) } else { unrelated };
    let half = (c * (rest + c)).sqrt();
    let end = |half: f64| ((tau + half) / (1.0 + c)).clamp(-1.0, 1.0);
    let interval = Interval { low: end(-half).min(tau), high: end(half).max(tau), confidence };
    Some(Kendall { tau, test, interval })
}

/// τ-b of these sums; `None` where nothing is ordered.
fn ratio(score: f64, x_pairs: f64, y_pairs: f64) -> Option<f64> {
    (x_pairs > 0.0 && y_pairs > 0.0).then(|| (score / (x_pairs * y_pairs).sqrt()).clamp(-1.0, 1.0))
}

/// The exact test, where one of the two has no ties in each stratum and it does not cost too much.
fn exact(strata: &[Concordance], score: f64) -> Option<RankTest> {
    let mut sizes = Vec::new();
    for stratum in strata {
        // The untied values of each group of equal ones against those of all groups before it: the
        // numbers of ordered pairs are independent, and each is a rank sum's.
        let mut before = 0;
        for &group in stratum.groups_of_the_tied()? {
            if before > 0 {
                sizes.push((before, group));
            }
            before += group;
        }
    }
    let null = untied(&sizes)?;
    let pairs: usize = sizes.iter().map(|(n, m)| n * m).sum();
    let alike = ((score + pairs as f64) / 2.0).round() as u64;
    Some(RankTest::of(score, null.at_most(alike), null.at_least(alike), true))
}

#[cfg(test)]
mod tests;
