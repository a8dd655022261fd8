//! The disk's blocks: what was written last is what a replay says, by parts as in one go.

use proptest::prelude::*;
use wire::content::PAGE_WORDS;
use wire::{Content, Page, Pattern, content, disk, pattern};

fn stamped(seed: u64, block: u64, version: u64) -> Page {
    let mut memory = [0; PAGE_WORDS];
    disk::stamp(seed, block, version, &mut memory);
    memory
}

/// A disk that is really written, block by block, in memory.
fn written(seed: u64, blocks: u64, writes: u64) -> Vec<Page> {
    let mut image = vec![[0; PAGE_WORDS]; usize::try_from(blocks).expect("small")];
    for write in 0..writes {
        let block = disk::block_of_write(seed, blocks, write).expect("a disk");
        image[usize::try_from(block).expect("small")] = stamped(seed, block, write + 1);
    }
    image
}

/// Versions after so many writes, replayed in parts of `part` blocks and `step` writes.
fn replayed(seed: u64, blocks: u64, writes: u64, part: usize, step: u64) -> Vec<u64> {
    let mut all = vec![0; usize::try_from(blocks).expect("small")];
    for (index, versions) in all.chunks_mut(part).enumerate() {
        let first = u64::try_from(index * part).expect("small");
        let mut from = 0;
        while from < writes {
            let to = (from + step).min(writes);
            disk::replay(seed, blocks, from, to, first, versions);
            from = to;
        }
    }
    all
}

proptest! {
    #[test]
    fn a_replay_says_what_a_written_disk_holds(
        seed: u64, blocks in 1_u64..40, writes in 0_u64..120, part in 1_usize..50, step in 1_u64..50,
    ) {
        let image = written(seed, blocks, writes);
        let versions = replayed(seed, blocks, writes, part, step);
        for ((block, held), version) in (0..).zip(&image).zip(versions) {
            prop_assert!(disk::holds(seed, block, version, |word| held[word]), "block {block}");
        }
    }

    #[test]
    fn a_write_left_out_is_found(
        seed: u64, blocks in 1_u64..40, writes in 1_u64..60, skipped in 0_u64..60,
    ) {
        let skipped = skipped % writes;
        let mut image = vec![[0; PAGE_WORDS]; usize::try_from(blocks).expect("small")];
        let target = |write| disk::block_of_write(seed, blocks, write).expect("a disk");
        for write in (0..writes).filter(|write| *write != skipped) {
            image[usize::try_from(target(write)).expect("small")] =
                stamped(seed, target(write), write + 1);
        }
        let versions = replayed(seed, blocks, writes, 64, writes);
        let wrong = (0..).zip(&image).zip(versions).filter(|((block, held), version)| {
            !disk::holds(seed, *block, *version, |word| held[word])
        });
        // Only a later write to the same block may hide it.
        let hidden = (skipped + 1..writes).any(|write| target(write) == target(skipped));
        prop_assert_eq!(wrong.count(), usize::from(!hidden));
    }

    #[test]
    fn one_flipped_bit_is_found(
        seed: u64, block: u64, version in 0_u64..1 << 40, word in 0..PAGE_WORDS, bit in 0_u32..64,
    ) {
        let mut memory =
            if version == 0 { [0; PAGE_WORDS] } else { stamped(seed, block, version) };
        prop_assert!(disk::holds(seed, block, version, |word| memory[word]));
        memory[word] ^= 1 << bit;
        prop_assert!(!disk::holds(seed, block, version, |word| memory[word]));
    }

    #[test]
    fn writes_stay_on_the_disk(seed: u64, blocks in 1_u64..1 << 40, write: u64) {
        prop_assert!(disk::block_of_write(seed, blocks, write).is_some_and(|block| block < blocks));
    }
}

#[test]
fn nothing_is_written_where_there_is_no_disk() {
    assert_eq!(disk::block_of_write(1, 0, 0), None);
    let mut versions = [0; 4];
    disk::replay(1, 0, 0, 100, 0, &mut versions);
    assert_eq!(versions, [0; 4]);
}

#[test]
fn disk_and_memory_of_one_seed_have_nothing_in_common() {
    let memory = |touch| pattern::page_of_touch(Pattern::Random, 7, 1 << 20, touch);
    let same = (0..1000).filter(|n| disk::block_of_write(7, 1 << 20, *n) == memory(*n)).count();
    assert_eq!(same, 0);
    let mut page = [0; PAGE_WORDS];
    content::write(Content::Random, 7, 3, 1, &mut page);
    assert!(stamped(7, 3, 1).iter().zip(&page).all(|(block, page)| block != page));
}

#[test]
fn writes_are_spread_evenly() {
    let (blocks, writes) = (16, 16_000);
    let mut hits = [0_u32; 16];
    for write in 0..writes {
        hits[usize::try_from(disk::block_of_write(3, blocks, write).expect("a disk"))
            .expect("small")] += 1;
    }
    // 1000 each, give or take five standard deviations.
    assert!(hits.iter().all(|hits| hits.abs_diff(1000) < 155), "{hits:?}");
}
