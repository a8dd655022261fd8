//! Statistics of small samples: exact where that is affordable, and saying so where it is not.
//!
//! Pure arithmetic. A sample with a value that is not finite has no statistics: every function
//! answers `None`, and nothing panics. Words used throughout:
//!
//! - A **shift** is what must be taken off the candidate's values to make them lie like the
//!   baseline's: candidate less baseline.
//! - A **stratum** holds what may be compared, usually the trials of one cell. Values of different
//!   strata are never compared with each other.
//! - **less** and **greater** are the p-values of the one-sided alternatives that the candidate
//!   tends to lie below, or above, the baseline.
//!
//! Every piece is held against brute force and against values of scipy (`testdata/`).

pub mod adjust;
pub mod effect;
pub mod equivalence;
pub mod kendall;
pub mod median;
pub mod normal;
mod null;
pub mod proportion;
pub mod rank_sum;
mod select;
pub mod shift;
pub mod signed_rank;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// An interval and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// The lower end, part of it.
    pub low: f64,
    /// The upper end, part of it.
    pub high: f64,
    /// Probability with which such an interval covers what it is about, 0..1. Of an exact interval
    /// the attained one, at least the one asked for unless the sample is too small for that; of an
    /// approximate one (its function says so) the one asked for.
    pub confidence: f64,
}

/// What a rank test says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankTest {
    /// The test's statistic; the larger, the more the candidate lies above the baseline.
    pub statistic: f64,
    /// p for the alternative that the candidate tends to be less.
    pub less: f64,
    /// p for the alternative that the candidate tends to be greater.
    pub greater: f64,
    /// p for either: twice the smaller one, at most 1.
    pub two_sided: f64,
    /// Whether p is of the statistic's own distribution, given the ties, and not of the normal one.
    pub exact: bool,
}

impl RankTest {
    /// With the two one-sided p-values; what rounding carries beyond 1 is cut off.
    fn of(statistic: f64, less: f64, greater: f64, exact: bool) -> Self {
        let (less, greater) = (less.clamp(0.0, 1.0), greater.clamp(0.0, 1.0));
        Self { statistic, less, greater, two_sided: (2.0 * less.min(greater)).min(1.0), exact }
    }

    /// By the normal distribution, with half a step as continuity correction. Without variance
    /// (all values tied) nothing can be said, and every p is 1.
    fn normal(statistic: f64, mean: f64, variance: f64) -> Self {
        if variance <= 0.0 {
            return Self::of(statistic, 1.0, 1.0, false);
        }
        let deviation = variance.sqrt();
        let at = |correction: f64| (statistic - mean + correction) / deviation;
        Self::of(statistic, normal::cdf(at(0.5)), normal::cdf(-at(-0.5)), false)
    }
}

/// The values in ascending order; `None` when there are none or one is not finite.
fn sorted(values: &[f64]) -> Option<Vec<f64>> {
    sorted_less(values, 0.0)
}

/// As [`sorted`], each value less `shift`.
fn sorted_less(values: &[f64], shift: f64) -> Option<Vec<f64>> {
    // Adding zero turns -0 into 0: they are equal, but `total_cmp` orders them.
    let mut sorted: Vec<f64> = values.iter().map(|value| value - shift + 0.0).collect();
    if sorted.is_empty() || sorted.iter().any(|value| !value.is_finite()) {
        return None;
    }
    sorted.sort_unstable_by(f64::total_cmp);
    Some(sorted)
}

/// The probability in each tail outside of this confidence; `None` unless it is between 0 and 1.
fn tail(confidence: f64) -> Option<f64> {
    (confidence > 0.0 && confidence < 1.0).then_some((1.0 - confidence) / 2.0)
}

/// Which order statistic, counted from 1 at either end, bounds an interval: the innermost for
/// which the probability `at_most[k - 1]` to lie outside stays within `tail`, or else the
/// outermost. With it the confidence that it attains.
///
/// `at_most[u]` is the probability that the statistic is at most `u`.
fn innermost(at_most: &[f64], tail: f64) -> (u64, f64) {
    // 1 - 0.9 is a little less than 0.1: a tail of exactly 5 % must still do for 90 %.
    let allowed = tail * (1.0 + 1e-9);
    let index = at_most.partition_point(|&p| p <= allowed).max(1);
    let outside = at_most.get(index - 1).copied().unwrap_or(0.5);
    (index as u64, (1.0 - 2.0 * outside).max(0.0))
}
