//! The tests against enumeration of everything that could have been.

use super::super::rank_sum::{self, Stratum};
use super::super::{RankTest, effect, shift, signed_rank};
use super::sample;
use proptest::prelude::*;

/// U by its definition.
fn u(baseline: &[f64], candidate: &[f64]) -> f64 {
    let pairs = candidate.iter().flat_map(|c| baseline.iter().map(move |b| c - b));
    pairs
        .map(|d| {
            if d > 0.0 {
                1.0
            } else if d < 0.0 {
                0.0
            } else {
                0.5
            }
        })
        .sum()
}

/// U of every way to deal the values out.
fn every_u(baseline: &[f64], candidate: &[f64]) -> Vec<f64> {
    let all: Vec<f64> = baseline.iter().chain(candidate).copied().collect();
    let deals = (0..1u32 << all.len()).filter(|d| d.count_ones() as usize == candidate.len());
    deals
        .map(|deal| {
            let of = |side: u32| -> Vec<f64> {
                (0..all.len()).filter(|at| deal >> at & 1 == side).map(|at| all[at]).collect()
            };
            u(&of(0), &of(1))
        })
        .collect()
}

fn is_the_share_of(null: &[f64], observed: f64, found: RankTest) {
    let share = |of: &dyn Fn(f64) -> bool| {
        null.iter().filter(|x| of(**x)).count() as f64 / null.len() as f64
    };
    let (less, greater) = (share(&|x| x <= observed), share(&|x| x >= observed));
    assert!(found.exact);
    assert_eq!(found.statistic, observed);
    assert!((found.less - less).abs() < 1e-12, "{found:?}, less is {less}");
    assert!((found.greater - greater).abs() < 1e-12, "{found:?}, greater is {greater}");
    assert!((found.two_sided - (2.0 * less.min(greater)).min(1.0)).abs() < 1e-12);
}

proptest! {
    #[test]
    fn rank_sums(baseline in sample(1..6), candidate in sample(1..6)) {
        let found = rank_sum::test(&baseline, &candidate).unwrap();
        is_the_share_of(&every_u(&baseline, &candidate), u(&baseline, &candidate), found);
        let delta = effect::cliffs_delta(&baseline, &candidate).unwrap();
        let pairs = (baseline.len() * candidate.len()) as f64;
        let both = u(&baseline, &candidate) - u(&candidate, &baseline);
        prop_assert!((delta - both / pairs).abs() < 1e-15);
    }

    #[test]
    fn stratified_rank_sums(
        strata in prop::collection::vec((sample(1..4), sample(1..4)), 1..4)
    ) {
        let mut null = vec![0.0];
        let mut observed = 0.0;
        for (baseline, candidate) in &strata {
            let next = every_u(baseline, candidate);
            null = null.iter().flat_map(|a| next.iter().map(move |b| a + b)).collect();
            observed += u(baseline, candidate);
        }
        let mut views: Vec<Stratum<'_>> = strata
            .iter()
            .map(|(baseline, candidate)| Stratum { baseline, candidate })
            .collect();
        // What has nothing to compare changes nothing.
        views.insert(0, Stratum { baseline: &[1.0], candidate: &[] });
        is_the_share_of(&null, observed, rank_sum::stratified(&views).unwrap());
    }

    #[test]
    fn signed_ranks(differences in sample(1..10)) {
        let rank = |x: f64| {
            let less = differences.iter().filter(|y| y.abs() < x.abs()).count() as f64;
            let equal = differences.iter().filter(|y| y.abs() == x.abs()).count() as f64;
            less + (equal + 1.0) / 2.0
        };
        let ranks: Vec<f64> = differences.iter().filter(|x| **x != 0.0).map(|x| rank(*x)).collect();
        let sum = |of: u32| -> f64 {
            (0..ranks.len()).filter(|at| of >> at & 1 == 1).map(|at| ranks[at]).sum()
        };
        let null: Vec<f64> = (0..1u32 << ranks.len()).map(sum).collect();
        let positive: f64 = differences.iter().filter(|x| **x > 0.0).map(|x| rank(*x)).sum();
        is_the_share_of(&null, positive, signed_rank::test(&differences).unwrap());
    }

    /// Without ties the interval holds those shifts that the two-sided test does not reject.
    #[test]
    fn unpaired_intervals(
        strata in prop::collection::vec((sample(1..6), sample(1..6)), 1..3),
        confidence in 0.5f64..0.99
    ) {
        let views: Vec<Stratum<'_>> = strata
            .iter()
            .map(|(baseline, candidate)| Stratum { baseline, candidate })
            .collect();
        let found = shift::stratified(&views, confidence).unwrap();
        let mut all: Vec<f64> = strata
            .iter()
            .flat_map(|(b, c)| c.iter().flat_map(move |c| b.iter().map(move |b| c - b)))
            .collect();
        all.sort_by(f64::total_cmp);
        let n = all.len();
        prop_assert_eq!(found.estimate, f64::midpoint(all[(n - 1) / 2], all[n / 2]));
        // As if without ties: distinct values, all orders of them.
        let mut null = vec![0.0];
        for (b, c) in &strata {
            let distinct: Vec<f64> = (0..b.len() + c.len()).map(|x| x as f64).collect();
            let next = every_u(&distinct[..b.len()], &distinct[b.len()..]);
            null = null.iter().flat_map(|a| next.iter().map(move |b| a + b)).collect();
        }
        is_the_interval(&null, &all, confidence, found);
    }

    #[test]
    fn paired_intervals(differences in sample(1..9), confidence in 0.5f64..0.99) {
        let found = shift::paired(&differences, confidence).unwrap();
        let n = differences.len();
        let mut all: Vec<f64> = (0..n)
            .flat_map(|i| (i..n).map(move |j| (i, j)))
            .map(|(i, j)| (differences[i] + differences[j]) / 2.0)
            .collect();
        all.sort_by(f64::total_cmp);
        let middle = (all[(all.len() - 1) / 2], all[all.len() / 2]);
        prop_assert_eq!(found.estimate, f64::midpoint(middle.0, middle.1));
        let sum = |of: u32| -> f64 {
            (0..n).filter(|at| of >> at & 1 == 1).map(|at| (at + 1) as f64).sum()
        };
        let null: Vec<f64> = (0..1u32 << n).map(sum).collect();
        is_the_interval(&null, &all, confidence, found);
    }
}

/// The narrowest pair of order statistics that covers often enough, or else the widest.
fn is_the_interval(null: &[f64], sorted: &[f64], confidence: f64, found: shift::Shift) {
    let outside = |k: usize| {
        2.0 * null.iter().filter(|x| **x <= (k - 1) as f64).count() as f64 / null.len() as f64
    };
    let most = sorted.len().div_ceil(2);
    let index = (1..=most).rev().find(|&k| 1.0 - outside(k) >= confidence).unwrap_or(1);
    let expected = (sorted[index - 1], sorted[sorted.len() - index]);
    assert_eq!((found.interval.low, found.interval.high), expected);
    assert!((found.interval.confidence - (1.0 - outside(index)).max(0.0)).abs() < 1e-12);
    assert!(found.interval.low <= found.estimate && found.estimate <= found.interval.high);
}
