//! What every page must hold: a pure function of content, seed, page and version.
//!
//! The version of a page is 0 after the fill and `n + 1` after touch number `n`. A page that was
//! never filled is zero.
//!
//! A page's words are an arithmetic sequence modulo 2^64 whose start and step are hashes of seed,
//! page and version. One addition a word is all that an emulator can do at the speed of its
//! loads; the words are nevertheless uniform and independent in pairs (start and step are), and
//! no general compressor finds anything in them.

use crate::hash::{GOLDEN, mix};
use crate::{Content, PAGE_BYTES};

/// 64-bit words of a page.
pub const PAGE_WORDS: usize = PAGE_BYTES / 8;

/// The words of [`Content::Sparse`] that are not zero are this far apart (512 bytes).
const SPARSE_STEP_WORDS: usize = 64;

/// Words compared without a branch in between: an emulator pays for every branch.
const GROUP: usize = 8;

/// A page of memory as the workload sees it.
pub type Page = [u64; PAGE_WORDS];

/// Writes what `page` holds at `version` into `memory`.
///
/// For [`Content::Sparse`] it writes only the words that may differ from zero, as a touch does:
/// `memory` must be zero elsewhere, as it is after boot.
pub fn write(content: Content, seed: u64, page: u64, version: u64, memory: &mut Page) {
    let mut sequence = Sequence::new(seed, page, version);
    match content {
        Content::Random => memory.fill_with(|| sequence.take()),
        Content::Sparse => {
            for word in memory.iter_mut().step_by(SPARSE_STEP_WORDS) {
                *word = sequence.take();
            }
        }
        Content::Zero => memory.fill(0),
    }
}

/// Whether the page whose words `word_at` reads, each once, holds exactly what `page` holds at
/// `version`. Indices are below [`PAGE_WORDS`].
///
/// Words are read through a function so that the guest can insist on reading memory, one word
/// at a time.
#[must_use]
pub fn holds(
    content: Content,
    seed: u64,
    page: u64,
    version: u64,
    word_at: impl Fn(usize) -> u64,
) -> bool {
    let mut sequence = Sequence::new(seed, page, version);
    // Differences are gathered over the whole page and looked at once: wrong pages are rare.
    let mut difference = 0;
    match content {
        Content::Random => {
            for group in (0..PAGE_WORDS).step_by(GROUP) {
                for offset in 0..GROUP {
                    difference |= word_at(group + offset) ^ sequence.take();
                }
            }
        }
        Content::Sparse => {
            for step in (0..PAGE_WORDS).step_by(SPARSE_STEP_WORDS) {
                difference |= word_at(step) ^ sequence.take();
                for offset in 1..SPARSE_STEP_WORDS {
                    difference |= word_at(step + offset);
                }
            }
        }
        Content::Zero => return is_zero(word_at),
    }
    difference == 0
}

/// Whether every word of a page is zero, read as by [`holds`].
#[must_use]
pub fn is_zero(word_at: impl Fn(usize) -> u64) -> bool {
    let mut any = 0;
    for group in (0..PAGE_WORDS).step_by(GROUP) {
        for offset in 0..GROUP {
            any |= word_at(group + offset);
        }
    }
    any == 0
}

/// The words that are not zero of a page, in order.
struct Sequence {
    next: u64,
    step: u64,
}

impl Sequence {
    /// For one seed and for pages below 2^24 (64 GiB of memory) and versions below 2^40 no two
    /// pairs of page and version have the same first word: the pair is packed into 64 bits and
    /// hashed by a bijection. The step is odd, so that all words of a page differ from each other
    /// and at most one is zero.
    const fn new(seed: u64, page: u64, version: u64) -> Self {
        let start = mix(mix(seed ^ GOLDEN) ^ page.rotate_left(40) ^ version);
        Self { next: start, step: mix(start ^ GOLDEN) | 1 }
    }

    const fn take(&mut self) -> u64 {
        let word = self.next;
        self.next = self.next.wrapping_add(self.step);
        word
    }
}
