//! Filling pages and touching them, in small units, so that beats are never late for it.

use wire::{Config, Pace, Pattern, content, pattern};

use crate::memory::Region;

/// Pages written before the caller gets to look at the clock again.
const UNIT_PAGES: u64 = 8;

/// The workload as configured, and how far it has come.
pub struct Workload {
    config: Config,
    filled: u64,
    steady_since_ns: u64,
    pace: Pace,
}

impl Workload {
    /// A workload that begins with filling.
    pub fn new(config: Config) -> Self {
        let touches = match config.pattern {
            Pattern::Idle => 0,
            _ if config.working_set_pages == 0 => 0,
            _ => config.touch_pages_per_s,
        };
        Self { config, filled: 0, steady_since_ns: 0, pace: Pace::new(touches) }
    }

    /// What it was configured to do.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Pages filled.
    pub const fn filled(&self) -> u64 {
        self.filled
    }

    /// Touches done.
    pub const fn touches(&self) -> u64 {
        self.pace.done()
    }

    /// Touches given up.
    pub const fn dropped(&self) -> u64 {
        self.pace.dropped()
    }

    /// Fills some pages. `true` once all are filled: the workload is then steady from `now_ns`.
    pub fn fill_some(&mut self, region: &mut Region, now_ns: u64) -> bool {
        let Config { content, seed, filled_pages, .. } = self.config;
        let end = (self.filled + UNIT_PAGES).min(filled_pages);
        for page in self.filled..end {
            content::write(content, seed, page, 0, region.page(page));
        }
        self.filled = end;
        self.steady_since_ns = now_ns;
        end == filled_pages
    }

    /// Makes some of the touches that are due at `now_ns`. `false` when none was.
    pub fn touch_some(&mut self, region: &mut Region, now_ns: u64) -> bool {
        let Config { content, seed, working_set_pages, .. } = self.config;
        let due = self.pace.due(now_ns.saturating_sub(self.steady_since_ns)).min(UNIT_PAGES);
        let first = self.pace.done();
        for touch in first..first + due {
            let page = pattern::page_of_touch(self.config.pattern, seed, working_set_pages, touch);
            if let Some(page) = page {
                content::write(content, seed, page, touch + 1, region.page(page));
            }
        }
        self.pace.record(due);
        due > 0
    }
}
