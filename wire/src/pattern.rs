//! Which page each touch of the workload goes to: a pure function of the touch's number.
//!
//! A pure function, not a generator with a state: the guest can replay all touches at the end
//! without having remembered any of them.

use crate::Pattern;
use crate::hash::{GOLDEN, mix};

/// The hot pages of [`Pattern::Hotspot`]: the first tenth of the working set, rounded down, and
/// at least one page.
#[must_use]
pub const fn hot_pages(working_set_pages: u64) -> u64 {
    let tenth = working_set_pages / 10;
    if tenth == 0 { 1 } else { tenth }
}

/// The page, counted from 0 within the working set, that touch number `touch` (from 0) goes to.
///
/// `None` when the workload touches nothing: [`Pattern::Idle`] or an empty working set.
#[must_use]
pub const fn page_of_touch(
    pattern: Pattern,
    seed: u64,
    working_set_pages: u64,
    touch: u64,
) -> Option<u64> {
    if working_set_pages == 0 {
        return None;
    }
    match pattern {
        Pattern::Idle => None,
        Pattern::Sequential => Some(touch % working_set_pages),
        Pattern::Random => Some(below(draw(seed, touch), working_set_pages)),
        Pattern::Hotspot => {
            let hot = hot_pages(working_set_pages);
            let cold = working_set_pages - hot;
            let position = draw(seed, touch);
            // A second draw decides, so that position and temperature are independent.
            if cold == 0 || below(mix(position ^ GOLDEN), 10) < 9 {
                Some(below(position, hot))
            } else {
                Some(hot + below(position, cold))
            }
        }
    }
}

/// 64 random bits for one touch.
const fn draw(seed: u64, touch: u64) -> u64 {
    // SplitMix64 started at a place that depends on the whole seed.
    mix(mix(seed ^ GOLDEN).wrapping_add(touch.wrapping_mul(GOLDEN)))
}

/// Maps 64 random bits to `0..bound` by taking the high half of the product; its bias is below
/// `bound / 2^64`.
const fn below(bits: u64, bound: u64) -> u64 {
    ((bits as u128 * bound as u128) >> 64) as u64
}
