//! What must hold between the functions, whatever the values.

use super::super::equivalence::{self, Margin};
use super::super::rank_sum::{self, Stratum};
use super::super::{RankTest, adjust, effect, shift, signed_rank};
use super::{Lot, sample};
use proptest::prelude::*;

fn moved(values: &[f64], by: f64) -> Vec<f64> {
    values.iter().map(|x| x + by).collect()
}

/// Baseline on whole numbers, candidate on other fractions: no ties between them at whole shifts,
/// and none within them.
fn distinct() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    let values = |fraction: f64| {
        prop::collection::btree_set(-40i32..40, 1..9).prop_map(move |set| {
            set.into_iter().map(|x| f64::from(x) + fraction).collect::<Vec<f64>>()
        })
    };
    (values(0.0), values(0.25))
}

proptest! {
    #[test]
    fn swapping_the_sides_swaps_the_signs(a in sample(1..12), b in sample(1..12)) {
        let (there, back) = (rank_sum::test(&a, &b).unwrap(), rank_sum::test(&b, &a).unwrap());
        prop_assert!((there.less - back.greater).abs() < 1e-12);
        prop_assert!((there.greater - back.less).abs() < 1e-12);
        prop_assert_eq!(
            effect::cliffs_delta(&a, &b).unwrap(), -effect::cliffs_delta(&b, &a).unwrap()
        );
        let (there, back) =
            (shift::unpaired(&a, &b, 0.9).unwrap(), shift::unpaired(&b, &a, 0.9).unwrap());
        prop_assert_eq!(there.estimate, -back.estimate);
        prop_assert_eq!(there.interval.low, -back.interval.high);
        let turned: Vec<f64> = a.iter().map(|x| -x).collect();
        let (there, back) = (signed_rank::test(&a).unwrap(), signed_rank::test(&turned).unwrap());
        prop_assert!((there.less - back.greater).abs() < 1e-12);
        let (there, back) =
            (shift::paired(&a, 0.9).unwrap(), shift::paired(&turned, 0.9).unwrap());
        prop_assert_eq!(there.estimate, -back.estimate);
        prop_assert_eq!(there.interval.low, -back.interval.high);
    }

    #[test]
    fn a_shift_of_the_candidate_shifts_the_estimate(
        a in sample(1..12), b in sample(1..12), by in -30i32..30
    ) {
        let by = f64::from(by);
        let (before, after) = (
            shift::unpaired(&a, &b, 0.9).unwrap(),
            shift::unpaired(&a, &moved(&b, by), 0.9).unwrap(),
        );
        prop_assert_eq!(before.estimate + by, after.estimate);
        prop_assert_eq!(before.interval.low + by, after.interval.low);
        prop_assert_eq!(before.interval.high + by, after.interval.high);
        let (before, after) =
            (shift::paired(&a, 0.9).unwrap(), shift::paired(&moved(&a, by), 0.9).unwrap());
        prop_assert_eq!(before.estimate + by, after.estimate);
        prop_assert_eq!(before.interval.high + by, after.interval.high);
        // A test at a shift is the test of shifted values.
        let strata = [Stratum { baseline: &a, candidate: &b }];
        prop_assert_eq!(
            rank_sum::stratified_at(&strata, by), rank_sum::test(&a, &moved(&b, -by))
        );
        prop_assert_eq!(signed_rank::test_at(&a, by), signed_rank::test(&moved(&a, -by)));
    }

    #[test]
    fn p_follows_the_shift((a, b) in distinct(), from in -50i32..50, more in 1i32..20) {
        let strata = [Stratum { baseline: &a, candidate: &b }];
        let at = |shift: i32| rank_sum::stratified_at(&strata, f64::from(shift)).unwrap();
        let (first, then) = (at(from), at(from + more));
        prop_assert!(then.greater >= first.greater - 1e-12 && then.less <= first.less + 1e-12);
        let at = |shift: i32| signed_rank::test_at(&b, f64::from(shift)).unwrap();
        let (first, then) = (at(from), at(from + more));
        prop_assert!(then.greater >= first.greater - 1e-12 && then.less <= first.less + 1e-12);
    }

    /// An interval and two one-sided tests at its level say the same of any margin.
    #[test]
    fn equivalence_is_the_interval_within_the_margin(
        (a, b) in distinct(), low in -60i32..0, high in 0i32..60
    ) {
        let margin = Margin { low: f64::from(low), high: f64::from(high) };
        let found = shift::unpaired(&a, &b, 0.9).unwrap().interval;
        let p = equivalence::unpaired(&a, &b, margin).unwrap().p();
        let within = margin.low < found.low && found.high < margin.high;
        // Where the sample is too small for 90 % neither can say anything.
        let decided = within && found.confidence >= 0.9 - 1e-9;
        prop_assert_eq!(p <= 0.05 + 1e-9, decided, "p {}, {:?}", p, found);
    }

    #[test]
    fn adjusting_only_raises(p in prop::collection::vec(0.0f64..=1.0, 0..9)) {
        let (holm, rate) = (adjust::holm(&p), adjust::benjamini_hochberg(&p));
        prop_assert_eq!((holm.len(), rate.len()), (p.len(), p.len()));
        for at in 0..p.len() {
            prop_assert!(p[at] <= rate[at] + 1e-15 && rate[at] <= holm[at] + 1e-15);
            prop_assert!(holm[at] <= 1.0);
            for other in 0..p.len() {
                let kept = p[at] > p[other] || (holm[at] <= holm[other] && rate[at] <= rate[other]);
                prop_assert!(kept, "the order changed");
            }
        }
    }

    #[test]
    fn nothing_panics(a in prop::collection::vec(any::<f64>(), 0..4), b in sample(0..4), c: f64) {
        let sound = !a.is_empty() && !b.is_empty() && a.iter().all(|x| x.is_finite());
        prop_assert_eq!(rank_sum::test(&a, &b).is_some(), sound);
        prop_assert_eq!(effect::cliffs_delta(&b, &a).is_some(), sound);
        let _ = (shift::unpaired(&a, &b, c), shift::paired(&a, c));
        let _ = (signed_rank::test(&a), equivalence::paired(&b, Margin { low: c, high: 1.0 }));
        let _ = (adjust::holm(&a), adjust::benjamini_hochberg(&a));
    }
}

/// Where the exact distributions become too dear, the normal one says nearly the same.
#[test]
fn the_normal_distribution_takes_over_smoothly() {
    let near = |exact: RankTest, normal: RankTest| {
        assert!(exact.exact && !normal.exact);
        for (a, b) in [(exact.less, normal.less), (exact.greater, normal.greater)] {
            assert!((a - b).abs() < 2e-3 + 0.04 * a.min(1.0 - a), "{exact:?} {normal:?}");
        }
    };
    let mut lot = Lot::new(7);
    for scale in [2.0, 1e6] {
        for _ in 0..20 {
            let mut whole = |n: usize| -> Vec<f64> {
                lot.normals(n).iter().map(|x| (x * scale).round()).collect()
            };
            let (baseline, candidate) = (whole(40), whole(35));
            let strata = [Stratum { baseline: &baseline, candidate: &candidate }; 2];
            near(rank_sum::stratified(&strata).unwrap(), rank_sum::normal(&strata, 0.0).unwrap());
            near(signed_rank::test(&candidate).unwrap(), signed_rank::normal(&candidate).unwrap());
        }
    }
}

#[test]
fn nothing_comes_of_nothing() {
    assert_eq!(rank_sum::test(&[], &[1.0]), None);
    assert_eq!(rank_sum::stratified(&[]), None);
    assert_eq!(rank_sum::test(&[f64::NAN], &[1.0]), None);
    assert_eq!(signed_rank::test(&[]), None);
    assert_eq!(shift::stratified(&[], 0.9), None);
    assert_eq!(shift::unpaired(&[1.0], &[2.0], 1.0), None);
    assert_eq!(equivalence::unpaired(&[1.0], &[2.0], Margin { low: 1.0, high: 0.0 }), None);
    // All equal: nothing speaks for anything.
    let same = rank_sum::test(&[3.0; 4], &[3.0; 5]).unwrap();
    assert_eq!((same.less, same.greater, same.two_sided, same.exact), (1.0, 1.0, 1.0, true));
    let same = rank_sum::test(&[3.0; 4000], &[3.0; 5]).unwrap();
    assert_eq!((same.less, same.greater, same.exact), (1.0, 1.0, false));
    let zero = signed_rank::test(&[0.0; 3]).unwrap();
    assert_eq!((zero.statistic, zero.two_sided), (0.0, 1.0));
    // A `NaN` is no test: two remain.
    let adjusted = adjust::holm(&[0.01, f64::NAN, 0.5]);
    assert_eq!((adjusted[0], adjusted[2]), (0.02, 0.5));
    assert!(adjusted[1].is_nan());
}
