//! The gate: a migration begins only when the workload measurably does what it was asked, and
//! the heartbeats are steady enough to time an outage by them.
//!
//! Judged over the newest window of beats; a window that fails may be followed by one that
//! passes, until the deadline. Nothing here waits or measures: it looks at beats.

use super::witness::Beat;
use std::time::Duration;
use wire::State;

/// Beats that a window holds at least.
pub const MIN_BEATS: usize = 1000;
/// Time that a window spans at least.
pub const MIN_SPAN: Duration = Duration::from_secs(1);
/// Achieved touch rate over asked touch rate, less 1, at most.
pub const RATE_TOLERANCE: f64 = 0.02;
/// Touches that must be due within a window, so that one touch more or less is half a percent.
const MIN_TOUCHES: f64 = 200.0;
/// Beat spacing at the 99th percentile, in intervals, at most: an outage is known to about this.
const MAX_P99_INTERVALS: f64 = 5.0;
/// Share of beats that may be missing from a window.
const MAX_LOST: f64 = 0.01;

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

/// How long a window must span for this touch rate.
#[must_use]
pub fn span(touch_pages_per_s: u32) -> Duration {
    if touch_pages_per_s == 0 {
        return MIN_SPAN;
    }
    MIN_SPAN.max(Duration::from_secs_f64(MIN_TOUCHES / f64::from(touch_pages_per_s)))
}

/// Judges the newest sufficient window of `beats`, for a workload asked for `touch_pages_per_s`
/// and a beat every `interval`.
#[must_use]
pub fn judge(beats: &[Beat], touch_pages_per_s: u32, interval: Duration) -> Verdict {
    let (Some(last), needed_ns) = (beats.last(), span(touch_pages_per_s).as_nanos()) else {
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
    judge_window(beats, first, touch_pages_per_s, interval)
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
fn judge_window(beats: &[Beat], first: usize, asked: u32, interval: Duration) -> Verdict {
    let window = &beats[first..];
    let (Some(begin), Some(end)) = (window.first(), window.last()) else {
        return Verdict::TooEarly;
    };
    let seconds = (end.observer_ns - begin.observer_ns) as f64 / 1e9;
    let achieved = end.pages_written.saturating_sub(begin.pages_written) as f64 / seconds;
    let deviation = if asked == 0 { achieved } else { achieved / f64::from(asked) - 1.0 };
    if deviation.abs() > RATE_TOLERANCE {
        return Verdict::Closed(format!(
            "the workload touched {achieved:.0} pages/s instead of {asked} pages/s ({:+.1} %)",
            deviation * 100.0
        ));
    }
    let sent = end.sequence.saturating_sub(begin.sequence) as f64;
    let lost = 1.0 - (window.len() - 1) as f64 / sent.max(1.0);
    if lost > MAX_LOST {
        return Verdict::Closed(format!("{:.1} % of the heartbeats did not arrive", lost * 100.0));
    }
    let mut spacing: Vec<u64> = window
        .windows(2)
        .map(|pair| pair[1].observer_ns.saturating_sub(pair[0].observer_ns))
        .collect();
    spacing.sort_unstable();
    let (interval_ms, p99_ms) = (interval.as_secs_f64() * 1e3, percentile(&spacing, 0.99) / 1e6);
    if p99_ms > MAX_P99_INTERVALS * interval_ms {
        return Verdict::Closed(format!(
            "the heartbeats were not steady: 1 in 100 came {p99_ms:.1} ms or more after the one before, \
             instead of {interval_ms:.0} ms"
        ));
    }
    let jitter_ms = (percentile(&spacing, 0.999) / 1e6 - interval_ms).max(0.0);
    Verdict::Open(Opened { first, last: beats.len() - 1, touch_pages_per_s: achieved, jitter_ms })
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

    const INTERVAL: Duration = Duration::from_millis(1);

    fn beats(count: u64, pages_per_beat: f64) -> Vec<Beat> {
        (0..count)
            .map(|i| Beat {
                observer_ns: i * 1_000_000,
                sequence: i,
                guest_ns: i * 1_000_000,
                state: State::Steady,
                pages_written: (i as f64 * pages_per_beat) as u64,
                pages_dropped: 0,
            })
            .collect()
    }

    #[test]
    fn a_second_of_steady_beats_at_the_asked_rate_opens() {
        assert_eq!(judge(&beats(1000, 5.0), 5000, INTERVAL), Verdict::TooEarly);
        let Verdict::Open(opened) = judge(&beats(1500, 5.0), 5000, INTERVAL) else {
            panic!("closed")
        };
        assert_eq!((opened.first, opened.last), (499, 1499));
        assert!((opened.touch_pages_per_s - 5000.0).abs() < 10.0, "{opened:?}");
        assert!(opened.jitter_ms < 1e-9, "{opened:?}");
    }

    #[test]
    fn a_rate_two_percent_off_keeps_it_closed() {
        for rate in [4.85, 5.15] {
            let verdict = judge(&beats(1500, rate), 5000, INTERVAL);
            assert!(
                matches!(&verdict, Verdict::Closed(why) if why.contains("instead of 5000")),
                "{verdict:?}"
            );
        }
        assert!(matches!(judge(&beats(1500, 4.95), 5000, INTERVAL), Verdict::Open(_)));
    }

    #[test]
    fn an_idle_guest_must_not_touch() {
        assert!(matches!(judge(&beats(1500, 0.0), 0, INTERVAL), Verdict::Open(_)));
        assert!(matches!(judge(&beats(1500, 1.0), 0, INTERVAL), Verdict::Closed(_)));
    }

    #[test]
    fn lost_and_unsteady_beats_keep_it_closed() {
        let mut lossy = beats(1600, 5.0);
        lossy.retain(|beat| beat.sequence % 50 != 0);
        assert!(
            matches!(judge(&lossy, 5000, INTERVAL), Verdict::Closed(why) if why.contains("arrive"))
        );
        let mut rough = beats(1500, 5.0);
        for beat in &mut rough {
            beat.observer_ns += (beat.sequence / 50) * 8_000_000;
        }
        assert!(matches!(judge(&rough, 5000, INTERVAL), Verdict::Closed(_)));
    }

    #[test]
    fn beats_before_the_workload_is_steady_do_not_count() {
        let mut beats = beats(1500, 5.0);
        beats[900].state = State::Filling;
        assert_eq!(judge(&beats, 5000, INTERVAL), Verdict::TooEarly);
    }

    #[test]
    fn a_slow_workload_is_judged_over_a_longer_window() {
        assert_eq!(span(100), Duration::from_secs(2));
        assert_eq!(judge(&beats(1500, 0.1), 100, INTERVAL), Verdict::TooEarly);
        assert!(matches!(judge(&beats(2100, 0.1), 100, INTERVAL), Verdict::Open(_)));
    }
}
