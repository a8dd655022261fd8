//! The rounds of a migration, cut at the source's `MIGRATION_PASS` events: pure arithmetic.

use super::observed::Observed;
use crate::record::Round;
use lab::hypervisor::qemu::migration::{MigrationLog, Sample, Side};

/// Samples farther from a round's boundary than this say nothing of its bytes, seconds. QEMU
/// counts the bytes of its last 50 ms at once, so nearer would not be truer.
const NEAR_S: f64 = 0.1;

/// The rounds in order; none without a migration.
#[must_use]
pub fn rounds(observed: &Observed) -> Vec<Round> {
    let Some(log) = &observed.migration else { return Vec::new() };
    let end_s = observed.migration_s;
    // The events may be stamped by another clock than ours, by which the samples are.
    let error_s = |at_s: f64| observed.event_error_s(Side::Source, at_s);
    let passes: Vec<(u64, f64)> = log.passes().collect();
    let stop_s = log.event_s(Side::Source, "STOP");
    passes
        .iter()
        .enumerate()
        .map(|(index, (pass, start_s))| {
            let next_s = passes.get(index + 1).map_or(end_s, |(_, next_s)| *next_s);
            let sent = |at_s: f64| transferred(log, observed.began_s, at_s, error_s(at_s));
            let (begin, end) = (sent(*start_s), sent(next_s));
            let begun_s = *start_s + error_s(*start_s);
            Round {
                number: u32::try_from(*pass).unwrap_or(u32::MAX),
                start_s: *start_s,
                duration_s: (next_s - start_s).max(0.0),
                bytes: begin.zip(end).map(|(begin, end)| end.saturating_sub(begin)),
                remaining_bytes: remaining_after(&log.samples, begun_s, next_s),
                // The reading at the stop is announced after STOP.
                stopped: stop_s.is_some_and(|stop_s| *start_s >= stop_s),
            }
        })
        .collect()
}

/// Bytes on the stream at this moment, known to `error_s`, between the samples around it.
fn transferred(log: &MigrationLog, began_s: f64, at_s: f64, error_s: f64) -> Option<u64> {
    let known: Vec<(f64, f64)> = log
        .samples
        .iter()
        .filter_map(|sample| Some((sample.at_s, sample.raw["ram"]["transferred"].as_f64()?)))
        .collect();
    let after = known.partition_point(|(sample_s, _)| *sample_s < at_s);
    // Before the migration nothing was sent.
    let (before_s, before_bytes) =
        after.checked_sub(1).and_then(|i| known.get(i)).copied().unwrap_or((began_s, 0.0));
    let &(after_s, after_bytes) = known.get(after).or(known.last())?;
    let far = |sample_s: f64| (at_s - sample_s).abs() + error_s > NEAR_S;
    if far(before_s) && far(after_s) {
        return None;
    }
    let share = if after_s > before_s {
        ((at_s - before_s) / (after_s - before_s)).clamp(0.0, 1.0)
    } else {
        1.0
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of bytes")]
    Some((before_bytes + share * (after_bytes - before_bytes)) as u64)
}

/// Dirty bytes with which the round began: the most that the samples at its beginning knew. Within
/// a round it only falls; but an answer that was given while QEMU still read its bitmap has what was
/// left of the round before.
fn remaining_after(samples: &[Sample], start_s: f64, next_s: f64) -> Option<u64> {
    let until_s = next_s.max(start_s).min(start_s + NEAR_S);
    let samples = samples.iter().filter(|sample| (start_s..=until_s).contains(&sample.at_s));
    samples.filter_map(|sample| sample.raw["ram"]["remaining"].as_u64()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As was seen: the first answer after the reading still had the rest of the round before.
    #[test]
    fn a_round_begins_with_the_most_that_is_known_at_its_beginning() {
        let samples: Vec<Sample> =
            [(0.9, 5), (1.0, 4), (1.025, 21), (1.05, 20), (1.3, 22), (1.4, 9)]
                .map(|(at_s, remaining)| Sample {
                    at_s,
                    raw: serde_json::json!({ "ram": { "remaining": remaining } }),
                })
                .into();
        assert_eq!(remaining_after(&samples, 1.0, 1.35), Some(21));
        assert_eq!(remaining_after(&samples, 1.35, 2.0), Some(9));
        assert_eq!(remaining_after(&samples, 1.5, 2.0), None);
    }
}
