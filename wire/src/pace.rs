//! When things are due: touches at a rate, heartbeats on a grid. Exact integers, no drift.

/// A workload that is behind by more than this gives up what is older and counts it as dropped.
pub const CATCH_UP_MS: u64 = 50;

const NS_PER_S: u64 = 1_000_000_000;

/// Paces touches by time: after `t` seconds `floor(rate x t)` touches have been either done,
/// dropped or are still due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    per_s: u64,
    done: u64,
    dropped: u64,
}

impl Pace {
    /// A pace of `per_s` touches a second, nothing done yet.
    #[must_use]
    pub const fn new(per_s: u32) -> Self {
        Self { per_s: per_s as u64, done: 0, dropped: 0 }
    }

    /// Touches due now, `elapsed_ns` nanoseconds after the beginning, at most what falls due in
    /// [`CATCH_UP_MS`] (and at least one): what is older is counted as dropped.
    pub const fn due(&mut self, elapsed_ns: u64) -> u64 {
        let backlog = self.fallen_due(elapsed_ns).saturating_sub(self.done + self.dropped);
        let most = (self.per_s * CATCH_UP_MS).div_ceil(1000);
        if backlog > most {
            self.dropped += backlog - most;
            most
        } else {
            backlog
        }
    }

    /// Counts `touches` of the due ones as done.
    pub const fn record(&mut self, touches: u64) {
        self.done += touches;
    }

    /// Touches done.
    #[must_use]
    pub const fn done(&self) -> u64 {
        self.done
    }

    /// Touches given up.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// `floor(per_s x elapsed)`, without overflow for 2^32 seconds at any rate: whole seconds
    /// and the rest are multiplied apart.
    const fn fallen_due(&self, elapsed_ns: u64) -> u64 {
        self.per_s * (elapsed_ns / NS_PER_S) + self.per_s * (elapsed_ns % NS_PER_S) / NS_PER_S
    }
}

/// A fixed grid of moments. One that was missed is skipped, never made up for by a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    next_ns: u64,
    interval_ns: u64,
}

impl Grid {
    /// A grid whose first moment is `start_ns` and whose others follow each `interval_us`;
    /// `None` for an interval of 0, which means never.
    #[must_use]
    pub const fn new(start_ns: u64, interval_us: u32) -> Option<Self> {
        if interval_us == 0 {
            None
        } else {
            Some(Self { next_ns: start_ns, interval_ns: interval_us as u64 * 1000 })
        }
    }

    /// The next moment of the grid, nanoseconds.
    #[must_use]
    pub const fn next_ns(&self) -> u64 {
        self.next_ns
    }

    /// Whether a moment of the grid has come since the last one taken, and takes it: the next
    /// one is the first that lies after `now_ns`.
    pub const fn take(&mut self, now_ns: u64) -> bool {
        if now_ns < self.next_ns {
            return false;
        }
        let missed = (now_ns - self.next_ns) / self.interval_ns;
        self.next_ns += (missed + 1) * self.interval_ns;
        true
    }
}
