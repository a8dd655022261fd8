//! How often intervals cover and tests are wrong, over samples from known distributions.

use super::super::rank_sum::{self, Stratum};
use super::super::{shift, signed_rank};
use super::{Lot, covered, covered_at_least};

#[test]
fn shifts_cover_as_often_as_they_say() {
    let mut lot = Lot::new(2);
    for (n, m) in [(3, 3), (5, 8), (20, 15)] {
        let told = shift::unpaired(&lot.normals(n), &lot.normals(m), 0.9).unwrap();
        covered(told.interval.confidence, || {
            let found = shift::unpaired(&lot.normals(n), &lot.normals(m), 0.9).unwrap().interval;
            found.low <= 0.0 && 0.0 <= found.high
        });
    }
    for n in [4, 13] {
        let told = shift::paired(&lot.normals(n), 0.9).unwrap().interval.confidence;
        covered(told, || {
            let found = shift::paired(&lot.normals(n), 0.9).unwrap().interval;
            found.low <= 0.0 && 0.0 <= found.high
        });
    }
}

/// Cells that differ in level and spread, one shift for all.
#[test]
fn stratified_shifts_cover_as_often_as_they_say() {
    let mut lot = Lot::new(3);
    let cell = |lot: &mut Lot, level: f64, n: usize| -> Vec<f64> {
        lot.normals(n).into_iter().map(|x| level * (10.0 + x)).collect()
    };
    let mut told = 0.0;
    let mut once = |round: bool| {
        let cells: Vec<(Vec<f64>, Vec<f64>)> = [(1.0, 5), (3.0, 6), (0.5, 4)]
            .map(|(level, n)| (cell(&mut lot, level, n), cell(&mut lot, level, n)))
            .into();
        let shifted: Vec<(Vec<f64>, Vec<f64>)> = cells
            .into_iter()
            .map(|(b, c)| (b, c.iter().map(|x| x + 7.0).collect::<Vec<f64>>()))
            .map(|(b, c)| {
                let ms = |x: &f64| if round { x.round() } else { *x };
                (b.iter().map(ms).collect(), c.iter().map(ms).collect())
            })
            .collect();
        let strata: Vec<Stratum<'_>> =
            shifted.iter().map(|(baseline, candidate)| Stratum { baseline, candidate }).collect();
        let found = shift::stratified(&strata, 0.95).unwrap().interval;
        told = found.confidence;
        found.low <= 7.0 && 7.0 <= found.high
    };
    once(false);
    covered(0.95, || once(false));
    // Whole milliseconds: ties only make it cover more.
    covered_at_least(0.95, || once(true));
    assert!((0.95..0.97).contains(&told), "{told}");
}

/// What is rejected at 5 % although nothing differs: at most 5 %, and with ties as well.
#[test]
fn tests_are_wrong_no_oftener_than_they_say() {
    let mut lot = Lot::new(4);
    let mut rounded = |n: usize, scale: f64| -> Vec<f64> {
        lot.normals(n).into_iter().map(|x| (x * scale).round()).collect()
    };
    for scale in [0.7, 3.0, 1e6] {
        covered_at_least(0.95, || {
            rank_sum::test(&rounded(8, scale), &rounded(9, scale)).unwrap().greater > 0.05
        });
        covered_at_least(0.95, || signed_rank::test(&rounded(10, scale)).unwrap().less > 0.05);
    }
}
