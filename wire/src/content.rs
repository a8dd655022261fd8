//! What every page must hold: a pure function of content, seed, page and version.
//!
//! The version of a page is 0 after the fill and `n + 1` after touch number `n`. A page that was
//! never filled is zero.
//!
//! The words must be cheap to compute under an emulator that knows no fast 64-bit vector
//! multiplication: one hash per page gives a base, and each word takes an addition, two shifts
//! and two exclusive-ors, which compilers turn into SSE2.

use crate::hash::{GOLDEN, mix};
use crate::{Content, PAGE_BYTES};

/// 64-bit words of a page.
pub const PAGE_WORDS: usize = PAGE_BYTES / 8;

/// The words of [`Content::Sparse`] that are not zero are this far apart (512 bytes).
const SPARSE_STEP_WORDS: usize = 64;

/// A page of memory as the workload sees it.
pub type Page = [u64; PAGE_WORDS];

/// Writes what `page` holds at `version` into `memory`.
///
/// For [`Content::Sparse`] it writes only the words that may differ from zero, as a touch does:
/// `memory` must be zero elsewhere, as it is after boot.
pub fn write(content: Content, seed: u64, page: u64, version: u64, memory: &mut Page) {
    let base = base_of(seed, page, version);
    match content {
        Content::Random => {
            let mut counter = base;
            for word in memory {
                *word = scramble(counter);
                counter = counter.wrapping_add(GOLDEN);
            }
        }
        Content::Sparse => {
            let mut counter = base;
            for word in memory.iter_mut().step_by(SPARSE_STEP_WORDS) {
                *word = scramble(counter);
                counter = counter.wrapping_add(GOLDEN);
            }
        }
        Content::Zero => memory.fill(0),
    }
}

/// Whether `memory` holds exactly what `page` holds at `version`.
#[must_use]
pub fn holds(content: Content, seed: u64, page: u64, version: u64, memory: &Page) -> bool {
    let base = base_of(seed, page, version);
    // Differences are gathered over the whole page and looked at once: wrong pages are rare, and
    // a loop without an exit becomes vector instructions.
    let mut difference = 0;
    let mut counter = base;
    match content {
        Content::Random => {
            for word in memory {
                difference |= word ^ scramble(counter);
                counter = counter.wrapping_add(GOLDEN);
            }
        }
        Content::Sparse => {
            for group in memory.as_chunks::<SPARSE_STEP_WORDS>().0 {
                difference |= group[0] ^ scramble(counter);
                difference |= group[1..].iter().fold(0, |all, word| all | word);
                counter = counter.wrapping_add(GOLDEN);
            }
        }
        Content::Zero => return is_zero(memory),
    }
    difference == 0
}

/// Whether every word of `memory` is zero.
#[must_use]
pub fn is_zero(memory: &Page) -> bool {
    memory.iter().fold(0, |all, word| all | word) == 0
}

/// The number that a page's words count up from.
///
/// For one seed and for pages below 2^24 (64 GiB of memory) and versions below 2^40 no two pairs
/// of page and version have the same base, hence no two pages the same first word: the pair is
/// packed into 64 bits and both hashes are bijections.
const fn base_of(seed: u64, page: u64, version: u64) -> u64 {
    mix(mix(seed ^ GOLDEN) ^ page.rotate_left(40) ^ version)
}

/// Hides the regularity of a counter. A bijection, so that at most one word of a page is zero.
const fn scramble(counter: u64) -> u64 {
    let value = counter ^ (counter >> 32);
    value ^ (value << 23)
}
