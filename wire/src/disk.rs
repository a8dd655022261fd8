//! Which block of the disk each write goes to, and what every block must hold: pure functions of
//! the guest's seed and of the write's number, as for pages.
//!
//! The version of a block is 0 while nothing has been written to it (then it is zero, as its image
//! was made) and `n + 1` after write number `n`. A written block is stamped all over: every word
//! depends on seed, block and version.

use crate::hash::{GOLDEN, mix};
use crate::{Content, Page, content, pattern};

/// Sets the disk's draws and content apart from the memory's, which has the guest's seed itself.
const APART: u64 = 0x6469_736b_6469_736b;

/// The disk's seed, from the guest's.
const fn disk_seed(seed: u64) -> u64 {
    mix(seed ^ APART).wrapping_add(GOLDEN)
}

/// The block, of `blocks`, that write number `write` (from 0) goes to: drawn uniformly, each
/// independent of all others. `None` where there is no block.
#[must_use]
pub const fn block_of_write(seed: u64, blocks: u64, write: u64) -> Option<u64> {
    pattern::page_of_touch(crate::Pattern::Random, disk_seed(seed), blocks, write)
}

/// Fills `memory` with what `block` holds at `version`, which is above 0.
pub fn stamp(seed: u64, block: u64, version: u64, memory: &mut Page) {
    content::write(Content::Random, disk_seed(seed), block, version, memory);
}

/// Whether the block whose words `word_at` reads holds exactly what `block` holds at `version`.
#[must_use]
pub fn holds(seed: u64, block: u64, version: u64, word_at: impl Fn(usize) -> u64) -> bool {
    if version == 0 {
        return content::is_zero(word_at);
    }
    content::holds(Content::Random, disk_seed(seed), block, version, word_at)
}

/// Replays the writes `from..to` on the versions of some blocks: `versions[i]` is that of block
/// `first + i`, of `blocks` in all. Others are left out, so that a large disk can be replayed in
/// parts, each in the same small memory.
pub fn replay(seed: u64, blocks: u64, from: u64, to: u64, first: u64, versions: &mut [u64]) {
    for write in from..to {
        let Some(block) = block_of_write(seed, blocks, write) else { return };
        let slot = block.checked_sub(first).and_then(|slot| usize::try_from(slot).ok());
        if let Some(version) = slot.and_then(|slot| versions.get_mut(slot)) {
            *version = write + 1;
        }
    }
}
