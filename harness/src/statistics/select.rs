//! Order statistics of pairs, without making all pairs when there are many.

/// Up to so many values are made and selected from.
const MOST_MADE: u64 = 1 << 15;

/// Values that follow from two sorted samples and are too many to list.
pub(super) trait Pairs {
    /// How many there are, at least one.
    fn len(&self) -> u64;
    /// How many are at most `x`.
    fn at_most(&self, x: f64) -> u64;
    /// The least and the greatest.
    fn ends(&self) -> (f64, f64);
    /// All that lie between these two or are equal to one of them, in any order.
    fn between(&self, low: f64, high: f64) -> Vec<f64>;
}

/// The median of the pairs, and the `index`-th least and greatest (counted from 1).
pub(super) fn median_and_ends(pairs: &impl Pairs, index: u64) -> (f64, f64, f64) {
    let len = pairs.len();
    let index = index.clamp(1, len.div_ceil(2));
    // Counted from 0, ascending.
    let ranks = [index - 1, (len - 1) / 2, len / 2, len - index];
    let [low, below, above, high] = if len <= MOST_MADE {
        by_making(pairs, ranks)
    } else {
        by_counting(pairs, ranks, MOST_MADE)
    };
    (f64::midpoint(below, above), low, high)
}

fn by_making(pairs: &impl Pairs, ranks: [u64; 4]) -> [f64; 4] {
    let mut all = pairs.between(f64::NEG_INFINITY, f64::INFINITY);
    // Each selection leaves what is less before what it selected.
    let mut rest = all.as_mut_slice();
    let mut found = [0.0; 4];
    for (found, rank) in found.iter_mut().zip(ranks).rev() {
        let at = (rank as usize).min(rest.len().saturating_sub(1));
        *found = *rest.select_nth_unstable_by(at, f64::total_cmp).1;
        rest = &mut rest[..=at];
    }
    found
}

/// Bisects over the f64 between the least and the greatest value until few pairs are left, and
/// makes those. The answers are pairs, to the last bit.
fn by_counting(pairs: &impl Pairs, ranks: [u64; 4], most_made: u64) -> [f64; 4] {
    let (least, greatest) = pairs.ends();
    // What was counted for one rank bounds the others too.
    let mut counted = vec![(key(greatest), pairs.len())];
    ranks.map(|rank| {
        // The answer is between these two; so many are less than the lower, or at most the upper.
        let (mut low, mut high) = (key(least), key(greatest));
        let (mut less, mut at_most) = (0, pairs.len());
        let mut bound = |at: i64, count: u64| {
            if count > rank && at <= high {
                (high, at_most) = (at, count);
            } else if count <= rank && at >= low {
                (low, less) = (at + 1, count);
            }
            (low < high && at_most - less > most_made).then(|| (low & high) + ((low ^ high) >> 1))
        };
        let mut next = None;
        for &(at, count) in &counted {
            next = bound(at, count);
        }
        while let Some(middle) = next {
            let count = pairs.at_most(value(middle));
            counted.push((middle, count));
            next = bound(middle, count);
        }
        if low == high {
            return value(low);
        }
        let mut left = pairs.between(value(low), value(high));
        let at = ((rank - less) as usize).min(left.len().saturating_sub(1));
        *left.select_nth_unstable_by(at, f64::total_cmp).1
    })
}

/// Whole numbers in the order of the f64, next to each other for neighbours; both zeros are 0.
fn key(x: f64) -> i64 {
    let distance = x.abs().to_bits().cast_signed();
    if x < 0.0 { -distance } else { distance }
}

/// The f64 of a [`key`].
fn value(key: i64) -> f64 {
    let distance = f64::from_bits(key.unsigned_abs());
    if key < 0 { -distance } else { distance }
}

/// All differences candidate less baseline, within strata. The samples are ascending and none is
/// empty.
pub(super) struct Differences(pub(super) Vec<(Vec<f64>, Vec<f64>)>);

impl Pairs for Differences {
    fn len(&self) -> u64 {
        self.0.iter().map(|(baseline, candidate)| (baseline.len() * candidate.len()) as u64).sum()
    }

    fn at_most(&self, x: f64) -> u64 {
        let in_stratum = |(baseline, candidate): &(Vec<f64>, Vec<f64>)| {
            // The greater the candidate's value, the fewer of the baseline's are near enough.
            // f64 subtraction never reverses an order, so the differences themselves are compared.
            let mut too_small = 0;
            let mut count = 0;
            for c in candidate {
                while too_small < baseline.len() && c - baseline[too_small] > x {
                    too_small += 1;
                }
                count += (baseline.len() - too_small) as u64;
            }
            count
        };
        self.0.iter().map(in_stratum).sum()
    }

    fn ends(&self) -> (f64, f64) {
        self.0.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), (b, c)| {
            let (last_b, last_c) = (b[b.len() - 1], c[c.len() - 1]);
            (least.min(c[0] - last_b), greatest.max(last_c - b[0]))
        })
    }

    fn between(&self, low: f64, high: f64) -> Vec<f64> {
        let mut found = Vec::new();
        for (baseline, candidate) in &self.0 {
            let (mut first, mut last) = (0, 0);
            for c in candidate {
                // From the first that is near enough to the last that is not too near.
                while first < baseline.len() && c - baseline[first] > high {
                    first += 1;
                }
                while last < baseline.len() && c - baseline[last] >= low {
                    last += 1;
                }
                found.extend(baseline[first..last.max(first)].iter().map(|b| c - b));
            }
        }
        found
    }
}

/// All averages of two values, each with itself too (Walsh 1949). The sample is ascending and not
/// empty.
pub(super) struct Averages(pub(super) Vec<f64>);

impl Averages {
    fn of(a: f64, b: f64) -> f64 {
        // Halved first: the sum could be too large.
        0.5 * a + 0.5 * b
    }
}

impl Pairs for Averages {
    fn len(&self) -> u64 {
        let n = self.0.len() as u64;
        n * (n + 1) / 2
    }

    fn at_most(&self, x: f64) -> u64 {
        // The greater the one, the fewer of the others are small enough.
        let mut small = self.0.len();
        let mut count = 0;
        for (at, &a) in self.0.iter().enumerate() {
            while small > 0 && Self::of(a, self.0[small - 1]) > x {
                small -= 1;
            }
            // Each pair once: the other one is not before this one.
            count += small.saturating_sub(at) as u64;
        }
        count
    }

    fn ends(&self) -> (f64, f64) {
        (self.0[0], self.0[self.0.len() - 1])
    }

    fn between(&self, low: f64, high: f64) -> Vec<f64> {
        let (mut first, mut last) = (self.0.len(), self.0.len());
        let mut found = Vec::new();
        for (at, &a) in self.0.iter().enumerate() {
            while first > 0 && Self::of(a, self.0[first - 1]) >= low {
                first -= 1;
            }
            while last > 0 && Self::of(a, self.0[last - 1]) > high {
                last -= 1;
            }
            let first = first.max(at);
            found.extend(self.0[first..last.max(first)].iter().map(|b| Self::of(a, *b)));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;
    use proptest::prelude::*;

    fn both_ways_agree(pairs: &impl Pairs, share: f64) {
        let mut all = pairs.between(f64::NEG_INFINITY, f64::INFINITY);
        all.sort_by(f64::total_cmp);
        let len = all.len();
        assert_eq!(pairs.len(), len as u64);
        assert_eq!(pairs.ends(), (all[0], all[len - 1]));
        for x in [all[0].next_down(), all[len / 2], all[len - 1]] {
            assert_eq!(pairs.at_most(x), all.iter().filter(|y| **y <= x).count() as u64);
        }
        let index = (share * len.div_ceil(2) as f64) as u64;
        let index = index.clamp(1, len.div_ceil(2) as u64);
        let ranks = [index - 1, (len as u64 - 1) / 2, len as u64 / 2, len as u64 - index];
        let expected = ranks.map(|rank| all[rank as usize]);
        assert_eq!(by_making(pairs, ranks), expected);
        for most_made in [0, 1, 5] {
            assert_eq!(by_counting(pairs, ranks, most_made), expected);
        }
        let some = (all[len / 3], all[len / 2]);
        let mut between = pairs.between(some.0, some.1);
        between.sort_by(f64::total_cmp);
        all.retain(|x| some.0 <= *x && *x <= some.1);
        assert_eq!(between, all);
    }

    proptest! {
        #[test]
        fn differences(
            strata in prop::collection::vec((sample(1..8), sample(1..8)), 1..4), share in 0.0f64..1.0
        ) {
            both_ways_agree(&Differences(strata.into_iter().map(ascending).collect()), share);
        }

        #[test]
        fn averages(values in sample(1..12), share in 0.0f64..1.0) {
            both_ways_agree(&Averages(ascending((values, Vec::new())).0), share);
        }

        #[test]
        fn the_key_orders(a: f64, b in any::<f64>()) {
            prop_assert_eq!(Some(key(a).cmp(&key(b))), a.partial_cmp(&b));
            prop_assert_eq!(value(key(a)), a);
            prop_assert_eq!((key(0.0), key(-0.0), key(-a)), (0, 0, -key(a)));
        }
    }

    fn ascending((mut a, mut b): (Vec<f64>, Vec<f64>)) -> (Vec<f64>, Vec<f64>) {
        a.sort_by(f64::total_cmp);
        b.sort_by(f64::total_cmp);
        (a, b)
    }
}
