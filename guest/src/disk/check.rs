//! Reads the whole disk back and checks that it holds what it must, in small units.
//!
//! As for memory, the writes are replayed on versions. There may be more blocks than room for
//! versions, so it is done in parts: as many blocks as there is room for, then the next.

use wire::{DiskVerification, disk};

use super::{Done, READ_BLOCKS, Writes};

/// Versions cleared, or writes replayed, before the caller gets to look at the clock again.
const UNIT_VERSIONS: usize = 16 * 1024;
const UNIT_WRITES: u64 = 1024;

enum Stage {
    /// Waiting for the answers to all writes.
    Drain,
    /// Clearing the versions that were used for something else.
    Clear { next: usize },
    /// Replaying writes.
    Replay { next: u64 },
    /// Reading blocks and comparing them: those below have been asked for.
    Read { next: u64 },
}

/// A check under way.
pub struct Check {
    stage: Stage,
    /// The blocks of this part.
    first: u64,
    end: u64,
    /// Blocks of this part that have been answered.
    answered: u64,
    found: DiskVerification,
}

impl Check {
    /// Begins to check.
    pub fn new() -> Self {
        let found = DiskVerification { first_wrong_block: u64::MAX, ..DiskVerification::default() };
        Self { stage: Stage::Drain, first: 0, end: 0, answered: 0, found }
    }

    /// Does some of the check, with `versions` to work in; what was found once all is done.
    pub fn step(&mut self, writes: &mut Writes, versions: &mut [u64]) -> Option<DiskVerification> {
        match self.stage {
            Stage::Drain => {
                writes.collect();
                if !writes.disk.is_busy() {
                    if !writes.disk.flush() {
                        writes.errors = writes.errors.saturating_add(1);
                    }
                    self.found.writes = writes.acknowledged();
                    self.found.errors = writes.errors();
                    return self.begin_part(0, writes, versions.len());
                }
            }
            Stage::Clear { next } => {
                let all = (self.end - self.first) as usize;
                let end = (next + UNIT_VERSIONS).min(all);
                versions[next..end].fill(0);
                self.stage = Stage::Clear { next: end };
                if end == all {
                    self.stage = Stage::Replay { next: 0 };
                }
            }
            Stage::Replay { next } => {
                let end = (next + UNIT_WRITES).min(writes.taken());
                let part = &mut versions[..(self.end - self.first) as usize];
                disk::replay(writes.seed, writes.blocks, next, end, self.first, part);
                self.stage = Stage::Replay { next: end };
                if end == writes.taken() {
                    self.stage = Stage::Read { next: self.first };
                }
            }
            Stage::Read { next } => return self.read(next, writes, versions),
        }
        None
    }

    /// Turns to the blocks from `first` on; what was found when there are none.
    fn begin_part(&mut self, first: u64, writes: &Writes, room: usize) -> Option<DiskVerification> {
        self.first = first;
        self.end = (first + room as u64).min(writes.blocks);
        self.answered = 0;
        self.stage = Stage::Clear { next: 0 };
        (first == writes.blocks).then_some(self.found)
    }

    /// Asks for some blocks, or compares some that have come.
    fn read(
        &mut self,
        next: u64,
        writes: &mut Writes,
        versions: &[u64],
    ) -> Option<DiskVerification> {
        let blocks = (self.end - next).min(READ_BLOCKS as u64);
        if blocks > 0 && writes.disk.read(next, blocks as usize) {
            self.stage = Stage::Read { next: next + blocks };
        }
        if let Some(done) = writes.disk.done() {
            self.answered += done.blocks as u64;
            if done.succeeded {
                self.compare(&done, writes, versions);
            } else {
                self.found.blocks_unreadable += done.blocks as u64;
            }
        }
        if self.first + self.answered < self.end {
            return None;
        }
        self.begin_part(self.end, writes, versions.len())
    }

    fn compare(&mut self, done: &Done, writes: &Writes, versions: &[u64]) {
        for index in 0..done.blocks {
            let block = done.first_block + index as u64;
            let version = versions[(block - self.first) as usize];
            self.found.blocks_checked += 1;
            if !disk::holds(writes.seed, block, version, writes.disk.words(done, index)) {
                self.found.blocks_wrong += 1;
                self.found.first_wrong_block = self.found.first_wrong_block.min(block);
            }
        }
    }
}
