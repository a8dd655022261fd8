//! Whether a shift lies within a margin: two one-sided tests (TOST; Schuirmann 1987), by the rank
//! tests on shifted values (Wellek, *Testing Statistical Hypotheses of Equivalence and
//! Noninferiority*, ch. 5 and 6).

use super::rank_sum::{self, Stratum};
use super::signed_rank;
use serde::{Deserialize, Serialize};

/// The shifts that are as good as none, in the unit of the values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Margin {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// p of the tests at both ends of a margin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equivalence {
    /// p for the alternative that the shift lies above the margin's lower end.
    pub above_low: f64,
    /// p for the alternative that the shift lies below the margin's upper end.
    pub below_high: f64,
}

impl Equivalence {
    /// p for the alternative that the shift lies within the margin: the greater of the two.
    #[must_use]
    pub fn p(&self) -> f64 {
        self.above_low.max(self.below_high)
    }

    fn of(margin: Margin, test_at: impl Fn(f64) -> Option<super::RankTest>) -> Option<Self> {
        if margin.low.partial_cmp(&margin.high)?.is_gt() {
            return None;
        }
        let (low, high) = (test_at(margin.low)?, test_at(margin.high)?);
        Some(Self { above_low: low.greater, below_high: high.less })
    }
}

/// Of one baseline and one candidate. `None` when one is empty, a value or an end of the margin is
/// not finite, or the margin's ends are the wrong way round.
#[must_use]
pub fn unpaired(baseline: &[f64], candidate: &[f64], margin: Margin) -> Option<Equivalence> {
    stratified(&[Stratum { baseline, candidate }], margin)
}

/// Over strata, as [`rank_sum::stratified`]; `None` as of [`unpaired`].
#[must_use]
pub fn stratified(strata: &[Stratum<'_>], margin: Margin) -> Option<Equivalence> {
    Equivalence::of(margin, |shift| rank_sum::stratified_at(strata, shift))
}

/// Of the differences candidate less baseline within blocks; `None` as of [`unpaired`].
#[must_use]
pub fn paired(differences: &[f64], margin: Margin) -> Option<Equivalence> {
    Equivalence::of(margin, |shift| signed_rank::test_at(differences, shift))
}
