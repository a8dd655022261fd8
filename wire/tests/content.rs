//! What pages hold: what was written is recognised, and nothing else is.

use std::collections::HashSet;

use proptest::prelude::*;
use wire::content::{self, PAGE_WORDS};
use wire::{Content, Page};

const CONTENTS: [Content; 3] = [Content::Random, Content::Sparse, Content::Zero];

fn page_of(content: Content, seed: u64, page: u64, version: u64) -> Page {
    let mut memory = [0; PAGE_WORDS];
    content::write(content, seed, page, version, &mut memory);
    memory
}

fn holds(content: Content, seed: u64, page: u64, version: u64, memory: &Page) -> bool {
    content::holds(content, seed, page, version, |word| memory[word])
}

fn is_zero(memory: &Page) -> bool {
    content::is_zero(|word| memory[word])
}

proptest! {
    #[test]
    fn what_was_written_is_recognised_after_any_number_of_touches(
        seed: u64, page: u64, versions in prop::collection::vec(any::<u64>(), 1..5),
        which in 0_usize..3,
    ) {
        let content = CONTENTS[which];
        let mut memory = [0; PAGE_WORDS];
        for version in versions {
            content::write(content, seed, page, version, &mut memory);
            prop_assert!(holds(content, seed, page, version, &memory));
        }
    }

    #[test]
    fn one_flipped_bit_is_found(
        seed: u64, page: u64, version: u64, word in 0..PAGE_WORDS, bit in 0_u32..64,
        which in 0_usize..3,
    ) {
        let content = CONTENTS[which];
        let mut memory = page_of(content, seed, page, version);
        memory[word] ^= 1 << bit;
        prop_assert!(!holds(content, seed, page, version, &memory));
    }

    #[test]
    fn a_flipped_bit_makes_a_zero_page_something_else(word in 0..PAGE_WORDS, bit in 0_u32..64) {
        let mut memory = [0; PAGE_WORDS];
        prop_assert!(is_zero(&memory));
        memory[word] ^= 1 << bit;
        prop_assert!(!is_zero(&memory));
    }

    #[test]
    fn another_seed_page_or_version_is_told_apart(
        seed: u64, page in 0_u64..1 << 24, version in 0_u64..1 << 40, which in 0_usize..2,
        other_page in 0_u64..1 << 24, other_version in 0_u64..1 << 40,
    ) {
        let content = CONTENTS[which];
        let memory = page_of(content, seed, page, version);
        prop_assert!(!is_zero(&memory));
        prop_assert!(!holds(content, seed ^ 1, page, version, &memory));
        if page != other_page {
            prop_assert!(!holds(content, seed, other_page, version, &memory));
        }
        if version != other_version {
            prop_assert!(!holds(content, seed, page, other_version, &memory));
        }
    }

    #[test]
    fn every_word_of_a_random_page_changes_with_a_touch(seed: u64, page: u64, version: u64) {
        let before = page_of(Content::Random, seed, page, version);
        let after = page_of(Content::Random, seed, page, version.wrapping_add(1));
        prop_assert!(before.iter().zip(&after).all(|(before, after)| before != after));
    }

    #[test]
    fn sparse_has_one_word_in_each_512_bytes(seed: u64, page: u64, version: u64) {
        let memory = page_of(Content::Sparse, seed, page, version);
        for (index, word) in memory.iter().enumerate() {
            prop_assert_eq!(*word != 0, index % 64 == 0, "word {}", index);
        }
    }
}

#[test]
fn neighbouring_pages_and_versions_share_no_content() {
    let mut seen = HashSet::new();
    for page in 0..256 {
        for version in 0..256 {
            assert!(seen.insert(page_of(Content::Random, 5, page, version)), "{page} {version}");
        }
    }
}

#[test]
fn zero_is_zero_whatever_was_there() {
    let mut memory = page_of(Content::Random, 1, 2, 3);
    content::write(Content::Zero, 1, 2, 4, &mut memory);
    assert!(is_zero(&memory));
    assert!(holds(Content::Zero, 1, 2, 4, &memory));
}

#[test]
fn bits_of_random_pages_are_balanced() {
    let mut ones = [0_u32; 64];
    let pages = 256;
    for page in 0..pages {
        for word in page_of(Content::Random, 11, page, 0) {
            for (bit, count) in ones.iter_mut().enumerate() {
                *count += u32::from(word >> bit & 1 == 1);
            }
        }
    }
    let words = pages as f64 * PAGE_WORDS as f64;
    for (bit, count) in ones.into_iter().enumerate() {
        let share = f64::from(count) / words;
        // The words of a page are independent only in pairs, which bounds the variance all the
        // same: five standard deviations of independent words.
        assert!((share - 0.5).abs() < 5.0 * 0.5 / words.sqrt(), "bit {bit}: {share}");
    }
}
