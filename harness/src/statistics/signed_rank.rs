//! Wilcoxon's signed-rank test, for values that come in pairs.
//!
//! The statistic is the sum of the ranks of the positive differences, ranked by their distance from
//! zero; equal distances share the mean of their ranks. Differences of zero are ranked with the
//! others and then left out (Pratt 1959; scipy's `zero_method="pratt"`): dropping them before
//! ranking can make a test *more* sure when a difference shrinks to nothing, and it would not fit
//! the estimate of [`super::shift::paired`], in which zeros count.
//!
//! p is exact given ties and zeros: over all signs of the differences that are not zero, each as
//! likely as the other. Beyond about 200 differences it is of the normal distribution, with the
//! variance of the ranks at hand and half a step as continuity correction.

use super::null::{MOST_STEPS, Symmetric};
use super::{RankTest, sorted_less};

/// Of the differences candidate less baseline. `None` when there are none or one is not finite.
#[must_use]
pub fn test(differences: &[f64]) -> Option<RankTest> {
    test_at(differences, 0.0)
}

/// As [`test`], for the null hypothesis that the differences lie about `shift`: `less` speaks for a
/// smaller shift, `greater` for a greater one.
#[must_use]
pub fn test_at(differences: &[f64], shift: f64) -> Option<RankTest> {
    let mut differences = sorted_less(differences, shift)?;
    differences.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    // Twice the ranks, which are whole numbers, of all that are not zero.
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
    let statistic = positive as f64 / 2.0;
    if cost(differences.len() as f64) > MOST_STEPS {
        let mean: f64 = ranks.iter().map(|&rank| rank as f64 / 4.0).sum();
        let variance: f64 = ranks.iter().map(|&rank| (rank as f64 / 4.0).powi(2)).sum();
        return Some(RankTest::normal(statistic, mean, variance));
    }
    let step = ranks.iter().fold(0, |step, &rank| greatest_common_divisor(rank, step)).max(1);
    ranks.iter_mut().for_each(|rank| *rank /= step);
    let (null, positive) = (of_sums(&ranks), positive / step);
    Some(RankTest::of(statistic, null.at_most(positive), null.at_least(positive), true))
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
        for sum in (0..=middle).rev() {
            let without = p[sum];
            let with = if sum >= rank { p[sum - rank] } else { 0.0 };
            p[sum] = 0.5 * (without + with);
        }
    }
    Symmetric::new(most, p)
}
