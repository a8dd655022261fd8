//! The guest's memory as the sender goes around it, in the order of addresses.

use crate::{
    Part, Scenario, Writer,
    scenario::{PAGE_SHARE, ZERO_SHARE},
};

/// Working set (at most two parts), what nobody touches, zero pages.
const SEGMENTS: usize = 4;

/// A stretch of memory whose pages are alike.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Its size and how fast it is touched.
    part: Part,
    /// Whether the touches go through it in order.
    swept: bool,
    /// Dirty bytes, but those still ahead of the sender.
    dirty: f64,
    /// The part of it that a sweep has been through of late: where its dirty pages lie.
    trail: f64,
    /// Bytes on the stream for a byte of it, now.
    share: f64,
    /// Bytes looked at per second beside sending; infinite where that costs nothing.
    scan_bytes_per_s: f64,
}

/// Bytes and seconds of a piece of sending.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    /// On the stream.
    pub stream_bytes: f64,
    /// Of time.
    pub seconds: f64,
}

/// The memory, what of it is dirty, and where the sender is.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
    segments: [Segment; SEGMENTS],
    /// The segment the sender is in.
    at: usize,
    /// The share of that segment which it has been through.
    passed: f64,
    /// Dirty bytes ahead of it in that segment.
    ahead: f64,
    /// All dirty bytes.
    pending: f64,
    /// What a byte of the working set costs from the second reading on.
    again_share: f64,
}

impl Ring {
    /// All of it dirty, the sender at its beginning.
    pub fn new(scenario: &Scenario) -> Self {
        let nothing = Part { bytes: 0.0, touch_bytes_per_s: 0.0 };
        let set = scenario.writer.working_set_bytes();
        let filled = (scenario.memory_bytes - scenario.zero_bytes).max(set);
        let (parts, swept) = match scenario.writer {
            // Without a working set of its own it goes through all that is filled.
            Writer::Linear { touch_bytes_per_s } => {
                ([Part { bytes: filled, touch_bytes_per_s }, nothing], true)
            }
            Writer::Sweep(part) => ([part, nothing], true),
            Writer::Uniform(part) => ([part, nothing], false),
            Writer::TwoSpeed(parts) => (parts, false),
        };
        let written = parts[0].bytes + parts[1].bytes;
        let cold = Part { bytes: filled - written, touch_bytes_per_s: 0.0 };
        let zero =
            Part { bytes: (scenario.memory_bytes - filled).max(0.0), touch_bytes_per_s: 0.0 };
        let scan = scenario.costs.scan_bytes_per_s;
        let first_share = scenario.first_share();
        let again_share = scenario.again_share();
        let segment = |part: Part, share: f64| Segment {
            part,
            swept,
            dirty: part.bytes,
            trail: part.bytes,
            share,
            scan_bytes_per_s: if share < 1.0 { scan } else { f64::INFINITY },
        };
        let mut segments = [
            segment(parts[0], first_share),
            segment(parts[1], first_share),
            segment(cold, PAGE_SHARE),
            segment(zero, ZERO_SHARE),
        ];
        if again_share < first_share {
            segments[0].scan_bytes_per_s = scan;
            segments[1].scan_bytes_per_s = scan;
        }
        let ahead = segments[0].dirty;
        segments[0].dirty = 0.0;
        let pending = filled + zero.bytes;
        Self { segments, at: 0, passed: 0.0, ahead, pending, again_share }
    }

    /// Dirty bytes, as the last reading and what has been sent since have it. Zero pages count
    /// in full.
    pub const fn pending_bytes(&self) -> f64 {
        self.pending
    }

    /// What sending all that is dirty would put on the stream, bytes.
    pub fn stream_bytes(&self) -> f64 {
        let dirty: f64 = self.segments.iter().map(|segment| segment.dirty * segment.share).sum();
        dirty + self.ahead * self.segments[self.at].share
    }

    /// Reads the dirty bitmap `seconds` after the last reading; the guest has touched at `rate`
    /// of its full rate. Answers how many bytes became dirty that were not.
    ///
    /// A page that was unsent when it was touched again is dirty once.
    pub fn read(&mut self, seconds: f64, rate: f64) -> f64 {
        let mut newly = 0.0;
        for (index, segment) in self.segments.iter_mut().enumerate().take(2) {
            let Part { bytes, touch_bytes_per_s } = segment.part;
            if bytes <= 0.0 || touch_bytes_per_s <= 0.0 {
                continue;
            }
            let touched = touch_bytes_per_s * rate * seconds;
            let (mut ahead, mut ahead_bytes) = (0.0, 0.0);
            if index == self.at {
                (ahead, ahead_bytes) = (self.ahead, (1.0 - self.passed) * bytes);
            }
            let (new_ahead, new_behind) = if segment.swept {
                // The sweep comes upon unsent pages only where it has been around: the oldest of
                // its trail first. Where the sender is on that way is left to chance.
                let swept = touched.min(bytes);
                let unsent = segment.dirty + ahead;
                let room = (bytes - segment.trail).max(0.0);
                let again = ((touched - room) / segment.trail.max(1.0)).clamp(0.0, 1.0);
                let new = (swept - unsent * again).clamp(0.0, bytes - unsent);
                segment.trail = (swept + unsent).min(bytes);
                let before = ahead_bytes / bytes;
                (new * before, new * (1.0 - before))
            } else {
                let share = 1.0 - (-touched / bytes).exp();
                ((ahead_bytes - ahead) * share, (bytes - ahead_bytes - segment.dirty) * share)
            };
            segment.dirty += new_behind;
            if index == self.at {
                self.ahead += new_ahead;
            }
            newly += new_ahead + new_behind;
            segment.share = self.again_share;
        }
        self.pending += newly;
        newly
    }

    /// Seconds per dirty byte of a segment.
    fn seconds_per_byte(segment: &Segment, bytes_per_s: f64) -> f64 {
        segment.share / bytes_per_s + 1.0 / segment.scan_bytes_per_s
    }

    /// How many whole steps of `step_s` stay within what is dirty ahead of the sender in its
    /// segment, and leave at least `floor_bytes` dirty in all.
    pub fn whole_steps(&self, step_s: f64, bytes_per_s: f64, floor_bytes: f64) -> f64 {
        let step_bytes = step_s / Self::seconds_per_byte(&self.segments[self.at], bytes_per_s);
        (self.ahead.min(self.pending - floor_bytes) / step_bytes).floor()
    }

    /// Sends for at most `seconds`, the first `free_bytes` in no time (they go into an empty
    /// socket). Ends early when nothing is dirty any more.
    pub fn send(&mut self, seconds: f64, bytes_per_s: f64, free_bytes: f64) -> Sent {
        let (mut left_s, mut free, mut sent) = (seconds, free_bytes, Sent::default());
        loop {
            let segment = &self.segments[self.at];
            let per_byte = Self::seconds_per_byte(segment, bytes_per_s);
            // What the free bytes save, in time, is added to what there is.
            let free_s = free / bytes_per_s;
            let bytes = self.ahead.min((left_s + free_s) / per_byte);
            let needed_s = bytes * per_byte;
            let saved_s = needed_s.min(free_s);
            let stream_bytes = bytes * segment.share;
            self.passed += (1.0 - self.passed) * (bytes / self.ahead.max(1.0)).min(1.0);
            self.ahead -= bytes;
            self.pending -= bytes;
            free -= saved_s * bytes_per_s;
            left_s -= needed_s - saved_s;
            sent.stream_bytes += stream_bytes;
            sent.seconds += needed_s - saved_s;
            if self.ahead > 0.0 || left_s <= 0.0 {
                break;
            }
            if !self.advance() {
                // What rounding has left of it is nothing.
                self.pending = 0.0;
                break;
            }
        }
        sent
    }

    /// Goes on to the next segment that has something dirty; `false` when none has.
    fn advance(&mut self) -> bool {
        for step in 1..=SEGMENTS {
            let next = (self.at + step) % SEGMENTS;
            if self.segments[next].dirty > 0.0 {
                self.at = next;
                self.passed = 0.0;
                self.ahead = std::mem::take(&mut self.segments[next].dirty);
                return true;
            }
        }
        false
    }
}
