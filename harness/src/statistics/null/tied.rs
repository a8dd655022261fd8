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

    /// Twice the midrank of each value, ascending.
    fn doubled_ranks(&self) -> Vec<usize> {
        let mut ranks = Vec::with_capacity(self.baseline + self.candidate);
        for &equal in &self.groups {
            let twice_midrank = 2 * ranks.len() + equal + 1;
            ranks.extend(std::iter::repeat_n(twice_midrank, equal));
        }
        ranks
    }

    /// The least that twice U can be: with the candidate's values at the low end. More than zero
    /// where a tie lies across.
    fn least(&self) -> usize {
        let least: usize = self.doubled_ranks().iter().take(self.candidate).sum();
        least - self.candidate * (self.candidate + 1)
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
    let pairs: u64 = cells.iter().map(|cell| (cell.baseline * cell.candidate) as u64).sum();
    // The upper tail is the lower one of the values in descending order. Only the smaller one is
    // computed, and of every distribution only what can lie in it.
    if twice_u <= pairs {
        let (at_most, at) = lower_tail(cells, usize::try_from(twice_u).ok()?)?;
        return Some(Tails { at_most, at_least: 1.0 - at_most + at });
    }
    let mut turned = cells.to_vec();
    turned.iter_mut().for_each(|cell| cell.groups.reverse());
    let (at_least, at) = lower_tail(&turned, usize::try_from(2 * pairs - twice_u).ok()?)?;
    Some(Tails { at_most: 1.0 - at_least + at, at_least })
}

/// Probability of at most this, and of exactly this.
fn lower_tail(cells: &[Cell], twice_u: usize) -> Option<(f64, f64)> {
    let (tied, without): (Vec<&Cell>, Vec<&Cell>) = cells.iter().partition(|cell| cell.is_tied());
    let sizes: Vec<(usize, usize)> =
        without.iter().map(|cell| (cell.baseline, cell.candidate)).collect();
    let untied = if sizes.is_empty() { None } else { Some(untied(&sizes)?) };
    if let (Some(null), true) = (&untied, tied.is_empty()) {
        let u = twice_u as u64 / 2;
        let at_most = null.at_most(u);
        return Some((at_most, at_most - if u > 0 { null.at_most(u - 1) } else { 0.0 }));
    }
    if cost(&tied, untied.as_ref().map_or(1, |null| null.at_most.len())) > MOST_STEPS {
        return None;
    }
    let least: usize = tied.iter().map(|cell| cell.least()).sum();
    let rest = twice_u.checked_sub(least)?;
    // The distribution of the whole is never needed, only two halves whose sum it is.
    let mut halves = [Lattice::nothing(), Lattice::nothing()];
    if let Some(null) = untied {
        let mut p = null.all();
        p.truncate(rest / 2 + 1);
        halves[0] = Lattice { step: 2, p };
    }
    for cell in tied {
        let next = Lattice::of(cell, rest);
        let shorter = usize::from(halves[1].p.len() < halves[0].p.len());
        halves[shorter] = halves[shorter].plus(&next, rest);
    }
    Some(halves[0].lower_tail(&halves[1], rest))
}

/// Additions and multiplications that [`lower_tail`] takes, at most. It does not depend on what was
/// observed: whether a test is exact should not either.
fn cost(tied: &[&Cell], without: usize) -> f64 {
    let mut halves = [2.0 * without as f64, 1.0];
    let mut steps = 0.0;
    for cell in tied {
        let pairs = cell.baseline as f64 * cell.candidate as f64;
        // Beyond 1,000 values the number of ways would be no f64.
        if cell.baseline + cell.candidate > 1_000 {
            return f64::INFINITY;
        }
        let shorter = usize::from(halves[1] < halves[0]);
        steps += pairs * pairs + 2.0 * pairs * halves[shorter];
        halves[shorter] += 2.0 * pairs;
    }
    steps
}

/// Probabilities of the least value that there is, of one step more, of two, … as far as they are
/// needed.
#[derive(Debug)]
struct Lattice {
    step: usize,
    p: Vec<f64>,
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

impl Lattice {
    /// Always the least value.
    fn nothing() -> Self {
        Self { step: 0, p: vec![1.0] }
    }

    /// Of twice U of one cell, up to `most` above its least.
    fn of(cell: &Cell, most: usize) -> Self {
        let mut ranks = cell.doubled_ranks();
        // The smaller sample is chosen. U is least with the candidate's ranks at the low end, and
        // the baseline's at the high one.
        let chosen = cell.baseline.min(cell.candidate);
        if cell.candidate > cell.baseline {
            let highest = ranks[ranks.len() - 1];
            ranks = ranks.into_iter().rev().map(|rank| highest - rank).collect();
        }
        let least = ranks[0];
        let step = ranks.iter().fold(0, |step, rank| greatest_common_divisor(rank - least, step));
        ranks.iter_mut().for_each(|rank| *rank = (*rank - least) / step.max(1));
        Self { step, p: sums_of_choices(&ranks, chosen, most / step.max(1)) }
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

    /// Of the sum of the two, up to `most` above its least.
    fn plus(&self, other: &Self, most: usize) -> Self {
        let step = greatest_common_divisor(self.step, other.step);
        let (mut outer, inner) = (self.with_step(step), other.with_step(step));
        let length = (outer.len() + inner.len() - 1).min(most / step.max(1) + 1);
        let mut p = vec![0.0; length];
        // Four at a time: the sums are read and written a quarter as often, which is what takes
        // the time. Zeros before and behind make all windows whole.
        outer.resize(outer.len().next_multiple_of(4), 0.0);
        let padded = [&[0.0; 3], inner.as_slice(), &[0.0; 3]].concat();
        for (four, at) in outer.chunks_exact(4).zip((0..length).step_by(4)) {
            let (a, b, c, d) = (four[0], four[1], four[2], four[3]);
            for (sum, with) in p[at..].iter_mut().zip(padded.windows(4)) {
                *sum += a * with[3] + b * with[2] + c * with[1] + d * with[0];
            }
        }
        Self { step, p }
    }

    /// Probability that the sum of the two is at most `most` above its least, and that it is that.
    fn lower_tail(&self, other: &Self, most: usize) -> (f64, f64) {
        let mut sum = 0.0;
        let at_most: Vec<f64> = other
            .p
            .iter()
            .map(|p| {
                sum += p;
                sum
            })
            .collect();
        let step = other.step.max(1);
        let mut tail = (0.0, 0.0);
        for (at, &p) in self.p.iter().enumerate() {
            let Some(rest) = most.checked_sub(at * self.step) else { break };
            tail.0 += p * at_most[(rest / step).min(at_most.len() - 1)];
            if rest % step == 0 {
                tail.1 += p * other.p.get(rest / step).copied().unwrap_or(0.0);
            }
        }
        tail
    }
}

/// Probability of each sum of `chosen` of the ascending `scores`, all choices equally likely; the
/// first is that of the least sum, the last at most `most` above it.
///
/// Goes through the scores one by one and keeps, for each number of them chosen so far, the ways
/// to each sum (after Streitberg and Röhmel 1986). No sum is kept that cannot be reached.
fn sums_of_choices(scores: &[usize], chosen: usize, most: usize) -> Vec<f64> {
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
            if more > most {
                continue;
            }
            let length = (more + without.len()).min(most + 1);
            if row.len() < length {
                row.resize(length, 0.0);
            }
            for (ways, with) in row[more..].iter_mut().zip(without) {
                *ways += with;
            }
        }
    }
    let all = (0..chosen).fold(1.0, |ways, k| ways * (n - k) as f64 / (k + 1) as f64);
    let mut ways = rows.swap_remove(chosen);
    ways.iter_mut().for_each(|ways| *ways /= all);
    ways
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn choices_are_what_enumeration_finds(
            mut scores in prop::collection::vec(0usize..6, 1..9), share in 0.0f64..1.0,
            most in 0usize..30
        ) {
            scores.sort_unstable();
            let chosen = (share * (scores.len() + 1) as f64) as usize;
            let found = sums_of_choices(&scores, chosen, most);
            let least: usize = scores[..chosen].iter().sum();
            let mut ways = vec![0.0; 64];
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
            for (sum, ways) in ways.iter().enumerate() {
                let p = found.get(sum).copied().unwrap_or(0.0);
                prop_assert!((p - ways / total).abs() < 1e-14 || sum > most);
            }
            prop_assert!(found.len() <= most + 1);
        }

        #[test]
        fn a_cell_without_ties_is_the_untied_one(n in 1usize..8, m in 1usize..8) {
            let cell = Cell { baseline: n, candidate: m, groups: vec![1; n + m] };
            let lattice = Lattice::of(&cell, usize::MAX - 1);
            prop_assert_eq!((cell.least(), lattice.step, lattice.p.len()), (0, 2, n * m + 1));
            for (a, b) in lattice.p.iter().zip(untied(&[(n, m)]).unwrap().all()) {
                prop_assert!((a - b).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn cells_that_are_all_one_value_are_a_point() {
        let cell = Cell { baseline: 3, candidate: 2, groups: vec![5] };
        assert_eq!((cell.least(), Lattice::of(&cell, 9).p.len()), (6, 1));
        let both = tails(&[cell.clone(), cell], 12).unwrap();
        assert_eq!((both.at_most, both.at_least), (1.0, 1.0));
    }
}
