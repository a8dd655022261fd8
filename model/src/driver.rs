//! What Proxmox and auto-converge do to a migration while it runs.

use crate::throttle;

/// Proxmox looks for the first time after this, seconds, and so until the end is near.
const POLL_S: f64 = 1.0;
/// Then it looks this often, seconds.
const NEAR_POLL_S: f64 = 0.1;
/// So many times what is left may have grown between two looks; at the next the limit doubles.
const MOST_GROWN: u32 = 5;
/// The limit is not doubled beyond so many times: 100 ms become 2000 s with fewer.
const MOST_DOUBLINGS: u32 = 15;
/// Auto-converge judges at readings this far apart at least, seconds.
const PERIOD_S: f64 = 1.0;
/// A guest that dirties more than this share of what was sent in a period is too fast.
const TRIGGER_SHARE: f64 = 0.5;
/// Periods of that kind until it is throttled further.
const TRIGGERS: u32 = 2;
/// Under auto-converge the bitmap is read at least this often, seconds (QEMU 9.2 and later).
const TIMER_S: f64 = 5.0;

/// State of both.
#[derive(Clone, Copy, Debug)]
pub struct Driver {
    next_poll_s: f64,
    polls: f64,
    near: bool,
    last_left: f64,
    last_sent: f64,
    grown: u32,
    doublings: u32,
    period_began_s: f64,
    period_sent: f64,
    period_dirtied: f64,
    triggers: u32,
    throttle_steps: u32,
    next_timer_s: f64,
    timer_syncs: u32,
}

impl Driver {
    pub const fn new() -> Self {
        Self {
            next_poll_s: POLL_S,
            polls: 0.0,
            near: false,
            last_left: f64::INFINITY,
            last_sent: 0.0,
            grown: 0,
            doublings: 0,
            period_began_s: 0.0,
            period_sent: 0.0,
            period_dirtied: 0.0,
            triggers: 0,
            throttle_steps: 0,
            next_timer_s: TIMER_S,
            timer_syncs: 1,
        }
    }

    /// Nothing happens before this time, seconds.
    pub const fn next_s(&self) -> f64 {
        self.next_poll_s.min(self.next_timer_s)
    }

    /// The share of its rate that the guest runs at.
    pub fn guest_rate(&self) -> f64 {
        1.0 - f64::from(throttle::percent_after(self.throttle_steps)) / 100.0
    }

    /// How many times the downtime limit is what it was.
    pub fn limit_factor(&self) -> f64 {
        f64::from(1_u32 << self.doublings)
    }

    /// Looks at the migration, when it is time to. Whether that doubled the downtime limit.
    pub fn poll(&mut self, now_s: f64, left_bytes: f64, sent_bytes: f64) -> bool {
        if now_s < self.next_poll_s {
            return false;
        }
        self.polls += 1.0;
        self.near |= left_bytes < sent_bytes / self.polls;
        self.next_poll_s = now_s + if self.near { NEAR_POLL_S } else { POLL_S };
        if sent_bytes <= self.last_sent {
            return false;
        }
        self.grown += u32::from(left_bytes > self.last_left || left_bytes <= 0.0);
        (self.last_left, self.last_sent) = (left_bytes, sent_bytes);
        let doubled = self.grown > MOST_GROWN && self.doublings < MOST_DOUBLINGS;
        if doubled {
            self.grown = 0;
            self.doublings += 1;
        }
        doubled
    }

    /// A reading of the dirty bitmap found `newly` bytes dirty.
    pub fn counted(&mut self, now_s: f64, newly_bytes: f64, sent_bytes: f64) {
        self.period_dirtied += newly_bytes;
        if now_s <= self.period_began_s + PERIOD_S {
            return;
        }
        if self.period_dirtied > (sent_bytes - self.period_sent) * TRIGGER_SHARE {
            self.triggers += 1;
            if self.triggers >= TRIGGERS {
                self.triggers = 0;
                self.throttle_steps += 1;
            }
        }
        (self.period_began_s, self.period_sent, self.period_dirtied) = (now_s, sent_bytes, 0.0);
    }

    /// Whether the timer reads the bitmap now: when nothing else has since it last looked, and
    /// the first round is over.
    pub fn timer_reads(&mut self, now_s: f64, syncs: u32) -> bool {
        if now_s < self.next_timer_s {
            return false;
        }
        self.next_timer_s = now_s + TIMER_S;
        let reads = syncs > 1 && syncs == self.timer_syncs;
        self.timer_syncs = syncs;
        reads
    }

    /// Percent of its time that the guest is kept asleep.
    pub const fn throttle_percent(&self) -> u32 {
        throttle::percent_after(self.throttle_steps)
    }
}
