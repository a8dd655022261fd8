use serde::{Deserialize, Serialize};

/// Where the values of a sample lie. Always finite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// The middle value; of an even number of them, the mean of the middle two.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of the finite ones among `values`, in whatever order; `None` when there are none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> =
            values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let upper = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[upper]
        } else {
            f64::midpoint(sorted[upper - 1], sorted[upper])
        };
        Some(Self { median, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition itself, without sorting: a median has at least half of the values on
    /// either side of it.
    fn brute_force(values: &[f64]) -> f64 {
        let at_most = |x: f64| values.iter().filter(|&&value| value <= x).count();
        let least_with = |needed: usize| {
            values.iter().copied().filter(|&x| at_most(x) >= needed).fold(f64::INFINITY, f64::min)
        };
        let n = values.len();
        let (low, high) = (least_with(n.div_ceil(2)), least_with(n / 2 + 1));
        low / 2.0 + high / 2.0
    }

    proptest! {
        #[test]
        fn is_what_brute_force_finds(values in prop::collection::vec(-1e6f64..1e6, 1..40)) {
            let spread = Spread::of(&values).unwrap();
            prop_assert!((spread.median - brute_force(&values)).abs() <= 1e-9);
            prop_assert!(values.iter().all(|&value| spread.min <= value && value <= spread.max));
            prop_assert!(values.contains(&spread.min) && values.contains(&spread.max));
        }

        #[test]
        fn order_ties_and_odd_numbers_do_not_matter(
            mut values in prop::collection::vec((0u8..5).prop_map(f64::from), 1..12), seed: u64
        ) {
            let before = Spread::of(&values);
            let shift = (seed % values.len() as u64) as usize;
            values.rotate_left(shift);
            values.push(f64::NAN);
            values.push(f64::NEG_INFINITY);
            prop_assert_eq!(Spread::of(&values), before);
        }

        #[test]
        fn is_always_finite(values in prop::collection::vec(any::<f64>(), 0..8)) {
            if let Some(spread) = Spread::of(&values) {
                prop_assert!([spread.median, spread.min, spread.max].iter().all(|x| x.is_finite()));
            }
        }
    }

    #[test]
    fn examples() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[f64::NAN]), None);
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]).unwrap().median, 2.0);
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(Spread::of(&[f64::MAX, f64::MAX]).unwrap().median, f64::MAX);
    }
}
