//! Counting the pairs of one stratum.

/// What the pairs of a stratum come to.
pub(super) struct Concordance {
    /// Pairs ordered alike less pairs ordered the other way round.
    pub score: f64,
    /// Pairs that x orders, and pairs that y orders.
    pub x_pairs: f64,
    pub y_pairs: f64,
    /// Each value's part in these three.
    parts: Vec<(f64, f64, f64)>,
    /// How many x are equal, for each value of x, ascending; and of y.
    x_groups: Vec<usize>,
    y_groups: Vec<usize>,
}

impl Concordance {
    /// `None` when the lengths differ or a value is not finite.
    pub(super) fn of(x: &[f64], y: &[f64]) -> Option<Self> {
        if x.len() != y.len() || x.iter().chain(y).any(|value| !value.is_finite()) {
            return None;
        }
        let ((x_ranks, x_groups), (y_ranks, y_groups)) = (ranks(x), ranks(y));
        let scores = scores(&x_ranks, &y_ranks, y_groups.len());
        let n = x.len();
        let parts: Vec<(f64, f64, f64)> = (0..n)
            .map(|at| {
                let ordered = |groups: &[usize], rank: usize| (n - groups[rank]) as f64;
                let (x, y) = (ordered(&x_groups, x_ranks[at]), ordered(&y_groups, y_ranks[at]));
                (scores[at], x, y)
            })
            .collect();
        // Each pair is a part of two values.
        let half = |of: fn(&(f64, f64, f64)) -> f64| parts.iter().map(of).sum::<f64>() / 2.0;
        let (score, x_pairs, y_pairs) = (half(|p| p.0), half(|p| p.1), half(|p| p.2));
        Some(Self { score, x_pairs, y_pairs, parts, x_groups, y_groups })
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Variance of the score when x and y have nothing to do with each other, given the ties
    /// (Kendall and Gibbons, 4.9).
    pub(super) fn variance(&self) -> f64 {
        let n = self.parts.len() as f64;
        if n < 2.0 {
            return 0.0;
        }
        let sum = |groups: &[usize], of: fn(f64) -> f64| -> f64 {
            groups.iter().map(|&t| of(t as f64)).sum()
        };
        let all = |of: fn(f64) -> f64| (sum(&self.x_groups, of), sum(&self.y_groups, of));
        let pairs = |t: f64| t * (t - 1.0);
        let spread = |t: f64| t * (t - 1.0) * (2.0 * t + 5.0);
        let triples = |t: f64| t * (t - 1.0) * (t - 2.0);
        let ((x2, y2), (xs, ys), (x3, y3)) = (all(pairs), all(spread), all(triples));
        let third = if n > 2.0 { x3 * y3 / (9.0 * triples(n)) } else { 0.0 };
        (spread(n) - xs - ys) / 18.0 + x2 * y2 / (2.0 * pairs(n)) + third
    }

    /// This stratum's part in the jackknife's variance of τ-b, whose sums over all strata these
    /// are.
    pub(super) fn jackknife(&self, score: f64, x_pairs: f64, y_pairs: f64) -> f64 {
        let n = self.parts.len() as f64;
        let without: Vec<f64> = self
            .parts
            .iter()
            .filter_map(|(s, x, y)| super::ratio(score - s, x_pairs - x, y_pairs - y))
            .collect();
        let mean = without.iter().sum::<f64>() / without.len().max(1) as f64;
        let squares: f64 = without.iter().map(|tau| (tau - mean).powi(2)).sum();
        if n > 1.0 { squares * (n - 1.0) / n } else { 0.0 }
    }

    /// Group sizes of the one, when the other has no ties; all 1 when neither has.
    pub(super) fn groups_of_the_tied(&self) -> Option<&[usize]> {
        let n = self.parts.len();
        if self.y_groups.len() == n {
            Some(&self.x_groups)
        } else {
            (self.x_groups.len() == n).then_some(self.y_groups.as_slice())
        }
    }
}

/// The place of each value among the different ones, and how many equal each of them.
fn ranks(values: &[f64]) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| (values[a] + 0.0).total_cmp(&(values[b] + 0.0)));
    let mut ranks = vec![0; values.len()];
    let mut groups = Vec::new();
    for group in order.chunk_by(|&a, &b| values[a] == values[b]) {
        group.iter().for_each(|&at| ranks[at] = groups.len());
        groups.push(group.len());
    }
    (ranks, groups)
}

/// For each value: the others ordered alike with it less those ordered the other way round.
fn scores(x: &[usize], y: &[usize], different_y: usize) -> Vec<f64> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by_key(|&at| x[at]);
    let mut scores = vec![0i64; x.len()];
    // Once upwards and once downwards in x, with the y of all that has a smaller (greater) x.
    let mut pass = |groups: &mut dyn Iterator<Item = &[usize]>, sign: i64| {
        let mut seen = Counter::new(different_y);
        for group in groups {
            for &at in group {
                let (below, above) = (seen.below(y[at]), seen.all - seen.below(y[at] + 1));
                scores[at] += sign * (below - above);
            }
            group.iter().for_each(|&at| seen.add(y[at]));
        }
    };
    let groups: Vec<&[usize]> = order.chunk_by(|&a, &b| x[a] == x[b]).collect();
    pass(&mut groups.iter().copied(), 1);
    pass(&mut groups.iter().rev().copied(), -1);
    scores.into_iter().map(|score| score as f64).collect()
}

/// Counts numbers, and says how many lie below one (a Fenwick tree).
struct Counter {
    sums: Vec<i64>,
    all: i64,
}

impl Counter {
    fn new(different: usize) -> Self {
        Self { sums: vec![0; different + 1], all: 0 }
    }

    fn add(&mut self, number: usize) {
        self.all += 1;
        let mut at = number + 1;
        while at < self.sums.len() {
            self.sums[at] += 1;
            at += at & at.wrapping_neg();
        }
    }

    fn below(&self, number: usize) -> i64 {
        let mut at = number;
        let mut sum = 0;
        while at > 0 {
            sum += self.sums[at];
            at &= at - 1;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::sample;
    use super::*;
    use proptest::prelude::*;

    fn sign(a: f64, b: f64) -> f64 {
        a.partial_cmp(&b).map_or(f64::NAN, |order| f64::from(order as i8))
    }

    proptest! {
        #[test]
        fn is_what_counting_pairs_finds(x in sample(0..14), y in sample(14..15)) {
            let y = &y[..x.len()];
            let found = Concordance::of(&x, y).unwrap();
            for i in 0..x.len() {
                let sum = |of: &dyn Fn(usize) -> f64| (0..x.len()).map(of).sum::<f64>();
                let part = (
                    sum(&|j| sign(x[i], x[j]) * sign(y[i], y[j])),
                    sum(&|j| sign(x[i], x[j]).abs()),
                    sum(&|j| sign(y[i], y[j]).abs()),
                );
                prop_assert_eq!(found.parts[i], part);
            }
        }
    }
}
