//! How the guest's heartbeats fared while it was migrated: late, or not at all.
//!
//! Each beat has the guest's time of sending and the witness's of arrival. Their clocks begin at
//! different moments, so a difference of the two says nothing by itself; against the differences
//! in the gate's window it says how much longer the beat was on its way, or waited to be sent.

use super::witness::Beat;

/// Beats that a 99th percentile needs at least: one in a hundred lies above it.
const LEAST: usize = 100;

/// Beats that did not arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lost {
    /// Their share, 0 to 1.
    pub share: f64,
    /// Beats that were sent.
    pub of: u64,
}

/// 99th percentile of how much later the beats `live` came than the median one of `before`,
/// milliseconds. Below zero when they came earlier.
///
/// # Errors
/// Why there is none.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a trial are far below 2^53")]
pub fn delay_ms(before: &[Beat], live: &[Beat]) -> Result<f64, String> {
    if live.len() < LEAST {
        return Err(format!("too few heartbeats while it was live: {}", live.len()));
    }
    let (before, live) = (offsets_ns(before), offsets_ns(live));
    let usual = before.get(before.len() / 2).ok_or("no heartbeats in the gate's window")?;
    let late = live[live.len() - 1 - live.len() / LEAST];
    Ok((late - usual) as f64 / 1e6)
}

/// The witness's time of arrival less the guest's of sending, sorted, nanoseconds.
fn offsets_ns(beats: &[Beat]) -> Vec<i128> {
    let offset = |beat: &Beat| i128::from(beat.observer_ns) - i128::from(beat.guest_ns);
    let mut offsets: Vec<i128> = beats.iter().map(offset).collect();
    offsets.sort_unstable();
    offsets
}

/// The beats that are missing between the first and the last of `live`, by their numbers.
///
/// # Errors
/// When there are fewer than two.
#[expect(clippy::cast_precision_loss, reason = "beats of a trial are few")]
pub fn lost(live: &[Beat]) -> Result<Lost, String> {
    let sequences = || live.iter().map(|beat| beat.sequence);
    let (Some(first), Some(last)) = (sequences().min(), sequences().max()) else {
        return Err("no heartbeat while the migration was live".to_owned());
    };
    if first == last {
        return Err("a single heartbeat while the migration was live".to_owned());
    }
    let of = last - first + 1;
    Ok(Lost { share: 1.0 - live.len() as f64 / of as f64, of })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wire::State;

    /// A beat each millisecond, by a guest that began some hours after the witness; the beat with
    /// number `n` is `late_ns(n)` on its way.
    fn beats(from: u64, to: u64, late_ns: impl Fn(u64) -> u64) -> Vec<Beat> {
        (from..to)
            .map(|sequence| Beat {
                observer_ns: 9_000_000_000_000 + sequence * 1_000_000 + late_ns(sequence),
                sequence,
                guest_ns: sequence * 1_000_000,
                state: State::Steady,
                pages_written: 0,
                pages_dropped: 0,
                disk_writes: 0,
                disk_errors: 0,
            })
            .collect()
    }

    #[test]
    fn a_queue_makes_beats_late_by_what_it_holds() {
        let before = beats(0, 1000, |_| 150_000);
        let delay = delay_ms(&before, &beats(1000, 1500, |_| 20_150_000)).expect("a delay");
        assert!((delay - 20.0).abs() < 1e-9, "{delay}");
        // Of 500 beats the 99th percentile is the sixth latest.
        for (late, delay_is) in [(5, 0.0), (6, 3.0)] {
            let live = beats(1000, 1500, |n| if n < 1000 + late { 3_150_000 } else { 150_000 });
            let delay = delay_ms(&before, &live).expect("a delay");
            assert!((delay - delay_is).abs() < 1e-9, "{late} are late: {delay}");
        }
    }

    #[test]
    fn too_few_beats_have_no_percentile() {
        let before = beats(0, 1000, |_| 0);
        assert!(delay_ms(&before, &beats(1000, 1099, |_| 0)).unwrap_err().ends_with(": 99"));
        assert!(delay_ms(&[], &beats(1000, 1100, |_| 0)).is_err());
        assert!(lost(&[]).is_err() && lost(&beats(0, 1, |_| 0)).is_err());
    }

    proptest! {
        #[test]
        fn what_is_taken_out_is_lost(taken in proptest::collection::btree_set(1_u64..299, 0..200)) {
            let mut live = beats(0, 300, |_| 0);
            live.retain(|beat| !taken.contains(&beat.sequence));
            let found = lost(&live).expect("two beats");
            prop_assert_eq!(found.of, 300);
            prop_assert!((found.share * 300.0 - taken.len() as f64).abs() < 1e-9);
        }

        #[test]
        fn where_clocks_begin_does_not_matter(ahead_ns in 0_u64..1 << 50) {
            let (before, live) = (beats(0, 300, |n| n), beats(300, 600, |n| 2 * n));
            let ahead = |beats: &[Beat]| -> Vec<Beat> {
                beats.iter().map(|b| Beat { guest_ns: b.guest_ns + ahead_ns, ..*b }).collect()
            };
            prop_assert_eq!(delay_ms(&before, &live), delay_ms(&ahead(&before), &ahead(&live)));
        }
    }
}
