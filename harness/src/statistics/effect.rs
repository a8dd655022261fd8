//! How large an effect is, whatever the unit.

use super::rank_sum;

/// Cliff's δ: how much more often a candidate's value is greater than a baseline's than less, over
/// all pairs. From -1 (all less) over 0 to 1 (all greater); equal values count for neither. `None`
/// when a sample is empty or a value is not finite. (Cliff 1993.)
#[must_use]
pub fn cliffs_delta(baseline: &[f64], candidate: &[f64]) -> Option<f64> {
    let u = rank_sum::u(baseline, candidate)?;
    let pairs = baseline.len() as f64 * candidate.len() as f64;
    Some((2.0 * u - pairs) / pairs)
}
