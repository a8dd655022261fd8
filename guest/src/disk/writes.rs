//! Stamped blocks at a set pace, and their check.

use wire::{Config, DiskVerification, Pace, disk};

use super::{Check, Disk};

/// The writes as configured, and how far they have come.
pub struct Writes {
    /// What is written to.
    pub(super) disk: Disk,
    pub(super) seed: u64,
    pub(super) blocks: u64,
    since_ns: u64,
    pace: Pace,
    acknowledged: u64,
    pub(super) errors: u32,
    /// A check under way.
    check: Option<Check>,
}

impl Writes {
    /// Writes to the disk's first blocks, as many as `config` says (it has them), once
    /// [`Self::begin`] is called.
    pub fn new(disk: Disk, config: &Config) -> Self {
        Self {
            disk,
            seed: config.seed,
            blocks: config.disk_blocks,
            since_ns: 0,
            pace: Pace::new(config.disk_writes_per_s),
            acknowledged: 0,
            errors: 0,
            check: None,
        }
    }

    /// From when on writes are due.
    pub const fn begin(&mut self, now_ns: u64) {
        self.since_ns = now_ns;
    }

    /// Writes that the disk has taken: their numbers are below this.
    pub(super) const fn taken(&self) -> u64 {
        self.pace.done()
    }

    /// Writes that were seen acknowledged.
    pub const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Requests that were answered with an error.
    pub const fn errors(&self) -> u32 {
        self.errors
    }

    /// Looks for answers and begins a write that is due at `now_ns`. `false` when nothing of that
    /// was to do: also when a write is due and the disk still has too many.
    pub fn some(&mut self, now_ns: u64) -> bool {
        let answered = self.collect();
        if self.pace.due(now_ns.saturating_sub(self.since_ns)) == 0 {
            return answered;
        }
        let (seed, write) = (self.seed, self.pace.done());
        let Some(block) = disk::block_of_write(seed, self.blocks, write) else { return answered };
        let begun = self.disk.write(block, |page| disk::stamp(seed, block, write + 1, page));
        self.pace.record(u64::from(begun));
        begun || answered
    }

    /// Does some of a check of the disk, or begins one, with `versions` to work in; what was found
    /// once all is done. Nothing may be written meanwhile or afterwards.
    pub fn check_some(&mut self, versions: &mut [u64]) -> Option<DiskVerification> {
        let mut check = self.check.take().unwrap_or_else(Check::new);
        let found = check.step(self, versions);
        if found.is_none() {
            self.check = Some(check);
        }
        found
    }

    /// Takes the answers that have come; whether there was one.
    pub(super) fn collect(&mut self) -> bool {
        let mut any = false;
        while let Some(done) = self.disk.done() {
            any = true;
            if done.succeeded {
                self.acknowledged += 1;
            } else {
                self.errors = self.errors.saturating_add(1);
            }
        }
        any
    }
}
