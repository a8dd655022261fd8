//! QEMU's migration thread: sends in steps, looks at what is left after each, reads the dirty
//! bitmap when that is below its threshold, and stops the guest when it still is.

use crate::{Case, Course, Policy, Scenario, Sync, driver::Driver, ring::Ring, scenario::WINDOW_S};

/// Numbers that differ by no more than this share of themselves do so by rounding.
const ALIKE: f64 = 1e-12;

/// How a migration goes in one case. Whole steps after which nothing is decided are taken at once
/// when `LEAPS`.
pub fn course<const LEAPS: bool>(
    scenario: &Scenario,
    ring: Ring,
    case: Case,
    mut see: impl FnMut(&Sync),
) -> Course {
    let mut sender = Sender::new(scenario, ring, case);
    see(&Sync { number: 1, at_s: 0.0, pending_bytes: sender.ring.pending_bytes() });
    if LEAPS {
        sender.launch();
    }
    let converged = loop {
        let pending = sender.ring.pending_bytes();
        if pending < sender.threshold_bytes {
            sender.read();
            let pending_bytes = sender.ring.pending_bytes();
            see(&Sync { number: sender.syncs, at_s: sender.now_s, pending_bytes });
            if pending_bytes <= sender.threshold_bytes {
                break true;
            }
            if LEAPS {
                sender.repeat(pending_bytes);
                if sender.even_rounds() {
                    break true;
                }
            }
        } else if pending <= 0.0 {
            // Sent before there was an estimate: the guest is stopped without a reading.
            sender.read_at_stop();
            break true;
        }
        if sender.now_s >= sender.end_s {
            break false;
        }
        if !(LEAPS && sender.leap()) {
            sender.step();
        }
        if let Some(driver) = &mut sender.driver {
            if driver.poll(sender.now_s, sender.ring.pending_bytes(), sender.sent_bytes) {
                sender.threshold_bytes *= 2.0;
            }
            if driver.timer_reads(sender.now_s, sender.syncs) {
                sender.read();
                let pending_bytes = sender.ring.pending_bytes();
                see(&Sync { number: sender.syncs, at_s: sender.now_s, pending_bytes });
            }
        }
    };
    sender.course(converged)
}

/// Steps whose number is nearer than this to a whole one are not trusted to be on either side.
const NEAR: f64 = 1e-6;

/// The whole part of a number; 0 below that, and at most what fits.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "that is meant")]
fn whole(number: f64) -> u32 {
    number as u32
}

/// Steps until so many seconds have passed.
fn steps_to(seconds: f64, step_s: f64) -> u32 {
    let steps = whole(seconds / step_s);
    if f64::from(steps) * step_s < seconds { steps + 1 } else { steps }
}

fn nearly(one: f64, other: f64) -> bool {
    (one - other).abs() <= ALIKE * other
}

struct Sender<'a> {
    scenario: &'a Scenario,
    ring: Ring,
    driver: Option<Driver>,
    step_s: f64,
    steps_per_s: f64,
    /// Steps after which the bandwidth is estimated anew.
    window_steps: u32,
    /// The first step is cut to this, which puts all others at another phase.
    first_step_s: f64,
    bytes_per_s: f64,
    /// How much the estimate of the bandwidth is off, as a factor.
    estimate: f64,
    /// Room in the socket that takes bytes in no time.
    free_bytes: f64,
    threshold_bytes: f64,
    now_s: f64,
    /// The migration is given up at this time.
    end_s: f64,
    /// Seconds since the last reading.
    since_s: f64,
    sent_bytes: f64,
    window_s: f64,
    window_bytes: f64,
    syncs: u32,
    round: Round,
    /// What was dirty at its beginning, once it began with as much as the one before it.
    round_ring: Option<Ring>,
}

/// How the round before began.
#[derive(Clone, Copy, Default)]
struct Round {
    pending_bytes: f64,
    at_s: f64,
    sent_bytes: f64,
}

impl<'a> Sender<'a> {
    fn new(scenario: &'a Scenario, ring: Ring, case: Case) -> Self {
        let bytes_per_s = scenario.live_bytes_per_s();
        let backlog = scenario.backlog_bytes();
        let step_s = scenario.step_s() * (1.0 + case.step);
        // The socket takes what is written to it in pieces of about a third of itself.
        let uneven = (backlog / 3.0 / (bytes_per_s * WINDOW_S)).min(0.3);
        Self {
            scenario,
            ring,
            driver: match scenario.policy {
                Policy::Qemu => None,
                Policy::Proxmox => Some(Driver::new()),
            },
            step_s,
            steps_per_s: 1.0 / step_s,
            window_steps: steps_to(WINDOW_S, step_s),
            first_step_s: step_s * case.phase,
            bytes_per_s,
            estimate: 1.0 + uneven * case.estimate,
            free_bytes: backlog,
            threshold_bytes: 0.0,
            now_s: 0.0,
            end_s: (scenario.max_time_s - scenario.costs.setup_s).max(0.0),
            since_s: 0.0,
            sent_bytes: 0.0,
            window_s: 0.0,
            window_bytes: 0.0,
            syncs: 1,
            round: Round::default(),
            round_ring: None,
        }
    }

    fn rate(&self) -> f64 {
        self.driver.as_ref().map_or(1.0, Driver::guest_rate)
    }

    fn limit_s(&self) -> f64 {
        self.scenario.downtime_limit_s * self.driver.as_ref().map_or(1.0, Driver::limit_factor)
    }

    fn read(&mut self) {
        let newly = self.ring.read(self.since_s, self.rate());
        self.since_s = 0.0;
        self.syncs += 1;
        if let Some(driver) = &mut self.driver {
            driver.counted(self.now_s, newly, self.sent_bytes);
        }
    }

    fn read_at_stop(&mut self) {
        self.ring.read(self.since_s, self.rate());
    }

    fn step(&mut self) {
        let seconds = std::mem::replace(&mut self.first_step_s, self.step_s);
        let sent = self.ring.send(seconds, self.free_bytes);
        self.free_bytes = 0.0;
        self.passed(sent.seconds, sent.stream_bytes);
        self.window_s += sent.seconds;
        self.window_bytes += sent.stream_bytes;
        if self.window_s >= WINDOW_S {
            let bytes_per_s = self.window_bytes / self.window_s * self.estimate;
            self.threshold_bytes = bytes_per_s * self.limit_s();
            (self.window_s, self.window_bytes) = (0.0, 0.0);
        }
    }

    fn passed(&mut self, seconds: f64, bytes: f64) {
        self.now_s += seconds;
        self.since_s += seconds;
        self.sent_bytes += bytes;
    }

    /// Whether the threshold is that of the full bandwidth, and the next estimate will be as well.
    fn is_steady(&self) -> bool {
        let full = self.bytes_per_s * self.estimate * self.limit_s();
        nearly(self.threshold_bytes, full)
            && nearly(self.window_bytes, self.window_s * self.bytes_per_s)
    }

    /// Takes at once all whole steps up to the next one after which something is decided, and
    /// says whether there were any. Only while the estimate of the bandwidth stays what it is.
    fn leap(&mut self) -> bool {
        if !self.is_steady() || self.first_step_s < self.step_s {
            return false;
        }
        let steps = self.undecided_steps(0.0, self.threshold_bytes);
        if steps == 0 {
            return false;
        }
        let sent = self.ring.send(f64::from(steps) * self.step_s, 0.0);
        self.passed(sent.seconds, sent.stream_bytes);
        // The steps that the window is old by, as if they had been taken one by one.
        let fill = steps_to(WINDOW_S - self.window_s, self.step_s);
        self.window_s = if steps < fill {
            self.window_s + f64::from(steps) * self.step_s
        } else {
            f64::from((steps - fill) % self.window_steps) * self.step_s
        };
        self.window_bytes = self.window_s * self.bytes_per_s;
        true
    }

    /// The same from the very beginning, over the first estimates of the bandwidth, when there is
    /// too much left for any of them to decide something.
    fn launch(&mut self) {
        let full = self.bytes_per_s * self.estimate * self.limit_s();
        let first_s = self.first_step_s + self.free_bytes / self.bytes_per_s;
        let steps = self.undecided_steps(first_s, full);
        let fill = steps_to(WINDOW_S - self.first_step_s, self.step_s);
        let filled_s = first_s + f64::from(fill) * self.step_s;
        // The first estimate is too high by what the socket took in no time, until the next.
        let highest = full * filled_s / (filled_s - first_s + self.first_step_s);
        let renewed_s = filled_s + f64::from(self.window_steps) * self.step_s;
        let left = self.ring.pending_bytes() - self.ring.bytes_in(renewed_s);
        if self.driver.is_some() || steps < fill + self.window_steps || left <= highest {
            return;
        }
        let seconds = self.first_step_s + f64::from(steps) * self.step_s;
        let sent = self.ring.send(seconds, self.free_bytes);
        self.passed(sent.seconds, sent.stream_bytes);
        (self.free_bytes, self.first_step_s) = (0.0, self.step_s);
        self.threshold_bytes = full;
        self.window_s = f64::from((steps - fill) % self.window_steps) * self.step_s;
        self.window_bytes = self.window_s * self.bytes_per_s;
    }

    /// How many whole steps can be taken at once after `first_s` of sending, with this threshold:
    /// as long as what costs as much as ordinary pages lies ahead.
    fn undecided_steps(&self, first_s: f64, threshold_bytes: f64) -> u32 {
        let steps_per_byte = self.ring.per_byte_s() * self.steps_per_s;
        let first = first_s * self.steps_per_s;
        let until_s = match &self.driver {
            Some(driver) => self.end_s.min(driver.next_s()),
            None => self.end_s,
        };
        let over = (self.ring.pending_bytes() - threshold_bytes) * steps_per_byte - first;
        let here = self.ring.plain_ahead_bytes() * steps_per_byte - first;
        let in_time = (until_s - self.now_s) * self.steps_per_s - first;
        let least = over.min(here).min(in_time);
        let steps = whole(least);
        let after = least - f64::from(steps);
        let room = here >= least + 1.0 && in_time >= least + 1.0;
        if over <= least && room && NEAR < after && after < 1.0 - NEAR {
            // The step that crosses the threshold is taken along, unless rounding might decide
            // it, or something else comes first.
            steps + 1
        } else if after < NEAR {
            steps.saturating_sub(1)
        } else {
            steps
        }
    }

    /// All rounds that are left, when nothing can come between: an even working set, a steady
    /// bandwidth, no driver. Whether it converged with them.
    fn even_rounds(&mut self) -> bool {
        if self.driver.is_some() || !self.ring.is_even() || !self.is_steady() {
            return false;
        }
        let step_bytes = self.ring.bytes_in(self.step_s);
        let steps_per_byte = self.ring.per_byte_s() * self.steps_per_s;
        let per_byte_s = self.ring.per_byte_s();
        let mut pending = self.ring.pending_bytes();
        loop {
            let steps = whole((pending - self.threshold_bytes) * steps_per_byte).saturating_add(1);
            let mut seconds = f64::from(steps) * self.step_s;
            if self.now_s + seconds - self.step_s >= self.end_s {
                // It is given up within this round, step by step.
                return false;
            }
            let mut left = pending - f64::from(steps) * step_bytes;
            if left <= 0.0 {
                // The last step ends early.
                (seconds, left) = (pending * per_byte_s, 0.0);
            }
            let before = pending;
            pending = self.ring.even_round(left, seconds);
            self.now_s += seconds;
            self.sent_bytes += seconds * self.bytes_per_s;
            self.syncs += 1;
            if pending <= self.threshold_bytes {
                return true;
            }
            if nearly(pending, before) {
                self.skip(seconds, seconds * self.bytes_per_s);
            }
        }
    }

    /// When a round begins as the one before did, all others until the end do.
    fn repeat(&mut self, pending_bytes: f64) {
        let now = Round { pending_bytes, at_s: self.now_s, sent_bytes: self.sent_bytes };
        let before = std::mem::replace(&mut self.round, now);
        if self.driver.is_some() || !nearly(pending_bytes, before.pending_bytes) {
            return;
        }
        // As much is dirty: is it the same?
        let was = self.round_ring.replace(self.ring);
        if self.is_steady() && was.is_some_and(|was| self.ring.is_like(&was, ALIKE)) {
            self.skip(now.at_s - before.at_s, now.sent_bytes - before.sent_bytes);
            (self.round.at_s, self.round.sent_bytes) = (self.now_s, self.sent_bytes);
        }
    }

    /// Takes at once all whole rounds of this kind that are left.
    fn skip(&mut self, round_s: f64, round_bytes: f64) {
        let rounds = whole((self.end_s - self.now_s) / round_s);
        self.now_s += f64::from(rounds) * round_s;
        self.sent_bytes += f64::from(rounds) * round_bytes;
        self.syncs = self.syncs.saturating_add(rounds);
    }

    fn course(&self, converged: bool) -> Course {
        let stop_bytes = self.ring.stream_bytes();
        let downtime_s = stop_bytes / self.scenario.link_bytes_per_s + self.scenario.stop_fixed_s();
        let setup_s = self.scenario.costs.setup_s;
        let (total_time_s, stream_bytes) = if converged {
            (setup_s + self.now_s + downtime_s, self.sent_bytes + stop_bytes)
        } else {
            // Cancelled: nothing is sent any more.
            (setup_s + self.now_s, self.sent_bytes)
        };
        Course {
            converged,
            rounds: (self.syncs - 1).max(1),
            sync_count: self.syncs + u32::from(converged),
            threshold_bytes: self.threshold_bytes,
            live_time_s: self.now_s,
            stop_bytes,
            downtime_s,
            total_time_s,
            stream_bytes,
            limit_factor: self.driver.as_ref().map_or(1.0, Driver::limit_factor),
            throttle_percent: self.driver.as_ref().map_or(0, Driver::throttle_percent),
        }
    }
}
