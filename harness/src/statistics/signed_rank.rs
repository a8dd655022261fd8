//! Wilcoxon's signed-rank test, for values that come in pairs.
//!
//! The statistic is the sum of the ranks of the positive differences, ranked by their distance from
//! zero; equal distances share the mean of their ranks. Differences of zero are ranked with the
//! others and then left out (Pratt 1959; scipy's `zero_method="pratt"`): dropping them before
//! ranking can make a test *more* sure when a difference shrinks to nothing, and it would not fit
//! the estimate of [`super::shift::paired`], in which zeros count.
//!
//! p is exact given ties and zeros: over all signs of the differences that are not zero, each as
//! likely as the other. Beyond 341 differences it is of the normal distribution, with the
//! variance of the ranks at hand and half a step as continuity correction.

use super::null::{MOST_STEPS, Symmetric};
use super::{RankTest, sorted_less};

/// Of the differences candidate less baseline. `None` when there are none or one is not finite.
#[must_use]
pub fn test(differences: &[f64]) -> Option<RankTest> {
    test_at(differences, 0.0)
}

/// As [`test()`], for the null hypothesis that the differences lie about `shift`: `less` speaks for a
/// smaller shift, `greater` for a greater one.
#[must_use]
pub fn test_at(differences: &[f64], shift: f64) -> Option<RankTest> {
    let Ranked { differences, mut ranks, positive } = Ranked::of(differences, shift)?;
    let statistic = positive as f64 / 2.0;
    if cost(differences as f64) > MOST_STEPS {
        return Some(by_normal(&ranks, statistic));
    }
    let step = ranks.iter().fold(0, |step, &rank| greatest_common_divisor(rank, step)).max(1);
    ranks.iter_mut().for_each(|rank| *rank /= step);
    let (null, positive) = (of_sums(&ranks), positive / step);
    Some(RankTest::of(statistic, null.at_most(positive), null.at_least(positive), true))
}

fn by_normal(doubled_ranks: &[u64], statistic: f64) -> RankTest {
    let mean = doubled_ranks.iter().map(|&rank| rank as f64 / 4.0).sum();
    let variance = doubled_ranks.iter().map(|&rank| (rank as f64 / 4.0).powi(2)).sum();
    RankTest::normal(statistic, mean, variance)
}

/// By the normal distribution, whatever the size.
#[cfg(test)]
pub(super) fn normal(differences: &[f64]) -> Option<RankTest> {
    let ranked = Ranked::of(differences, 0.0)?;
    Some(by_normal(&ranked.ranks, ranked.positive as f64 / 2.0))
}

/// The statistic and what its distribution depends on.
struct Ranked {
    /// How many differences there are.
    differences: usize,
    /// Twice the ranks, which are whole numbers, of those that are not zero.
    ranks: Vec<u64>,
    /// The sum of those of positive differences.
    positive: u64,
}

impl Ranked {
    /// `None` without differences, or when one is not finite.
    fn of(differences: &[f64], shift: f64) -> Option<Self> {
        let mut differences = sorted_less(differences, shift)?;
        differences.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
        let mut ranks: Vec<u64> = Vec::with_capacity(differences.len());
        let mut positive = 0;
        let mut before = 0;
        for group in differences.chunk_by(|a, b| a.abs() == b.abs()) {
            let twice_midrank = (2 * before + group.len() + 1) as u64;
            before += group.len();
            if group[0] != 0.0 {
                ranks.extend(std::iter::repeat_n(twice_midrank, group.len()));
                positive += twice_midrank * group.iter().filter(|x| **x > 0.0).count() as u64;
            }
        }
        Some(Self { differences: differences.len(), ranks, positive })
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// Steps that the exact distribution for `n` differences takes, at most.
pub(super) fn cost(n: f64) -> f64 {
    n * n * (n + 1.0) / 2.0
}

/// The distribution for `n` differences without ties and zeros.
pub(super) fn untied(n: usize) -> Symmetric {
    of_sums(&(1..=n as u64).collect::<Vec<_>>())
}

/// The sum of those of the `ranks` that a fair coin each picks.
fn of_sums(ranks: &[u64]) -> Symmetric {
    let most: u64 = ranks.iter().sum();
    let middle = (most / 2) as usize;
    let mut p = vec![0.0; middle + 1];
    p[0] = 1.0;
    for &rank in ranks {
        let rank = rank as usize;
        for sum in (rank..=middle).rev() {
            p[sum] = 0.5 * (p[sum] + p[sum - rank]);
        }
        p.iter_mut().take(rank).for_each(|p| *p *= 0.5);
    }
    Symmetric::new(most, p)
}
