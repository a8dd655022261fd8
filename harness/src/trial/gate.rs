//! The gate: a migration begins only when the workload measurably does what it was asked, and
//! the heartbeats are steady enough to time an outage by them.
//!
//! Judged over the newest window of beats; a window that fails may be followed by one that
//! passes, until the deadline. Nothing here waits or measures: it looks at beats.

use super::witness::Beat;
use crate::experiment::Steadiness;
use std::time::Duration;
use wire::State;

/// Beats that a window holds at least.
pub const MIN_BEATS: usize = 1000;
/// Time that a window spans at least.
pub const MIN_SPAN: Duration = Duration::from_secs(1);
/// Touches, and disk writes, that must be due within a window, so that one more or less is half a
/// percent.
const MIN_DUE: f64 = 200.0;

/// What the guest was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Pages touched per second.
    pub touch_pages_per_s: u32,
    /// Blocks written to the disk per second.
    pub disk_blocks_per_s: u32,
    /// From one beat to the next.
    pub interval: Duration,
    /// How much of that it must do, and how steadily.
    pub steadiness: Steadiness,
}

/// What the gate found in the window it opened on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opened {
    /// Index (in what was judged) of the window's first beat.
    pub first: usize,
    /// Index of its last.
    pub last: usize,
    /// Touch rate achieved, pages per second of the witness's clock.
    pub touch_pages_per_s: f64,
    /// 99.9th percentile of the spacing less the interval, milliseconds.
    pub jitter_ms: f64,
}

/// What the gate says.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The window is still too short.
    TooEarly,
    /// Not now, and why.
    Closed(String),
    /// Go.
    Open(Opened),
}

/// How long a window must span for these rates.
#[must_use]
pub fn span(asked: &Asked) -> Duration {
    let rates = [asked.touch_pages_per_s, asked.disk_blocks_per_s].into_iter();
    let spans = rates
        .filter(|rate| *rate > 0)
        .map(|rate| Duration::from_secs_f64(MIN_DUE / f64::from(rate)));
    spans.fold(MIN_SPAN, Duration::max)
}

/// Judges the newest sufficient window of `beats` of a guest that was asked for this.
#[must_use]
pub fn judge(beats: &[Beat], asked: &Asked) -> Verdict {
    let (Some(last), needed_ns) = (beats.last(), span(asked).as_nanos()) else {
        return Verdict::TooEarly;
    };
    let steady_from =
        beats.iter().rposition(|beat| beat.state != State::Steady).map_or(0, |i| i + 1);
    let long_enough = |first: usize| {
        beats.len() - first >= MIN_BEATS
            && u128::from(last.observer_ns - beats[first].observer_ns) >= needed_ns
    };
    // Spans shrink as the window begins later, so the latest sufficient one is found by halving.
    let candidates = steady_from..beats.len().saturating_sub(MIN_BEATS - 1).max(steady_from);
    let first = partition_point(candidates, long_enough);
    let Some(first) = first else { return Verdict::TooEarly };
    judge_window(beats, first, asked)
}

/// The last index of `range` that holds, where all that hold come first; `None` when none does.
fn partition_point(range: std::ops::Range<usize>, holds: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    (low > range.start).then(|| low - 1)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nanoseconds and pages of seconds are far below 2^53"
)]
fn judge_window(beats: &[Beat], first: usize, asked: &Asked) -> Verdict {
    let window = &beats[first..];
    let (Some(begin), Some(end)) = (window.first(), window.last()) else {
        return Verdict::TooEarly;
    };
    let seconds = (end.observer_ns - begin.observer_ns) as f64 / 1e9;
    let achieved = end.pages_written.saturating_sub(begin.pages_written) as f64 / seconds;
    let off = deviation(achieved, asked.touch_pages_per_s);
    if off.abs() > asked.steadiness.touch_rate.fraction() {
        return Verdict::Closed(format!(
            "the workload touched {achieved:.0} pages/s instead of {} pages/s ({:+.1} %)",
            asked.touch_pages_per_s,
            off * 100.0
        ));
    }
    if end.disk_errors > 0 {
        return Verdict::Closed(format!(
            "the guest's disk answered {} writes with an error",
            end.disk_errors
        ));
    }
    let written = end.disk_writes.saturating_sub(begin.disk_writes) as f64 / seconds;
    let off = deviation(written, asked.disk_blocks_per_s);
    if off.abs() > asked.steadiness.disk_write_rate.fraction() {
        return Verdict::Closed(format!(
            "the disk took {written:.0} blocks/s instead of {} blocks/s ({:+.1} %)",
            asked.disk_blocks_per_s,
            off * 100.0
        ));
    }
    let sent = end.sequence.saturating_sub(begin.sequence) as f64;
    let lost = 1.0 - (window.len() - 1) as f64 / sent.max(1.0);
    if lost > asked.steadiness.heartbeats_lost.fraction() {
        return Verdict::Closed(format!("{:.1} % of the heartbeats did not arrive", lost * 100.0));
    }
    let mut spacing: Vec<u64> = window
        .windows(2)
        .map(|pair| pair[1].observer_ns.saturating_sub(pair[0].observer_ns))
        .collect();
    spacing.sort_unstable();
    let (interval_ms, p99_ms) =
        (asked.interval.as_secs_f64() * 1e3, percentile(&spacing, 0.99) / 1e6);
    if p99_ms > f64::from(asked.steadiness.spacing) * interval_ms {
        return Verdict::Closed(format!(
            "the heartbeats were not steady: 1 in 100 came {p99_ms:.1} ms or more after the one before, \
             instead of {interval_ms:.0} ms"
        ));
    }
    let jitter_ms = (percentile(&spacing, 0.999) / 1e6 - interval_ms).max(0.0);
    Verdict::Open(Opened { first, last: beats.len() - 1, touch_pages_per_s: achieved, jitter_ms })
}

/// By which share a rate is off; a rate of nothing may have next to nothing.
fn deviation(achieved: f64, asked: u32) -> f64 {
    if asked == 0 { achieved } else { achieved / f64::from(asked) - 1.0 }
}

/// The smallest value that at least this share of the sorted values do not exceed.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of a window are small"
)]
fn percentile(sorted: &[u64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(0) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Percent;

    /// Judges a guest that was asked for so many pages per second, and for no disk.
    fn judge(beats: &[Beat], touch_pages_per_s: u32) -> Verdict {
        super::judge(beats, &asked(touch_pages_per_s, 0))
    }

    fn asked(touch_pages_per_s: u32, disk_blocks_per_s: u32) -> Asked {
        let interval = Duration::from_millis(1);
        let steadiness = Steadiness::default();
        Asked { touch_pages_per_s, disk_blocks_per_s, interval, steadiness }
    }

    fn beats(count: u64, pages_per_beat: f64) -> Vec<Beat> {
        (0..count)
            .map(|i| Beat {
                observer_ns: i * 1_000_000,
                sequence: i,
                guest_ns: i * 1_000_000,
                state: State::Steady,
                pages_written: (i as f64 * pages_per_beat) as u64,
                pages_dropped: 0,
                disk_writes: 0,
                disk_errors: 0,
            })
            .collect()
    }

    #[test]
    fn a_second_of_steady_beats_at_the_asked_rate_opens() {
        assert_eq!(judge(&beats(1000, 5.0), 5000), Verdict::TooEarly);
        let Verdict::Open(opened) = judge(&beats(1500, 5.0), 5000) else { panic!("closed") };
        assert_eq!((opened.first, opened.last), (499, 1499));
        assert!((opened.touch_pages_per_s - 5000.0).abs() < 10.0, "{opened:?}");
        assert!(opened.jitter_ms < 1e-9, "{opened:?}");
    }

    #[test]
    fn a_rate_two_percent_off_keeps_it_closed() {
        for rate in [4.85, 5.15] {
            let verdict = judge(&beats(1500, rate), 5000);
            assert!(
                matches!(&verdict, Verdict::Closed(why) if why.contains("instead of 5000")),
                "{verdict:?}"
            );
        }
        assert!(matches!(judge(&beats(1500, 4.95), 5000), Verdict::Open(_)));
    }

    #[test]
    fn an_idle_guest_must_not_touch() {
        assert!(matches!(judge(&beats(1500, 0.0), 0), Verdict::Open(_)));
        assert!(matches!(judge(&beats(1500, 1.0), 0), Verdict::Closed(_)));
    }

    #[test]
    fn lost_and_unsteady_beats_keep_it_closed() {
        let mut lossy = beats(1600, 5.0);
        lossy.retain(|beat| beat.sequence % 50 != 0);
        assert!(matches!(judge(&lossy, 5000), Verdict::Closed(why) if why.contains("arrive")));
        let mut rough = beats(1500, 5.0);
        for beat in &mut rough {
            beat.observer_ns += (beat.sequence / 50) * 8_000_000;
        }
        assert!(matches!(judge(&rough, 5000), Verdict::Closed(_)));
    }

    #[test]
    fn what_is_asked_less_strictly_opens_it() {
        let mut lossy = beats(1600, 4.5);
        lossy.retain(|beat| beat.sequence % 50 != 0);
        for beat in &mut lossy {
            beat.observer_ns += (beat.sequence / 50) * 8_000_000;
        }
        let strict = Steadiness::default();
        let lax = Steadiness {
            touch_rate: Percent(40_000),
            heartbeats_lost: Percent(5_000),
            spacing: 20,
            ..strict
        };
        let opens = |steadiness| {
            let asked = Asked { steadiness, ..asked(5000, 0) };
            matches!(super::judge(&lossy, &asked), Verdict::Open(_))
        };
        assert!(opens(lax));
        // Each by itself keeps it closed.
        assert!(!opens(Steadiness { touch_rate: strict.touch_rate, ..lax }));
        assert!(!opens(Steadiness { heartbeats_lost: strict.heartbeats_lost, ..lax }));
        assert!(!opens(Steadiness { spacing: strict.spacing, ..lax }));
    }

    #[test]
    fn beats_before_the_workload_is_steady_do_not_count() {
        let mut beats = beats(1500, 5.0);
        beats[900].state = State::Filling;
        assert_eq!(judge(&beats, 5000), Verdict::TooEarly);
    }

    #[test]
    fn a_slow_workload_is_judged_over_a_longer_window() {
        assert_eq!(span(&asked(100, 0)), Duration::from_secs(2));
        assert_eq!(judge(&beats(1500, 0.1), 100), Verdict::TooEarly);
        assert!(matches!(judge(&beats(2100, 0.1), 100), Verdict::Open(_)));
    }

    #[test]
    fn a_disk_that_is_not_written_as_asked_keeps_it_closed() {
        let window = |disk_rate: u64, disk_errors: u32| {
            let mut beats = beats(1500, 5.0);
            for beat in &mut beats {
                beat.disk_writes = beat.sequence * disk_rate / 1000;
                beat.disk_errors = disk_errors;
            }
            super::judge(&beats, &asked(5000, 400))
        };
        assert!(matches!(window(400, 0), Verdict::Open(_)));
        assert!(matches!(window(390, 0), Verdict::Open(_)));
        for (rate, errors, why) in
            [(370, 0, "took 370 blocks/s instead of 400"), (0, 0, "took 0"), (400, 3, "answered 3")]
        {
            let verdict = window(rate, errors);
            assert!(
                matches!(&verdict, Verdict::Closed(words) if words.contains(why)),
                "{verdict:?}"
            );
        }
        // Nobody asked for what it writes.
        let mut beats = beats(1500, 5.0);
        beats.last_mut().expect("some").disk_writes = 9;
        assert!(matches!(judge(&beats, 5000), Verdict::Closed(_)));
        assert_eq!(span(&asked(5000, 50)), Duration::from_secs(4));
    }
}
