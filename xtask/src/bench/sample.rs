//! Statistics of a figure's values, and its bar: pure arithmetic.

use serde::Serialize;

/// Where the values of a figure lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// How many there are.
    pub n: usize,
    /// Their sum.
    pub sum: f64,
    /// The middle one; of an even number, the mean of the middle two.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// The least value that at least 95 of 100 values do not exceed.
    pub p95: f64,
}

impl Spread {
    /// Of these values, in whatever order; `None` when there are none, or one is not a number.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        Some(Self {
            n,
            sum: sorted.iter().sum(),
            median: f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2]),
            min,
            max,
            p95: sorted[(n * 95).div_ceil(100) - 1],
        })
    }
}

/// What of a spread a bar is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// The median.
    Median,
    /// The greatest value.
    Max,
    /// The sum, of what is counted.
    Sum,
}

/// What a figure must not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bar {
    /// What is judged.
    pub statistic: Statistic,
    /// The greatest allowed value, in the figure's unit.
    pub at_most: f64,
}

impl Bar {
    /// Whether it holds.
    pub fn holds(self, spread: &Spread) -> bool {
        let judged = match self.statistic {
            Statistic::Median => spread.median,
            Statistic::Max => spread.max,
            Statistic::Sum => spread.sum,
        };
        judged <= self.at_most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[1.0, f64::NAN]), None);
        let one = Spread::of(&[7.0]).unwrap();
        assert_eq!((one.n, one.median, one.min, one.max, one.p95), (1, 7.0, 7.0, 7.0, 7.0));
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let spread = Spread::of(&hundred).unwrap();
        assert_eq!((spread.median, spread.p95, spread.sum), (50.5, 95.0, 5050.0));
        let thirty: Vec<f64> = (1..=30).map(f64::from).collect();
        // 29 of 30 are 96.7 %, 28 are 93.3 %.
        assert_eq!(Spread::of(&thirty).unwrap().p95, 29.0);
    }

    #[test]
    fn a_bar_holds_at_its_very_value_and_not_above() {
        let spread = Spread::of(&[0.1, 0.3, 0.9]).unwrap();
        let bar = |statistic, at_most| Bar { statistic, at_most }.holds(&spread);
        assert!(bar(Statistic::Median, 0.3) && !bar(Statistic::Median, 0.29));
        assert!(bar(Statistic::Max, 0.9) && !bar(Statistic::Max, 0.3));
        let counted = Spread::of(&[0.0, 1.0, 0.0]).unwrap();
        assert!(!Bar { statistic: Statistic::Sum, at_most: 0.0 }.holds(&counted));
    }
}
