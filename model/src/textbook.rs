//! The textbook model: a round sends everything that was dirty when it began, and the guest is
//! stopped when what was dirtied meanwhile fits the downtime limit.

use crate::{Course, PAGE_BYTES, PAGE_HEADER_BYTES, Writer, ZERO_PAGE_BYTES};

/// What the textbook model is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Textbook {
    /// Memory to migrate, zero pages included, bytes.
    pub memory_bytes: f64,
    /// The part of it that is zero pages in the first round, bytes.
    pub zero_bytes: f64,
    /// What the guest does.
    pub writer: Writer,
    /// Payload that is sent per second while the guest runs, bytes.
    pub bandwidth_bytes_per_s: f64,
    /// The same while the guest is stopped.
    pub stop_bandwidth_bytes_per_s: f64,
    /// The downtime that the sender aims at, seconds.
    pub downtime_limit_s: f64,
    /// From the beginning to the first byte, seconds.
    pub setup_s: f64,
    /// What the stop costs besides its bytes, seconds.
    pub stop_fixed_s: f64,
    /// Whether page headers and the bytes of zero pages count; textbooks leave them out.
    pub counts_headers: bool,
    /// After so many rounds it has not converged.
    pub most_rounds: u32,
}

/// One live round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextbookRound {
    /// Dirty when it began, bytes of memory.
    pub dirty_before_bytes: f64,
    /// Put on the stream, bytes.
    pub sent_bytes: f64,
    /// How long it took, seconds.
    pub time_s: f64,
    /// Dirty when it ended, bytes of memory.
    pub dirty_after_bytes: f64,
}

impl Textbook {
    /// Neither zero pages nor headers nor fixed costs, one bandwidth, at most 10,000 rounds.
    #[must_use]
    pub const fn new(
        memory_bytes: f64,
        bandwidth_bytes_per_s: f64,
        downtime_limit_s: f64,
        writer: Writer,
    ) -> Self {
        Self {
            memory_bytes,
            zero_bytes: 0.0,
            writer,
            bandwidth_bytes_per_s,
            stop_bandwidth_bytes_per_s: bandwidth_bytes_per_s,
            downtime_limit_s,
            setup_s: 0.0,
            stop_fixed_s: 0.0,
            counts_headers: false,
            most_rounds: 10_000,
        }
    }

    /// How the migration goes.
    #[must_use]
    pub fn course(&self) -> Course {
        self.course_seen(|_| {})
    }

    /// The same; shows each live round.
    pub fn course_seen(&self, mut see: impl FnMut(&TextbookRound)) -> Course {
        let threshold_bytes = self.bandwidth_bytes_per_s * self.downtime_limit_s;
        let mut dirty = self.memory_bytes - self.zero_bytes;
        let mut extra =
            if self.counts_headers { self.zero_bytes / PAGE_BYTES * ZERO_PAGE_BYTES } else { 0.0 };
        let (mut live_sent_bytes, mut live_time_s, mut rounds) = (0.0, 0.0, 0);
        while rounds < self.most_rounds && (rounds == 0 || dirty > threshold_bytes) {
            let sent_bytes = self.on_stream(dirty) + extra;
            extra = 0.0;
            let time_s = sent_bytes / self.bandwidth_bytes_per_s;
            let dirty_after_bytes = self.writer.dirtied_bytes(time_s).min(self.memory_bytes);
            let round =
                TextbookRound { dirty_before_bytes: dirty, sent_bytes, time_s, dirty_after_bytes };
            see(&round);
            live_sent_bytes += sent_bytes;
            live_time_s += time_s;
            dirty = dirty_after_bytes;
            rounds += 1;
        }
        let stop_bytes = self.on_stream(dirty);
        let downtime_s = stop_bytes / self.stop_bandwidth_bytes_per_s + self.stop_fixed_s;
        Course {
            converged: dirty <= threshold_bytes,
            rounds,
            sync_count: rounds + 2,
            threshold_bytes,
            live_time_s,
            stop_bytes,
            downtime_s,
            total_time_s: self.setup_s + live_time_s + downtime_s,
            stream_bytes: live_sent_bytes + stop_bytes,
            limit_factor: 1.0,
            throttle_percent: 0,
        }
    }

    fn on_stream(&self, bytes: f64) -> f64 {
        if self.counts_headers { bytes * (1.0 + PAGE_HEADER_BYTES / PAGE_BYTES) } else { bytes }
    }
}
