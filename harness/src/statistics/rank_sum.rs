//! The rank-sum test of Wilcoxon, Mann and Whitney, in one stratum or over several.
//!
//! The statistic is U: the number of pairs of a candidate's and a baseline's value in which the
//! candidate's is greater, equal ones counting half. p is exact given the ties: over all ways to
//! deal the observed values out to the two samples (of each stratum by itself). Where that would
//! cost too much (about: more than 200 values against 200, with ties 60 against 60, or 40 strata
//! of 10 against 10) it is of the normal distribution, with the variance corrected for ties and
//! half a step as continuity correction (Hollander, Wolfe and Chicken, *Nonparametric Statistical
//! Methods*, 4.1).

use super::null::{Cell, tails};
use super::{RankTest, sorted_less};

/// What may be compared with each other, usually the trials of one cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stratum<'a> {
    /// Values of the accepted side.
    pub baseline: &'a [f64],
    /// Values of the side in question.
    pub candidate: &'a [f64],
}

/// Of one baseline and one candidate. `None` when one is empty or a value is not finite.
#[must_use]
pub fn test(baseline: &[f64], candidate: &[f64]) -> Option<RankTest> {
    stratified(&[Stratum { baseline, candidate }])
}

/// The sum of the strata's U, against its distribution when no stratum has an effect. Strata in
/// which one side is empty say nothing and are left out; `None` when all are, or a value is not
/// finite.
///
/// All pairs count the same, whatever their stratum, so a stratum weighs by its number of pairs.
/// Van Elteren's weights 1 / (n + m + 1) have somewhat more power when the sizes of the strata
/// differ, and are the same test when they do not, as in complete blocks. Plain counts were chosen
/// because the sum keeps to whole and half numbers, which makes its exact distribution cheap, and
/// because they go with a plain estimate: the median of all differences within strata
/// ([`super::shift::stratified`]).
#[must_use]
pub fn stratified(strata: &[Stratum<'_>]) -> Option<RankTest> {
    stratified_at(strata, 0.0)
}

/// As [`stratified`], for the null hypothesis that the candidate is shifted by `shift`: `less`
/// speaks for a smaller shift, `greater` for a greater one.
///
/// The shift is taken off the candidate's values; whether that leaves them equal to a value of the
/// baseline is a matter of f64 (whole numbers are safe).
#[must_use]
pub fn stratified_at(strata: &[Stratum<'_>], shift: f64) -> Option<RankTest> {
    let (cells, twice_u) = ranked(strata, shift)?;
    Some(match tails(&cells, twice_u) {
        Some(tails) => RankTest::of(twice_u as f64 / 2.0, tails.at_most, tails.at_least, true),
        None => by_normal(&cells, twice_u),
    })
}

fn by_normal(cells: &[Cell], twice_u: u64) -> RankTest {
    let (mean, variance) = (cells.iter().map(mean).sum(), cells.iter().map(variance).sum());
    RankTest::normal(twice_u as f64 / 2.0, mean, variance)
}

/// What the distributions of the strata depend on, and twice the sum of their U.
fn ranked(strata: &[Stratum<'_>], shift: f64) -> Option<(Vec<Cell>, u64)> {
    let ranked: Vec<Ranked> = used(strata)
        .map(|stratum| Ranked::of(stratum.baseline, stratum.candidate, shift))
        .collect::<Option<_>>()?;
    let twice_u = ranked.iter().map(|stratum| stratum.twice_u).sum();
    let cells: Vec<Cell> = ranked.into_iter().map(|stratum| stratum.cell).collect();
    (!cells.is_empty()).then_some((cells, twice_u))
}

/// By the normal distribution, whatever the size.
#[cfg(test)]
pub(super) fn normal(strata: &[Stratum<'_>], shift: f64) -> Option<RankTest> {
    ranked(strata, shift).map(|(cells, twice_u)| by_normal(&cells, twice_u))
}

/// The strata that have something to compare.
pub(super) fn used<'a, 'b>(strata: &'b [Stratum<'a>]) -> impl Iterator<Item = &'b Stratum<'a>> {
    strata.iter().filter(|stratum| !stratum.baseline.is_empty() && !stratum.candidate.is_empty())
}

/// Mean of U when the candidate is not shifted.
fn mean(cell: &Cell) -> f64 {
    cell.baseline as f64 * cell.candidate as f64 / 2.0
}

/// Variance of U when the candidate is not shifted, given the ties.
fn variance(cell: &Cell) -> f64 {
    let (n, m) = (cell.baseline as f64, cell.candidate as f64);
    let all = n + m;
    let tied: f64 = cell.groups.iter().map(|&t| (t as f64).powi(3) - t as f64).sum();
    n * m / 12.0 * (all + 1.0 - tied / (all * (all - 1.0)))
}

/// A stratum's statistic and what its distribution depends on.
struct Ranked {
    cell: Cell,
    twice_u: u64,
}

impl Ranked {
    /// `None` when a sample is empty or a value is not finite.
    fn of(baseline: &[f64], candidate: &[f64], shift: f64) -> Option<Self> {
        let (baseline, candidate) = (sorted_less(baseline, 0.0)?, sorted_less(candidate, shift)?);
        let mut groups = Vec::with_capacity(baseline.len() + candidate.len());
        let (mut below, mut above) = (0, 0);
        let mut twice_u = 0;
        // The two ascending samples are merged, one value after the other.
        loop {
            let next = match (baseline.get(below), candidate.get(above)) {
                (Some(b), Some(c)) => b.min(*c),
                (Some(&next), None) | (None, Some(&next)) => next,
                (None, None) => break,
            };
            let of_baseline = baseline[below..].iter().take_while(|x| **x == next).count();
            let of_candidate = candidate[above..].iter().take_while(|x| **x == next).count();
            twice_u += 2 * of_candidate as u64 * below as u64;
            twice_u += of_candidate as u64 * of_baseline as u64;
            groups.push(of_baseline + of_candidate);
            below += of_baseline;
            above += of_candidate;
        }
        let cell = Cell { baseline: baseline.len(), candidate: candidate.len(), groups };
        Some(Self { cell, twice_u })
    }
}

/// The statistic alone.
pub(super) fn u(baseline: &[f64], candidate: &[f64]) -> Option<f64> {
    Ranked::of(baseline, candidate, 0.0).map(|ranked| ranked.twice_u as f64 / 2.0)
}
