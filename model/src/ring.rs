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
    /// How often it is touched over per second.
    turns_per_s: f64,
    /// What sending it costs, now.
    cost: Cost,
}

/// What sending a stretch of memory costs.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Bytes on the stream for a byte of it.
    share: f64,
    /// Seconds for a byte of it.
    per_byte_s: f64,
    /// Bytes of it that are sent per second: the same once more, because division is slow.
    bytes_per_s: f64,
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
    /// The share of that segment which lies ahead of it.
    to_go: f64,
    /// Dirty bytes ahead of it in that segment.
    ahead: f64,
    /// All dirty bytes.
    pending: f64,
    /// What the working set costs from the first reading on.
    again: Cost,
    /// Payload per second, bytes.
    bytes_per_s: f64,
    /// Whether it does not matter where in the working set the sender is.
    anywhere: bool,
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
        let bytes_per_s = scenario.live_bytes_per_s();
        // What costs less than itself on the stream has been looked at: zeros, differences.
        let cost = |share: f64| {
            let looking = if share < 1.0 { 1.0 / scenario.costs.scan_bytes_per_s } else { 0.0 };
            let per_byte_s = share / bytes_per_s + looking;
            Cost { share, per_byte_s, bytes_per_s: 1.0 / per_byte_s }
        };
        let segment = |part: Part, cost: Cost| Segment {
            part,
            swept,
            dirty: part.bytes,
            trail: part.bytes,
            turns_per_s: if part.bytes > 0.0 { part.touch_bytes_per_s / part.bytes } else { 0.0 },
            cost,
        };
        let first = cost(scenario.first_share());
        let mut segments = [
            segment(parts[0], first),
            segment(parts[1], first),
            segment(cold, cost(PAGE_SHARE)),
            segment(zero, cost(ZERO_SHARE)),
        ];
        let ahead = segments[0].dirty;
        segments[0].dirty = 0.0;
        Self {
            segments,
            at: 0,
            to_go: 1.0,
            ahead,
            pending: filled + zero.bytes,
            again: cost(scenario.again_share()),
            bytes_per_s,
            anywhere: !swept && parts[1].bytes <= 0.0,
        }
    }

    /// Dirty bytes, as the last reading and what has been sent since have it. Zero pages count
    /// in full.
    pub const fn pending_bytes(&self) -> f64 {
        self.pending
    }

    /// What sending all that is dirty would put on the stream, bytes.
    pub fn stream_bytes(&self) -> f64 {
        let dirty: f64 =
            self.segments.iter().map(|segment| segment.dirty * segment.cost.share).sum();
        dirty + self.ahead * self.segments[self.at].cost.share
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
                (ahead, ahead_bytes) = (self.ahead, self.to_go * bytes);
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
                let share = 1.0 - (-segment.turns_per_s * rate * seconds).exp();
                ((ahead_bytes - ahead) * share, (bytes - ahead_bytes - segment.dirty) * share)
            };
            segment.dirty += new_behind;
            if index == self.at {
                self.ahead += new_ahead;
            }
            newly += new_ahead + new_behind;
            segment.cost = self.again;
            if self.anywhere && index == self.at {
                self.ahead += std::mem::take(&mut segment.dirty);
                self.to_go = 1.0;
            }
        }
        self.pending += newly;
        newly
    }

    /// Dirty bytes ahead of the sender, in this segment and those behind it, as far as they cost
    /// what ordinary pages do: while they are sent, the bandwidth is what it seems.
    pub fn plain_ahead_bytes(&self) -> f64 {
        if self.segments[self.at].cost.share < 1.0 {
            return 0.0;
        }
        let mut bytes = self.ahead;
        for segment in &self.segments[self.at + 1..] {
            if segment.cost.share < 1.0 && segment.dirty > 0.0 {
                break;
            }
            bytes += segment.dirty;
        }
        bytes
    }

    /// Whether all that is dirty lies in a working set of which each page is touched alike, and
    /// which costs what ordinary pages do.
    pub fn is_even(&self) -> bool {
        self.anywhere && self.at == 0 && self.pending == self.ahead && self.again.share >= 1.0
    }

    /// Whether the sender is where it was in the other, and as much is dirty everywhere, but for
    /// `share` of all that is.
    pub fn is_like(&self, other: &Self, share: f64) -> bool {
        let near = |one: f64, another: f64| (one - another).abs() <= share * self.pending;
        let alike = |(one, another): (&Segment, &Segment)| {
            near(one.dirty, another.dirty) && near(one.trail, another.trail)
        };
        self.at == other.at
            && (self.to_go - other.to_go).abs() <= share
            && near(self.ahead, other.ahead)
            && self.segments.iter().zip(&other.segments).all(alike)
    }

    /// Sends what an even working set holds but `left` bytes, and reads the bitmap `seconds` after
    /// the last reading: what [`Ring::send`] and [`Ring::read`] come to then. Answers what is dirty.
    pub fn even_round(&mut self, left_bytes: f64, seconds: f64) -> f64 {
        let Segment { part, turns_per_s, .. } = &self.segments[0];
        let share = 1.0 - (-turns_per_s * seconds).exp();
        self.ahead = left_bytes + (part.bytes - left_bytes) * share;
        self.pending = self.ahead;
        self.pending
    }

    /// Seconds that a byte of memory takes where the sender is.
    pub fn per_byte_s(&self) -> f64 {
        self.segments[self.at].cost.per_byte_s
    }

    /// Bytes of memory that are sent in so many seconds where the sender is.
    pub fn bytes_in(&self, seconds: f64) -> f64 {
        seconds * self.segments[self.at].cost.bytes_per_s
    }

    /// Sends for at most `seconds`, the first `free_bytes` in no time (they go into an empty
    /// socket). Ends early when nothing is dirty any more.
    pub fn send(&mut self, seconds: f64, free_bytes: f64) -> Sent {
        // What the free bytes save, in time, is added to what there is.
        let (mut left_s, mut free_s) = (seconds, free_bytes / self.bytes_per_s);
        let mut sent = Sent::default();
        loop {
            let segment = &self.segments[self.at];
            let bytes = self.ahead.min((left_s + free_s) * segment.cost.bytes_per_s);
            let needed_s = bytes * segment.cost.per_byte_s;
            let saved_s = needed_s.min(free_s);
            sent.stream_bytes += bytes * segment.cost.share;
            sent.seconds += needed_s - saved_s;
            if !self.anywhere && bytes > 0.0 {
                self.to_go *= (self.ahead - bytes) / self.ahead;
            }
            self.ahead -= bytes;
            self.pending -= bytes;
            free_s -= saved_s;
            left_s -= needed_s - saved_s;
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
                self.to_go = 1.0;
                self.ahead = std::mem::take(&mut self.segments[next].dirty);
                return true;
            }
        }
        false
    }
}
