//! Null distributions given the ties: of the sum of midranks over all ways to say which of the
//! values are the candidate's.

use super::{MOST_STEPS, untied};

/// What the distribution of one stratum depends on.
#[derive(Clone, Debug)]
pub(in super::super) struct Cell {
    /// Values of the baseline.
    pub baseline: usize,
    /// Values of the candidate.
    pub candidate: usize,
    /// How many values are equal, for each value of both together, in ascending order.
    pub groups: Vec<usize>,
}

impl Cell {
    fn is_tied(&self) -> bool {
        self.groups.len() < self.baseline + self.candidate
    }
}

/// Probabilities beyond an observed statistic, which is part of both.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Tails {
    /// Of at most what was observed.
    pub at_most: f64,
    /// Of at least what was observed.
    pub at_least: f64,
}

/// The tails of twice the sum of the cells' U at `twice_u`; `None` where they would cost more than
/// [`MOST_STEPS`].
pub(in super::super) fn tails(cells: &[Cell], twice_u: u64) -> Option<Tails> {
    let (tied, without): (Vec<&Cell>, Vec<&Cell>) = cells.iter().partition(|cell| cell.is_tied());
    let sizes: Vec<(usize, usize)> =
        without.iter().map(|cell| (cell.baseline, cell.candidate)).collect();
    if tied.is_empty() {
        let null = untied(&sizes)?;
        let u = twice_u / 2;
        return Some(Tails { at_most: null.at_most(u), at_least: null.at_least(u) });
    }
    let mut steps = 0.0;
    // The distribution of the whole is never needed, only two halves whose sum it is.
    let mut halves = [Lattice::nothing(), Lattice::nothing()];
    if !sizes.is_empty() {
        halves[0] = Lattice { start: 0, step: 2, p: untied(&sizes)?.all() };
    }
    for cell in tied {
        steps += cost(cell);
        if steps > MOST_STEPS {
            return None;
        }
        let next = Lattice::of(cell);
        let shorter = usize::from(halves[1].p.len() < halves[0].p.len());
        steps += next.p.len() as f64 * halves[shorter].p.len() as f64;
        if steps > MOST_STEPS {
            return None;
        }
        halves[shorter] = halves[shorter].plus(&next);
    }
    Some(halves[0].tails(&halves[1], i64::try_from(twice_u).ok()?))
}

/// Additions that [`Lattice::of`] takes, at most.
fn cost(cell: &Cell) -> f64 {
    let (n, m) = (cell.baseline as f64, cell.candidate as f64);
    // Beyond 1,000 values the number of ways would be no f64.
    if n + m > 1_000.0 { f64::INFINITY } else { (n * m).powi(2) }
}

/// A distribution over `start`, `start + step`, …
#[derive(Debug)]
struct Lattice {
    start: i64,
    step: usize,
    p: Vec<f64>,
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

impl Lattice {
    /// Always zero.
    fn nothing() -> Self {
        Self { start: 0, step: 0, p: vec![1.0] }
    }

    /// Of twice U of one cell.
    fn of(cell: &Cell) -> Self {
        // Twice the midrank of each value.
        let mut ranks = Vec::with_capacity(cell.baseline + cell.candidate);
        for &equal in &cell.groups {
            let twice_midrank = 2 * ranks.len() + equal + 1;
            ranks.extend(std::iter::repeat_n(twice_midrank, equal));
        }
        let (least, all) = (ranks[0], ranks.iter().sum::<usize>());
        let step = ranks.iter().fold(0, |step, rank| greatest_common_divisor(rank - least, step));
        let steps: Vec<usize> = ranks.iter().map(|rank| (rank - least) / step.max(1)).collect();
        // The smaller sample is chosen; the sum of the other is what is left.
        let fewer = cell.baseline.min(cell.candidate);
        let lowest: usize = ranks[..fewer].iter().sum();
        let p = sums_of_choices(&steps, fewer);
        let (lowest, p) = if cell.candidate <= cell.baseline {
            (lowest, p)
        } else {
            let highest = lowest + step * (p.len() - 1);
            (all - highest, p.into_iter().rev().collect())
        };
        // Twice U is the sum of the candidate's doubled ranks less the least it could be.
        let start = lowest as i64 - (cell.candidate * (cell.candidate + 1)) as i64;
        Self { start, step, p }
    }

    /// The same distribution with a step that divides the own one.
    fn with_step(&self, step: usize) -> Vec<f64> {
        if self.p.len() == 1 || step == self.step {
            return self.p.clone();
        }
        let every = self.step / step;
        let mut p = vec![0.0; (self.p.len() - 1) * every + 1];
        for (at, value) in self.p.iter().enumerate() {
            p[at * every] = *value;
        }
        p
    }

    /// Of the sum of the two.
    fn plus(&self, other: &Self) -> Self {
        let step = greatest_common_divisor(self.step, other.step);
        let (mut outer, mut inner) = (self.with_step(step), other.with_step(step));
        // Zeros are only skipped in the outer one.
        if self.step < other.step {
            std::mem::swap(&mut outer, &mut inner);
        }
        let mut p = vec![0.0; outer.len() + inner.len() - 1];
        for (at, &a) in outer.iter().enumerate().filter(|(_, a)| **a > 0.0) {
            for (sum, &b) in p[at..].iter_mut().zip(&inner) {
                *sum += a * b;
            }
        }
        Self { start: self.start + other.start, step, p }
    }

    /// The tails of the sum of the two.
    fn tails(&self, other: &Self, observed: i64) -> Tails {
        // Below[k] and above[k]: probability of the first k, and of all but the first k.
        let mut below = vec![0.0];
        let mut above = vec![0.0];
        for (first, last) in other.p.iter().zip(other.p.iter().rev()) {
            below.push(below[below.len() - 1] + first);
            above.push(above[above.len() - 1] + last);
        }
        above.reverse();
        let step = other.step.max(1) as i64;
        let longest = other.p.len() as i64;
        let mut tails = Tails { at_most: 0.0, at_least: 0.0 };
        for (at, &p) in self.p.iter().enumerate() {
            let rest = observed - self.start - (at * self.step) as i64 - other.start;
            // Points of the other at or below the rest, and points strictly below it.
            let up_to = (rest.div_euclid(step) + 1).clamp(0, longest);
            let before = ((rest - 1).div_euclid(step) + 1).clamp(0, longest);
            tails.at_most += p * below[up_to as usize];
            tails.at_least += p * above[before as usize];
        }
        tails
    }
}

/// Probability of each sum of `chosen` of the ascending `scores`, all choices equally likely; the
/// first is that of the least sum.
///
/// Goes through the scores one by one and keeps, for each number of them chosen so far, the ways
/// to each sum (after Streitberg and Röhmel 1986). No sum is kept that cannot be reached.
fn sums_of_choices(scores: &[usize], chosen: usize) -> Vec<f64> {
    let n = scores.len();
    // Row k: ways to choose k, from their least sum on.
    let mut rows: Vec<Vec<f64>> = vec![Vec::new(); chosen + 1];
    rows[0].push(1.0);
    for (at, &score) in scores.iter().enumerate() {
        // With fewer than this, too few are left to choose from.
        let needed = chosen.saturating_sub(n - at - 1).max(1);
        for k in (needed..=chosen.min(at + 1)).rev() {
            let (before, from) = rows.split_at_mut(k);
            let (without, row) = (&before[k - 1], &mut from[0]);
            // Taking this one instead of the k-th least is so much more than the least sum.
            let more = score - scores[k - 1];
            if row.len() < more + without.len() {
                row.resize(more + without.len(), 0.0);
            }
            for (ways, with) in row[more..].iter_mut().zip(without) {
                *ways += with;
            }
        }
    }
    let mut ways = rows.swap_remove(chosen);
    let total: f64 = ways.iter().sum();
    ways.iter_mut().for_each(|ways| *ways /= total);
    ways
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn choices_are_what_enumeration_finds(
            mut scores in prop::collection::vec(0usize..6, 1..9), share in 0.0f64..1.0
        ) {
            scores.sort_unstable();
            let chosen = (share * (scores.len() + 1) as f64) as usize;
            let found = sums_of_choices(&scores, chosen);
            let least: usize = scores[..chosen].iter().sum();
            let mut ways = vec![0.0; found.len()];
            let mut total = 0.0;
            for choice in 0..1u32 << scores.len() {
                if choice.count_ones() as usize == chosen {
                    let is_chosen = |at: &usize| choice >> at & 1 == 1;
                    let sum: usize =
                        (0..scores.len()).filter(is_chosen).map(|at| scores[at]).sum();
                    ways[sum - least] += 1.0;
                    total += 1.0;
                }
            }
            for (p, ways) in found.iter().zip(ways) {
                prop_assert!((p - ways / total).abs() < 1e-14);
            }
        }

        #[test]
        fn a_cell_without_ties_is_the_untied_one(n in 1usize..8, m in 1usize..8) {
            let cell = Cell { baseline: n, candidate: m, groups: vec![1; n + m] };
            let lattice = Lattice::of(&cell);
            prop_assert_eq!((lattice.start, lattice.step), (0, 2));
            for (a, b) in lattice.p.iter().zip(untied(&[(n, m)]).unwrap().all()) {
                prop_assert!((a - b).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn cells_that_are_all_one_value_are_a_point() {
        let cell = Cell { baseline: 3, candidate: 2, groups: vec![5] };
        let lattice = Lattice::of(&cell);
        assert_eq!((lattice.start, lattice.p.len()), (6, 1));
        let both = tails(&[cell.clone(), cell], 12).unwrap();
        assert_eq!((both.at_most, both.at_least), (1.0, 1.0));
    }
}
