//! Which workloads fit what was seen.
//!
//! A workload that writes `r` bytes of pages a second, each to any page of a working set `W`, has
//! dirtied `D(t) = W (1 − e^(−rt/W))` after a time `t`. Two windows `t` and `kt` give both: with
//! `x = e^(−rt/W)`, `D(kt)/D(t) = (1 − x^k)/(1 − x)`, which falls from `k` (nothing was written
//! twice: the working set is larger than what was seen) to 1 (everything was: it is written faster
//! than was looked).

use super::Range;
use crate::statistics::proportion::wilson;
use lab::hypervisor::proxmox::observe::Window;
use model::{Part, Writer};
use serde::Serialize;

const MIB: f64 = 1_048_576.0;
/// How sure it is that the true share of dirty pages lies between what is taken.
const CONFIDENCE: f64 = 0.95;
/// A working set that is seen to be written all over within the shortest window may be so this
/// many times within it: from about where that can be told (95 % of it) to ten times that.
const SATURATED_TURNS: [f64; 2] = [3.0, 30.0];
/// Halvings of the range of `x`.
const HALVINGS: u32 = 60;

/// Memory that was seen to be dirtied within a window of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// The window, seconds.
    pub seconds: f64,
    /// Distinct memory, bytes.
    pub dirtied_bytes: Range<f64>,
}

impl Seen {
    /// Of a measurement: what is cut off of the rate, and what samples may miss, is the range.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "samples and MiB are far below 2^53")]
    pub fn of(window: &Window, memory_bytes: f64) -> Self {
        let seconds = window.window_s as f64;
        let samples = (memory_bytes / MIB / 1024.0 * window.sample_pages_per_gib as f64).max(1.0);
        let share = |mib_per_s: f64| (mib_per_s * seconds * MIB / memory_bytes).clamp(0.0, 1.0);
        let rate = window.mib_per_s as f64;
        let (low, high) = (share(rate), share(rate + 1.0));
        let ends = |share: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of the samples, which are few"
            )]
            let (hits, all) = ((share * samples).round() as u64, samples.round() as u64);
            wilson(hits.min(all), all, CONFIDENCE).map_or((share, share), |it| (it.low, it.high))
        };
        // Nothing seen is most likely nothing.
        let middle = if window.mib_per_s == 0 { 0.0 } else { f64::midpoint(low, high) };
        Self {
            seconds,
            dirtied_bytes: Range {
                likely: middle * memory_bytes,
                least: ends(low).0.min(low) * memory_bytes,
                most: ends(high).1.max(high) * memory_bytes,
            },
        }
    }
}

/// How the windows fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Nothing was dirtied.
    Idle,
    /// As by random writes to a working set.
    Random,
    /// The longer window has no more than the shorter: the working set is written all over within
    /// that, nobody knows how fast.
    Saturated,
    /// The longer window has so much more that no page seems to be written twice: the working set
    /// may be all of the memory.
    Spreading,
}

/// All that fits what was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Writers {
    /// How the likely values fit.
    pub shape: Shape,
    /// What fits best first.
    pub parts: Vec<Part>,
}

/// The same, as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Dirtying {
    /// How the windows fit together.
    pub shape: Shape,
    /// Bytes of pages written a second, repeats included.
    pub touch_bytes_per_s: Range<f64>,
    /// The part of the memory that is written, bytes.
    pub working_set_bytes: Range<f64>,
}

impl Writers {
    /// Of what was seen in the shortest and in the longest window.
    #[must_use]
    pub fn of(seen: &[Seen], memory_bytes: f64) -> Self {
        let by_time = |a: &&Seen, b: &&Seen| a.seconds.total_cmp(&b.seconds);
        let ends = seen.iter().min_by(by_time).zip(seen.iter().max_by(by_time));
        let Some((short, long)) = ends else {
            return Self { shape: Shape::Idle, parts: vec![NOTHING] };
        };
        let pair = |first: f64, second: f64| {
            fitting([(short.seconds, first), (long.seconds, second)], memory_bytes)
        };
        let (first, second) = (short.dirtied_bytes, long.dirtied_bytes);
        let (shape, mut parts) = pair(first.likely, second.likely);
        for (first, second) in [
            (first.least, second.least),
            (first.most, second.most),
            (first.least, second.most),
            (first.most, second.least),
        ] {
            for part in pair(first, second).1 {
                if !parts.contains(&part) {
                    parts.push(part);
                }
            }
        }
        Self { shape, parts }
    }

    /// As it is told.
    #[must_use]
    pub fn dirtying(&self) -> Dirtying {
        let of = |value: fn(&Part) -> f64| {
            Range::of(self.parts.iter().map(value)).unwrap_or(Range::exactly(0.0))
        };
        Dirtying {
            shape: self.shape,
            touch_bytes_per_s: of(|part| part.touch_bytes_per_s),
            working_set_bytes: of(|part| part.bytes),
        }
    }

    /// Each as the model has it.
    pub fn writers(&self) -> impl Iterator<Item = Writer> {
        self.parts.iter().map(|part| match part.touch_bytes_per_s > 0.0 {
            true => Writer::Uniform(*part),
            false => Writer::IDLE,
        })
    }
}

const NOTHING: Part = Part { bytes: 0.0, touch_bytes_per_s: 0.0 };

/// What fits two points `(seconds, bytes)` of `D`; the likeliest first.
fn fitting([short, long]: [(f64, f64); 2], memory_bytes: f64) -> (Shape, Vec<Part>) {
    let (first, second) = (short.1.min(memory_bytes), long.1.min(memory_bytes));
    let times = long.0 / short.0;
    if first.max(second) <= 0.0 {
        return (Shape::Idle, vec![NOTHING]);
    }
    if second >= first * times {
        return (Shape::Spreading, vec![spread((long.0, second), memory_bytes)]);
    }
    let turns_to_rate = |set: f64, turns: f64| turns * set / short.0;
    let [least, most] = SATURATED_TURNS;
    if second > first {
        // The ratio falls as x grows from 0 to 1 … it is 1 at 0 and `times` at 1.
        let (mut low, mut high) = (0.0_f64, 1.0_f64);
        for _ in 0..HALVINGS {
            let x = f64::midpoint(low, high);
            let ratio = (1.0 - x.powf(times)) / (1.0 - x);
            if ratio < second / first { low = x } else { high = x }
        }
        let x = f64::midpoint(low, high);
        let (set, turns) = (first / (1.0 - x), -x.ln());
        if set >= memory_bytes {
            return (Shape::Spreading, vec![spread((long.0, second), memory_bytes)]);
        }
        if turns <= least {
            let part = Part { bytes: set, touch_bytes_per_s: turns_to_rate(set, turns) };
            return (Shape::Random, vec![part]);
        }
    }
    let set = first.max(second);
    let part = |turns| Part { bytes: set, touch_bytes_per_s: turns_to_rate(set, turns) };
    (Shape::Saturated, [(least * most).sqrt(), least, most].map(part).to_vec())
}

/// A writer all over the memory that has dirtied so much after so long.
fn spread((seconds, dirtied): (f64, f64), memory_bytes: f64) -> Part {
    let share = (dirtied / memory_bytes).min(0.999);
    let touch_bytes_per_s = -(-share).ln_1p() * memory_bytes / seconds;
    Part { bytes: memory_bytes, touch_bytes_per_s }
}
