//! Why a migration did not converge, in words: pure arithmetic over what was seen.
//!
//! Touches and dirtied memory are different things: a page that is touched ten times before it is
//! sent again is dirty once, so the dirty rate saturates at the working set however fast the
//! guest writes, and may even lie below the throughput. What keeps a migration from ending is
//! that no round begins with so little that it can be sent within the downtime limit.

use crate::record::Round;
use std::time::Duration;

const PAGE_BYTES: f64 = 4096.0;
const MIB: f64 = 1_048_576.0;

/// What was seen of a migration that was given up.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// How long it had run, seconds.
    pub after_s: f64,
    /// Touches of the guest's workload meanwhile, pages per second.
    pub touched_pages_per_s: f64,
    /// Distinct pages that QEMU found dirty, pages per second; `None` when it had not found out
    /// (it takes two readings of its bitmap more than a second apart).
    pub dirty_pages_per_s: Option<f64>,
    /// What it had put on the stream.
    pub sent_bytes: f64,
    /// Dirty memory at the last look.
    pub left_bytes: f64,
    /// The rounds so far.
    pub rounds: &'a [Round],
    /// The downtime that QEMU aimed at.
    pub downtime_limit: Duration,
}

impl Seen<'_> {
    /// Bytes per second on the stream, on the average.
    fn sent_bytes_per_s(&self) -> f64 {
        self.sent_bytes / self.after_s.max(0.001)
    }

    /// The least that a round began with, bytes. The first is not counted: it begins with
    /// everything.
    fn least_bytes(&self) -> Option<f64> {
        let later = self.rounds.iter().filter(|round| round.number > 1);
        #[expect(clippy::cast_precision_loss, reason = "bytes of a guest are far below 2^53")]
        later.filter_map(|round| round.remaining_bytes).min().map(|bytes| bytes as f64)
    }

    /// The least downtime limit with which the migration would have ended: the time that it takes
    /// to send what the shortest round began with. `None` when no round but the first was begun,
    /// or nothing was sent.
    #[must_use]
    pub fn sufficient_limit(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.least_bytes()? / self.sent_bytes_per_s()).ok()
    }

    /// The cause, as the reason of a record.
    #[must_use]
    pub fn words(&self) -> String {
        let dirtied = match self.dirty_pages_per_s.filter(|rate| *rate > 0.0) {
            Some(rate) => format!(" ({:.0} MiB/s of distinct pages)", rate * PAGE_BYTES / MIB),
            None => String::new(),
        };
        let begun = format!(
            "not converged after {:.1} s: the guest touched {:.0} MiB/s{dirtied} while {:.0} MiB/s were sent",
            self.after_s,
            self.touched_pages_per_s * PAGE_BYTES / MIB,
            self.sent_bytes_per_s() / MIB,
        );
        match (self.least_bytes(), self.sufficient_limit()) {
            (Some(least), Some(limit)) => format!(
                "{begun}; every round left at least {:.0} MiB for the next, and {:.0} MiB were left in the end: \
                 a downtime limit of about {} ms would have let it end, {} ms was set",
                least / MIB,
                self.left_bytes / MIB,
                limit.as_millis(),
                self.downtime_limit.as_millis(),
            ),
            _ => format!(
                "{begun}; it was still in its first round, with {:.0} MiB left: `max_time` is too short for this link",
                self.left_bytes / MIB
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round(number: u32, remaining_mib: Option<u64>) -> Round {
        Round {
            number,
            start_s: f64::from(number),
            duration_s: 1.0,
            bytes: None,
            remaining_bytes: remaining_mib.map(|mib| mib << 20),
            stopped: false,
        }
    }

    fn seen(rounds: &[Round]) -> Seen<'_> {
        Seen {
            after_s: 3.0,
            touched_pages_per_s: 20_000.0,
            dirty_pages_per_s: Some(11_264.0),
            sent_bytes: 138.0 * MIB,
            left_bytes: 18.0 * MIB,
            rounds,
            downtime_limit: Duration::from_millis(100),
        }
    }

    #[test]
    fn says_which_limit_would_have_been_enough() {
        let rounds = [round(1, Some(256)), round(2, Some(28)), round(3, Some(23)), round(4, None)];
        let seen = seen(&rounds);
        assert_eq!(seen.sufficient_limit(), Some(Duration::from_millis(500)));
        assert_eq!(
            seen.words(),
            "not converged after 3.0 s: the guest touched 78 MiB/s (44 MiB/s of distinct pages) while 46 MiB/s \
             were sent; every round left at least 23 MiB for the next, and 18 MiB were left in the end: \
             a downtime limit of about 500 ms would have let it end, 100 ms was set"
        );
    }

    #[test]
    fn a_migration_in_its_first_round_had_too_little_time() {
        let rounds = [round(1, Some(256))];
        let seen = Seen { dirty_pages_per_s: None, ..seen(&rounds) };
        assert_eq!(seen.sufficient_limit(), None);
        assert_eq!(
            seen.words(),
            "not converged after 3.0 s: the guest touched 78 MiB/s while 46 MiB/s were sent; it was still in \
             its first round, with 18 MiB left: `max_time` is too short for this link"
        );
    }

    #[test]
    fn nothing_sent_is_no_division_by_zero() {
        let rounds = [round(1, Some(256)), round(2, Some(28))];
        for sent_bytes in [0.0, f64::NAN] {
            let seen = Seen { sent_bytes, after_s: 0.0, ..seen(&rounds) };
            assert_eq!(seen.sufficient_limit(), None);
            assert!(seen.words().contains("first round"));
        }
    }

    proptest! {
        /// With that limit QEMU's own rule holds at the start of some round, and with one that is
        /// a millisecond shorter at none.
        #[test]
        fn the_limit_is_the_least_that_suffices(
            remaining in prop::collection::vec(1u64..4096, 1..12), sent_mib in 1u32..100_000
        ) {
            let numbered = remaining.iter().zip(2..);
            let rounds: Vec<Round> = numbered.map(|(mib, at)| round(at, Some(*mib))).collect();
            let seen = Seen { sent_bytes: f64::from(sent_mib) * MIB, ..seen(&rounds) };
            let limit_s = seen.sufficient_limit().unwrap().as_secs_f64();
            let ends = |limit_s: f64| {
                let sendable = limit_s * f64::from(sent_mib) * MIB / seen.after_s;
                rounds.iter().any(|round| round.remaining_bytes.unwrap() as f64 <= sendable)
            };
            prop_assert!(ends(limit_s + 1e-6));
            prop_assert!(!ends(limit_s - 1e-3));
        }
    }
}
