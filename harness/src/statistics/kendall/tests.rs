//! Kendall's τ against enumeration, and how often its interval covers.

use super::super::tests::{Lot, covered_at_least, sample};
use super::*;
use proptest::prelude::*;
use std::f64::consts::PI;

fn score(x: &[f64], y: &[f64]) -> f64 {
    let sign = |a: f64, b: f64| a.partial_cmp(&b).map_or(f64::NAN, |order| f64::from(order as i8));
    let pairs = (0..x.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    pairs.map(|(i, j)| sign(x[i], x[j]) * sign(y[i], y[j])).sum()
}

/// All orders of the values, equal ones as if they could be told apart.
fn orders(values: &[f64]) -> Vec<Vec<f64>> {
    if values.is_empty() {
        return vec![Vec::new()];
    }
    let without = |at: usize| [&values[..at], &values[at + 1..]].concat();
    let with = |at: usize| {
        orders(&without(at)).into_iter().map(move |rest| [vec![values[at]], rest].concat())
    };
    (0..values.len()).flat_map(with).collect()
}

fn distinct(n: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::btree_set(-40i32..40, n)
        .prop_map(|set| set.into_iter().map(f64::from).collect::<Vec<f64>>())
        .prop_shuffle()
}

proptest! {
    #[test]
    fn is_what_enumeration_finds(x in sample(6..7), y in distinct(2..7), turned: bool) {
        let x = &x[..y.len()];
        let found = if turned { tau(&y, x, 0.9) } else { tau(x, &y, 0.9) };
        prop_assert_eq!(found.is_some(), x.iter().any(|value| *value != x[0]));
        if let Some(found) = found {
            let null: Vec<f64> = orders(&y).iter().map(|y| score(x, y)).collect();
            let observed = score(x, &y);
            let share = |of: &dyn Fn(f64) -> bool| {
                null.iter().filter(|x| of(**x)).count() as f64 / null.len() as f64
            };
            prop_assert!(found.test.exact);
            prop_assert_eq!(found.test.statistic, observed);
            prop_assert!((found.test.less - share(&|x| x <= observed)).abs() < 1e-12);
            prop_assert!((found.test.greater - share(&|x| x >= observed)).abs() < 1e-12);
        }
    }

    /// The variance, which the exact test does not use, with ties in both.
    #[test]
    fn the_variance_is_what_enumeration_finds(x in sample(6..7), y in sample(1..7)) {
        let x = &x[..y.len()];
        let null: Vec<f64> = orders(&y).iter().map(|y| score(x, y)).collect();
        let squares: f64 = null.iter().map(|score| score * score).sum();
        let variance = Concordance::of(x, &y).unwrap().variance();
        prop_assert!((variance - squares / null.len() as f64).abs() < 1e-9);
    }

    #[test]
    fn turns_with_its_values(x in sample(9..10), y in sample(9..10)) {
        let turned: Vec<f64> = y.iter().map(|y| -y).collect();
        if let (Some(there), Some(back)) = (tau(&x, &y, 0.9), tau(&x, &turned, 0.9)) {
            prop_assert_eq!(there.tau, -back.tau);
            prop_assert!((there.interval.low + back.interval.high).abs() < 1e-12);
            prop_assert!((there.test.less - back.test.greater).abs() < 1e-12);
            prop_assert!(there.interval.low <= there.tau && there.tau <= there.interval.high);
            prop_assert_eq!(tau(&y, &x, 0.9).unwrap().tau, there.tau);
            prop_assert_eq!(tau(&x, &x, 0.9).unwrap().tau, 1.0);
        }
    }

    #[test]
    fn strata_are_pooled_pair_by_pair(
        strata in prop::collection::vec((sample(5..6), sample(5..6)), 1..4)
    ) {
        let total: f64 = strata.iter().map(|(x, y)| score(x, y)).sum();
        if let Some(found) = stratified(&strata, 0.9) {
            prop_assert_eq!(found.test.statistic, total);
        }
        if let Some((x, y)) = strata.first() {
            prop_assert_eq!(stratified(&strata[..1], 0.9), tau(x, y, 0.9));
        }
    }

    #[test]
    fn nothing_panics(x in prop::collection::vec(any::<f64>(), 0..5), y in sample(0..5), c: f64) {
        let _ = (tau(&x, &y, c), tau(&y, &x, 0.9), stratified(&[(x.clone(), y.clone())], 0.9));
        let _ = stratified(&[(x, y), (vec![], vec![]), (vec![1.0], vec![2.0])], 0.9);
    }
}

#[test]
fn nothing_comes_of_nothing() {
    assert_eq!(tau(&[], &[], 0.9), None);
    assert_eq!(tau(&[1.0, 2.0], &[1.0], 0.9), None);
    assert_eq!(tau(&[1.0, 1.0], &[1.0, 2.0], 0.9), None);
    assert_eq!(stratified(&[], 0.9), None);
    // All agree: τ is 1, and five values do not prove that it is.
    let five: Vec<f64> = (1..6).map(f64::from).collect();
    let found = tau(&five, &five, 0.95).unwrap();
    assert_eq!((found.tau, found.interval.high), (1.0, 1.0));
    assert!((0.3..0.5).contains(&found.interval.low), "{found:?}");
    assert!((found.test.greater - 1.0 / 120.0).abs() < 1e-15);
}

/// Normal variables with correlation sin(πτ / 2) have this τ.
fn related(lot: &mut Lot, tau: f64, n: usize) -> (Vec<f64>, Vec<f64>) {
    let correlation = (PI * tau / 2.0).sin();
    let (x, noise) = (lot.normals(n), lot.normals(n));
    let rest = (1.0 - correlation * correlation).sqrt();
    let y = x.iter().zip(noise).map(|(x, noise)| correlation * x + rest * noise).collect();
    (x, y)
}

#[test]
fn the_interval_covers() {
    let mut lot = Lot::new(5);
    for n in [8, 12, 30] {
        for truth in [0.0, 0.4, 0.8, 0.95] {
            covered_at_least(0.95, || {
                let (x, y) = related(&mut lot, truth, n);
                let found = tau(&x, &y, 0.95).unwrap().interval;
                found.low <= truth && truth <= found.high
            });
        }
    }
}

/// x has three levels of four values each, as a factor has; y grows by `step` a level, in standard
/// deviations, in two strata that lie far apart.
#[test]
fn the_interval_covers_with_levels_and_strata() {
    let mut lot = Lot::new(6);
    let x: Vec<f64> = (0..12).map(|at| f64::from(at / 4)).collect();
    for step in [0.0, 1.0, 3.0] {
        let ordered = |levels: f64| 2.0 * normal::cdf(step * levels / 2f64.sqrt()) - 1.0;
        // 48 pairs that x orders, of 66 that y does.
        let truth = (32.0 * ordered(1.0) + 16.0 * ordered(2.0)) / (48.0f64 * 66.0).sqrt();
        covered_at_least(0.95, || {
            let mut stratum = |level: f64| {
                let noise = lot.normals(12);
                let y = x.iter().zip(noise).map(|(x, noise)| level + step * x + noise).collect();
                (x.clone(), y)
            };
            let found = stratified(&[stratum(0.0), stratum(1e3)], 0.95).unwrap().interval;
            found.low <= truth && truth <= found.high
        });
    }
}
