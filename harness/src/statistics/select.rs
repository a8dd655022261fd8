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
    /// All of them, in any order.
    fn all(&self) -> Vec<f64>;
}

/// The median of the pairs, and the `index`-th least and greatest (counted from 1).
pub(super) fn median_and_ends(pairs: &impl Pairs, index: u64) -> (f64, f64, f64) {
    let len = pairs.len();
    let index = index.clamp(1, len.div_ceil(2));
    // Counted from 0, ascending.
    let ranks = [index - 1, (len - 1) / 2, len / 2, len - index];
    let [low, below, above, high] =
        if len <= MOST_MADE { by_making(pairs, ranks) } else { by_counting(pairs, ranks) };
    (f64::midpoint(below, above), low, high)
}

fn by_making(pairs: &impl Pairs, ranks: [u64; 4]) -> [f64; 4] {
    let mut all = pairs.all();
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

/// Bisects over all f64 between the least and the greatest value: at most 64 countings for each
/// rank, and the answer is one of the values, to the last bit.
fn by_counting(pairs: &impl Pairs, ranks: [u64; 4]) -> [f64; 4] {
    let (least, greatest) = pairs.ends();
    ranks.map(|rank| {
        let (mut low, mut high) = (key(least), key(greatest));
        while low < high {
            let middle = (low & high) + ((low ^ high) >> 1);
            if pairs.at_most(value(middle)) > rank { high = middle } else { low = middle + 1 }
        }
        value(low) + 0.0
    })
}

/// Whole numbers in the order of the f64.
fn key(x: f64) -> i64 {
    in_order(x.to_bits().cast_signed())
}

/// The f64 of a [`key`].
fn value(key: i64) -> f64 {
    f64::from_bits(in_order(key).cast_unsigned())
}

/// Negative f64 are ordered the other way round by their bits. Its own inverse.
fn in_order(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
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

    fn all(&self) -> Vec<f64> {
        let stratum = |(baseline, candidate): &(Vec<f64>, Vec<f64>)| -> Vec<f64> {
            candidate.iter().flat_map(|c| baseline.iter().map(move |b| c - b)).collect()
        };
        self.0.iter().flat_map(stratum).collect()
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

    fn all(&self) -> Vec<f64> {
        let with = |(at, a): (usize, &f64)| -> Vec<f64> {
            self.0[at..].iter().map(|b| Self::of(*a, *b)).collect()
        };
        self.0.iter().enumerate().flat_map(with).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;
    use proptest::prelude::*;

    fn both_ways_agree(pairs: &impl Pairs, share: f64) {
        let mut all = pairs.all();
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
        assert_eq!(by_counting(pairs, ranks), expected);
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
        fn the_key_orders(a: f64, b: f64) {
            prop_assert_eq!(key(a).cmp(&key(b)), a.total_cmp(&b));
            prop_assert_eq!(value(key(a)).to_bits(), a.to_bits());
        }
    }

    fn ascending((mut a, mut b): (Vec<f64>, Vec<f64>)) -> (Vec<f64>, Vec<f64>) {
        a.sort_by(f64::total_cmp);
        b.sort_by(f64::total_cmp);
        (a, b)
    }
}
