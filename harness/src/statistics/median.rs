//! The median of a sample, and where the true one lies.

use super::{Interval, innermost, sorted, tail};

/// The middle value; of an even number of them, the mean of the middle two.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    sorted(values).map(|sorted| middle(&sorted))
}

/// Of values in ascending order, at least one.
fn middle(sorted: &[f64]) -> f64 {
    let n = sorted.len();
    f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2])
}

/// The interval between the k-th least and the k-th greatest value that covers the true median
/// with at least `confidence`, whatever the distribution. The confidence told is exact for a
/// distribution without ties, and a lower bound else.
///
/// When there are too few values for that, it is the widest there is, from the least to the
/// greatest, with the confidence that it has (5 values: 0.9375; 1 value: 0).
///
/// The number of values below the true median is binomial with ½ (Thompson 1936; Conover,
/// *Practical Nonparametric Statistics*, 3.2).
#[must_use]
pub fn interval(values: &[f64], confidence: f64) -> Option<Interval> {
    let (tail, sorted) = (tail(confidence)?, sorted(values)?);
    let (index, confidence) = innermost(&half_binomial(sorted.len()), tail);
    let index = usize::try_from(index).ok()?;
    Some(Interval { low: sorted[index - 1], high: sorted[sorted.len() - index], confidence })
}

/// Probability that of `n` fair coins at most `u` show heads, for every `u` below the middle.
fn half_binomial(n: usize) -> Vec<f64> {
    // Relative to the greatest: 2⁻ⁿ itself is no f64 beyond n = 1074.
    let mut weights = vec![1.0; n / 2 + 1];
    for u in (0..n / 2).rev() {
        weights[u] = weights[u + 1] * (u + 1) as f64 / (n - u) as f64;
    }
    let lower: f64 = weights[..n.div_ceil(2)].iter().sum();
    let total = if n.is_multiple_of(2) { 2.0 * lower + 1.0 } else { 2.0 * lower };
    weights.truncate(n.div_ceil(2));
    let mut sum = 0.0;
    for weight in &mut weights {
        sum += *weight / total;
        *weight = sum;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Lot, covered, sample};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn examples() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1.0, f64::NAN]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(interval(&[], 0.95), None);
        assert_eq!(interval(&[1.0], 1.0), None);
        assert_eq!(interval(&[1.0], f64::NAN), None);
        let one = interval(&[7.0], 0.95).unwrap();
        assert_eq!(one, Interval { low: 7.0, high: 7.0, confidence: 0.0 });
        // METHODOLOGY.md and the facts say these.
        let widest = |n: u32| {
            let values: Vec<f64> = (1..=n).map(f64::from).collect();
            interval(&values, 0.999_999).unwrap()
        };
        assert_eq!(widest(5), Interval { low: 1.0, high: 5.0, confidence: 0.9375 });
        assert_eq!(widest(6).confidence, 0.96875);
        assert!((widest(10).confidence - 0.998_046_875).abs() < 1e-15);
        // Exactly what is asked for is enough, although 1 - 0.9375 is no round number.
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(interval(&values, 0.96875).unwrap().high, 6.0);
        assert_eq!(interval(&values, 0.78125).unwrap().high, 5.0);
    }

    /// Every way in which n values lie below or above the true median, equally likely.
    fn brute_force_coverage(n: u32, index: u32) -> f64 {
        let covers = |ways: &u32| (index..=n - index).contains(&ways.count_ones());
        (0..1u32 << n).filter(covers).count() as f64 / f64::from(1u32 << n)
    }

    proptest! {
        #[test]
        fn the_confidence_is_what_enumeration_finds(
            values in prop::collection::vec(-9.0f64..9.0, 1..12), confidence in 0.01f64..0.999
        ) {
            let found = interval(&values, confidence).unwrap();
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let n = values.len() as u32;
            let index = sorted.iter().position(|&x| x == found.low).unwrap() as u32 + 1;
            prop_assert_eq!(sorted[(n - index) as usize], found.high);
            prop_assert!((found.confidence - brute_force_coverage(n, index)).abs() < 1e-12);
            prop_assert!(found.confidence >= confidence - 1e-8 || index == 1);
            // The next narrower one would not do.
            let narrower = index < n - index;
            prop_assert!(!narrower || brute_force_coverage(n, index + 1) < confidence);
            let median = median(&values).unwrap();
            prop_assert!(found.low <= median && median <= found.high);
        }

        #[test]
        fn moves_with_the_values(values in sample(1..30), shift in -50i32..50) {
            let shift = f64::from(shift);
            let moved: Vec<f64> = values.iter().map(|x| x + shift).collect();
            let (a, b) = (interval(&values, 0.9).unwrap(), interval(&moved, 0.9).unwrap());
            prop_assert_eq!((a.low + shift, a.high + shift), (b.low, b.high));
            prop_assert_eq!(median(&moved).unwrap(), median(&values).unwrap() + shift);
        }

        #[test]
        fn never_panics(values in prop::collection::vec(any::<f64>(), 0..6), c: f64) {
            let finite = !values.is_empty() && values.iter().all(|x| x.is_finite());
            prop_assert_eq!(median(&values).is_some(), finite);
            prop_assert_eq!(interval(&values, c).is_some(), finite && c > 0.0 && c < 1.0);
        }
    }

    #[test]
    fn covers_as_often_as_it_says() {
        let mut lot = Lot::new(1);
        for n in [5, 12, 31] {
            let told = interval(&lot.normals(n), 0.9).unwrap().confidence;
            covered(told, || {
                let found = interval(&lot.normals(n), 0.9).unwrap();
                found.low <= 0.0 && 0.0 <= found.high
            });
        }
    }

    #[test]
    fn large_samples_neither_underflow_nor_lose_the_middle() {
        let values: Vec<f64> = (0..100_001).map(f64::from).collect();
        let found = interval(&values, 0.95).unwrap();
        // By the normal distribution: 50,000 ± 1.96 · ½ · √100,001.
        assert!((found.low - 49_690.0).abs() <= 1.0 && (found.high - 50_310.0).abs() <= 1.0);
        assert!((0.95..0.9502).contains(&found.confidence), "{found:?}");
    }
}
