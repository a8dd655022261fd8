//! Null distributions of rank statistics: of counts of pairs, by counting arrangements.

mod tied;

pub(super) use tied::{Cell, tails};

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// How many additions and multiplications an exact distribution may cost; beyond it the normal
/// one is used. It is enough for one sample of 200 against 200 without ties, or 60 against 60 with
/// them, and for 40 strata of 10 against 10.
pub(super) const MOST_STEPS: f64 = 2e7;

/// Distributions that are remembered, and the longest of them.
const REMEMBERED: usize = 64;
const LONGEST_REMEMBERED: usize = 50_000;

/// The distribution of a count that is symmetric about half of the greatest count.
#[derive(Debug)]
pub(super) struct Symmetric {
    /// The greatest count.
    most: u64,
    /// Probability of each count up to the middle.
    half: Vec<f64>,
    /// Probability of at most each count up to the middle.
    pub(super) at_most: Vec<f64>,
}

impl Symmetric {
    /// From anything proportional to the probabilities, up to the middle of `0..=most`.
    pub(super) fn new(most: u64, mut half: Vec<f64>) -> Self {
        let middle = if most.is_multiple_of(2) { half.last().copied().unwrap_or(0.0) } else { 0.0 };
        let total = 2.0 * half.iter().sum::<f64>() - middle;
        let mut sum = 0.0;
        let mut at_most = Vec::with_capacity(half.len());
        for p in &mut half {
            *p /= total;
            sum += *p;
            at_most.push(sum);
        }
        Self { most, half, at_most }
    }

    /// Probability of at most this count.
    pub(super) fn at_most(&self, count: u64) -> f64 {
        if count >= self.most {
            return 1.0;
        }
        let below_the_middle =
            |count: u64| usize::try_from(count).ok().and_then(|at| self.at_most.get(at)).copied();
        below_the_middle(count)
            .or_else(|| below_the_middle(self.most - count - 1).map(|p| 1.0 - p))
            .unwrap_or(1.0)
    }

    /// Probability of at least this count.
    pub(super) fn at_least(&self, count: u64) -> f64 {
        if count > self.most { 0.0 } else { self.at_most(self.most - count) }
    }

    /// Probability of each count.
    fn all(&self) -> Vec<f64> {
        let mut all = self.half.clone();
        let mirrored = if self.most.is_multiple_of(2) { &all[..all.len() - 1] } else { &all[..] };
        let mirrored: Vec<f64> = mirrored.iter().rev().copied().collect();
        all.extend(mirrored);
        all
    }
}

/// The distribution of the number of pairs in which the second sample lies above the first, over
/// all orders of both together, without ties; with several pairs of samples, of the sum.
///
/// `None` where it would cost more than [`MOST_STEPS`].
///
/// The number of arrangements of n and m values with u such pairs is the coefficient of qᵘ in the
/// Gaussian binomial coefficient, ∏ (1 - qⁿ⁺ⁱ) / (1 - qⁱ) for i = 1..m (Mann and Whitney 1947
/// count them by a recurrence; the product is in David and Barton, *Combinatorial Chance*, ch. 12).
/// Sums of independent counts multiply.
///
/// The last few answers are remembered in the thread: simulations ask for the same sizes a
/// thousand times.
pub(super) fn untied(sizes: &[(usize, usize)]) -> Option<Rc<Symmetric>> {
    type Known = HashMap<Vec<(usize, usize)>, Rc<Symmetric>>;
    thread_local! {
        static KNOWN: RefCell<Known> = RefCell::default();
    }
    let mut sizes: Vec<(usize, usize)> = sizes.iter().map(|&(n, m)| (n.max(m), n.min(m))).collect();
    sizes.sort_unstable();
    if let Some(known) = KNOWN.with_borrow(|known| known.get(&sizes).map(Rc::clone)) {
        return Some(known);
    }
    let found = Rc::new(count(&sizes)?);
    if found.half.len() <= LONGEST_REMEMBERED {
        KNOWN.with_borrow_mut(|known| {
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(sizes, Rc::clone(&found));
        });
    }
    Some(found)
}

fn count(sizes: &[(usize, usize)]) -> Option<Symmetric> {
    let pairs = |&(n, m): &(usize, usize)| n as f64 * m as f64;
    let most: f64 = sizes.iter().map(pairs).sum();
    let factors: usize = sizes.iter().map(|&(_, m)| m).sum();
    if most * factors as f64 > MOST_STEPS {
        return None;
    }
    let most: usize = sizes.iter().map(|(n, m)| n * m).sum();
    let middle = most / 2;
    let mut counts = vec![0.0f64; middle + 1];
    counts[0] = 1.0;
    // What the counts so far reach to; they are symmetric about half of it.
    let mut degree = 0;
    for &(n, m) in sizes {
        for i in 1..=m {
            degree += n;
            let half = middle.min(degree / 2);
            for u in (n + i..=half).rev() {
                counts[u] -= counts[u - n - i];
            }
            for u in i..=half {
                counts[u] += counts[u - i];
            }
            // Only the rising half is computed, where nothing cancels; the rest mirrors it.
            for u in half + 1..=middle.min(degree) {
                counts[u] = counts[degree - u];
            }
        }
        // Dividing by a power of two is exact and keeps the counts below the greatest f64.
        let peak = counts[middle.min(degree / 2)].log2().floor() as i32;
        let scale = 0.5f64.powi(peak);
        counts.iter_mut().for_each(|count| *count *= scale);
    }
    Some(Symmetric::new(most as u64, counts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Counts arrangements by Mann and Whitney's recurrence: the greatest value is of one sample
    /// or of the other.
    fn recurrence(n: u64, m: u64, u: u64) -> f64 {
        if n == 0 || m == 0 {
            return f64::from(u8::from(u == 0));
        }
        let from_m = if u >= n { recurrence(n, m - 1, u - n) } else { 0.0 };
        from_m + recurrence(n - 1, m, u)
    }

    proptest! {
        #[test]
        fn is_what_the_recurrence_counts(n in 1u64..7, m in 1u64..7) {
            let found = count(&[(n.max(m) as usize, n.min(m) as usize)]).unwrap();
            let total: f64 = (0..=n * m).map(|u| recurrence(n, m, u)).sum();
            let all = found.all();
            prop_assert_eq!(all.len() as u64, n * m + 1);
            let mut sum = 0.0;
            for u in 0..=n * m {
                let p = recurrence(n, m, u) / total;
                prop_assert!((all[u as usize] - p).abs() < 1e-14);
                prop_assert!((found.at_least(u) - (1.0 - sum)).abs() < 1e-14);
                sum += p;
                prop_assert!((found.at_most(u) - sum).abs() < 1e-14);
            }
        }

        #[test]
        fn sums_are_convolutions(a in (1usize..6, 1usize..6), b in (1usize..6, 1usize..6)) {
            let order = |(n, m): (usize, usize)| (n.max(m), n.min(m));
            let (x, y) = (count(&[order(a)]).unwrap().all(), count(&[order(b)]).unwrap().all());
            let both = untied(&[a, b]).unwrap().all();
            for (sum, p) in both.iter().enumerate() {
                let ways: f64 = (0..x.len())
                    .filter(|&u| u <= sum && sum - u < y.len())
                    .map(|u| x[u] * y[sum - u])
                    .sum();
                prop_assert!((p - ways).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn large_ones_keep_their_precision() {
        let large = untied(&[(100, 100)]).unwrap();
        let all = large.all();
        let total: f64 = all.iter().sum();
        let (mut mean, mut variance) = (0.0, 0.0);
        for (u, p) in all.iter().enumerate() {
            assert!(*p > 0.0);
            mean += u as f64 * p;
            variance += (u as f64 - 5000.0).powi(2) * p;
        }
        assert!((total - 1.0).abs() < 1e-12 && (mean - 5000.0).abs() < 1e-7);
        // nm(n + m + 1) / 12
        assert!((variance / 167_500.0 - 1.0).abs() < 1e-10, "{variance}");
        // The number of arrangements with u pairs is the number of partitions of u: 1 1 2 3 5 7 11.
        for (u, partitions) in [1.0, 1.0, 2.0, 3.0, 5.0, 7.0, 11.0].into_iter().enumerate() {
            assert!((all[u] / all[0] - partitions).abs() < 1e-12);
        }
    }

    #[test]
    fn what_costs_too_much_is_refused() {
        assert!(untied(&[(6250, 6250)]).is_none());
        assert!(untied(&[(200, 200)]).is_some());
        assert!(untied(&vec![(10, 10); 40]).is_some());
        assert!(untied(&vec![(50, 50); 40]).is_none());
    }
}
