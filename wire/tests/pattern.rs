//! Where touches go: inside the working set, and distributed as promised.

use proptest::prelude::*;
use wire::Pattern;
use wire::pattern::{hot_pages, page_of_touch};

const PATTERNS: [Pattern; 3] = [Pattern::Sequential, Pattern::Random, Pattern::Hotspot];

fn pages(pattern: Pattern, seed: u64, pages: u64, touches: u64) -> impl Iterator<Item = usize> {
    (0..touches)
        .filter_map(move |touch| page_of_touch(pattern, seed, pages, touch))
        .map(|page| usize::try_from(page).expect("a page of a small working set"))
}

/// How far a histogram lies from uniform, in standard deviations of chi-square.
fn distance_from_uniform(counts: &[u64]) -> f64 {
    let cells = counts.len() as f64;
    let expected = counts.iter().sum::<u64>() as f64 / cells;
    let chi_square: f64 =
        counts.iter().map(|&count| (count as f64 - expected).powi(2) / expected).sum();
    let freedom = cells - 1.0;
    (chi_square - freedom) / (2.0 * freedom).sqrt()
}

proptest! {
    #[test]
    fn touches_stay_inside_the_working_set(
        seed: u64, pages in 1_u64.., touch: u64, which in 0_usize..3,
    ) {
        let page = page_of_touch(PATTERNS[which], seed, pages, touch);
        prop_assert!(page.is_some_and(|page| page < pages));
    }

    #[test]
    fn every_page_of_a_small_set_is_reached(seed: u64, pages in 1_u64..40, which in 0_usize..3) {
        let mut reached = vec![false; usize::try_from(pages)?];
        for page in self::pages(PATTERNS[which], seed, pages, 40 * pages * 20) {
            reached[page] = true;
        }
        prop_assert!(reached.iter().all(|page| *page));
    }

    #[test]
    fn idle_and_empty_touch_nothing(seed: u64, pages: u64, touch: u64, which in 0_usize..3) {
        prop_assert_eq!(page_of_touch(Pattern::Idle, seed, pages, touch), None);
        prop_assert_eq!(page_of_touch(PATTERNS[which], seed, 0, touch), None);
    }
}

#[test]
fn sequential_goes_around() {
    let order: Vec<_> = pages(Pattern::Sequential, 9, 3, 7).collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 2, 0]);
}

#[test]
fn random_is_uniform_and_its_touches_are_independent() {
    for seed in [0, 1, 0xdead_beef] {
        let mut counts = vec![0; 1000];
        let mut pairs = vec![0; 32 * 32];
        let mut before = None;
        for page in pages(Pattern::Random, seed, 1000, 1_000_000) {
            counts[page] += 1;
        }
        for page in pages(Pattern::Random, seed, 32, 1_000_000) {
            if let Some(before) = before.replace(page) {
                pairs[before * 32 + page] += 1;
            }
        }
        assert!(distance_from_uniform(&counts).abs() < 5.0, "seed {seed}: pages");
        assert!(distance_from_uniform(&pairs).abs() < 5.0, "seed {seed}: pairs");
    }
}

#[test]
fn distinct_pages_of_random_follow_the_law_the_model_assumes() {
    const PAGES: usize = 16_384;
    const SEEDS: u64 = 32;
    for share in [0.25_f64, 1.0, 3.0] {
        let touches = (PAGES as f64 * share) as u64;
        let expected = PAGES as f64 * (1.0 - (-share).exp());
        // Variance of the number of occupied cells (Feller, volume 1, section IV.2).
        let variance = PAGES as f64 * ((-share).exp() - (1.0 + share) * (-2.0 * share).exp());
        let mut deviations = 0.0;
        for seed in 0..SEEDS {
            let mut reached = vec![false; PAGES];
            pages(Pattern::Random, seed, PAGES as u64, touches)
                .for_each(|page| reached[page] = true);
            let distinct = reached.iter().filter(|page| **page).count();
            deviations += (distinct as f64 - expected) / variance.sqrt();
        }
        let mean = deviations / SEEDS as f64;
        let bound = 5.0 / (SEEDS as f64).sqrt();
        assert!(mean.abs() < bound, "{share} touches a page: {mean} standard deviations off");
    }
}

#[test]
fn different_seeds_touch_in_different_orders() {
    let order = |seed| pages(Pattern::Random, seed, 1 << 20, 64).collect::<Vec<_>>();
    assert_ne!(order(1), order(2));
    assert_eq!(order(1), order(1));
}

#[test]
fn hotspot_sends_nine_of_ten_to_the_first_tenth() {
    const PAGES: u64 = 1000;
    const TOUCHES: u64 = 1_000_000;
    let mut counts = vec![0_u64; PAGES as usize];
    for page in pages(Pattern::Hotspot, 3, PAGES, TOUCHES) {
        counts[page] += 1;
    }
    let (hot, cold) = counts.split_at(hot_pages(PAGES) as usize);
    assert_eq!(hot.len(), 100);
    let share = hot.iter().sum::<u64>() as f64 / TOUCHES as f64;
    // Five standard deviations of a binomial share.
    assert!((share - 0.9).abs() < 5.0 * (0.09 / TOUCHES as f64).sqrt(), "share {share}");
    assert!(distance_from_uniform(hot).abs() < 5.0);
    assert!(distance_from_uniform(cold).abs() < 5.0);
}
