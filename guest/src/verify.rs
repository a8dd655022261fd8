//! Checks that memory holds what it must, in small units, and then the disk.
//!
//! Every touch is replayed on an array of versions, not on the pages: the array says which touch
//! wrote each page last, and that is what the page is then compared with.

use wire::{Config, DiskVerification, Verification, content, pattern};

use crate::disk::Writes;
use crate::memory::{Memory, image_checksum};

/// Versions cleared, touches replayed or pages checked before the caller gets to look at the
/// clock again: each some 20 to 50 microseconds under an emulator.
const UNIT_VERSIONS: u64 = 16 * 1024;
const UNIT_TOUCHES: u64 = 1024;
const UNIT_FILLED_PAGES: u64 = 8;
const UNIT_ZERO_PAGES: u64 = 16;

enum Stage {
    /// Clearing the versions that an earlier check left.
    Clear,
    /// Replaying touches.
    Replay,
    /// Comparing pages.
    Compare,
    /// Checking the disk.
    Disk,
}

/// A check under way.
pub struct Check {
    config: Config,
    touches: u64,
    image_checksum: u64,
    began_ns: u64,
    stage: Stage,
    next: u64,
    wrong: u64,
    first_wrong: u64,
}

impl Check {
    /// Begins to check memory after `touches` touches, and the image against its checksum at
    /// boot.
    pub const fn new(config: Config, touches: u64, image_checksum: u64, now_ns: u64) -> Self {
        Self {
            config,
            touches,
            image_checksum,
            began_ns: now_ns,
            stage: Stage::Clear,
            next: 0,
            wrong: 0,
            first_wrong: u64::MAX,
        }
    }

    /// Does some of the check; what was found once all is done.
    pub fn step(
        &mut self,
        memory: &mut Memory,
        writes: Option<&mut Writes>,
        now_ns: u64,
    ) -> Option<Verification> {
        match self.stage {
            Stage::Clear => self.clear(memory),
            Stage::Replay => self.replay(memory),
            Stage::Compare => {
                if self.compare(memory) {
                    self.stage = Stage::Disk;
                }
            }
            Stage::Disk => {
                let disk = match writes {
                    // Memory is done with the versions.
                    Some(writes) => writes.check_some(memory.versions)?,
                    None => DiskVerification::default(),
                };
                return Some(self.found(memory, disk, now_ns));
            }
        }
        None
    }

    fn found(&self, memory: &Memory, disk: DiskVerification, now_ns: u64) -> Verification {
        Verification {
            pages_written: self.touches,
            pages_checked: memory.region.pages(),
            pages_wrong: self.wrong,
            first_wrong_page: self.first_wrong,
            image_intact: image_checksum() == self.image_checksum,
            took_ns: now_ns - self.began_ns,
            disk,
        }
    }

    fn clear(&mut self, memory: &mut Memory) {
        let all = self.config.working_set_pages;
        let end = (self.next + UNIT_VERSIONS).min(all);
        memory.versions[self.next as usize..end as usize].fill(0);
        self.advance(end, all, Stage::Replay);
    }

    fn replay(&mut self, memory: &mut Memory) {
        let Config { pattern, seed, working_set_pages, .. } = self.config;
        let end = (self.next + UNIT_TOUCHES).min(self.touches);
        for touch in self.next..end {
            if let Some(page) = pattern::page_of_touch(pattern, seed, working_set_pages, touch) {
                memory.versions[page as usize] = touch + 1;
            }
        }
        self.advance(end, self.touches, Stage::Compare);
    }

    fn advance(&mut self, to: u64, end: u64, then: Stage) {
        self.next = to;
        if to == end {
            self.next = 0;
            self.stage = then;
        }
    }

    /// Compares some pages; whether all are done.
    fn compare(&mut self, memory: &Memory) -> bool {
        let Config { content, seed, filled_pages, working_set_pages, .. } = self.config;
        let pages = memory.region.pages();
        let end = if self.next < filled_pages {
            (self.next + UNIT_FILLED_PAGES).min(filled_pages)
        } else {
            (self.next + UNIT_ZERO_PAGES).min(pages)
        };
        for page in self.next..end {
            let held = memory.region.words(page);
            let right = if page >= filled_pages {
                content::is_zero(held)
            } else {
                let version =
                    if page < working_set_pages { memory.versions[page as usize] } else { 0 };
                content::holds(content, seed, page, version, held)
            };
            if !right {
                self.wrong += 1;
                self.first_wrong = self.first_wrong.min(page);
            }
        }
        self.next = end;
        end == pages
    }
}
