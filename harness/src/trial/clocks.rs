//! Times by other machines' clocks, as times by ours: pure arithmetic.
//!
//! Each node's wall clock is held against this machine's right before and right after a migration.
//! In between clocks drift evenly, so the offset of a moment is taken straight from one reading to
//! the other. A node that is this very machine has no offset, exactly.

use crate::record;
use lab::node::ClockOffset;

/// No clock that is being slewed drifts by more than this, parts per million: the kernel's limit
/// for adjusting it.
const MOST_DRIFT_PPM: u128 = 500;

/// A reading of a node's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When, nanoseconds since 1970 by this machine's wall clock.
    pub at_ns: i128,
    /// What it said.
    pub offset: ClockOffset,
}

/// What is known of one node's clock around a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeClock {
    before: Reading,
    after: Option<Reading>,
}

impl NodeClock {
    /// The clock of a node that is this machine.
    pub const OURS: Self =
        Self { before: Reading { at_ns: 0, offset: ClockOffset::NONE }, after: None };

    /// From the readings before and after; the second is missing where the node did not answer
    /// any more.
    #[must_use]
    pub const fn new(before: Reading, after: Option<Reading>) -> Self {
        Self { before, after }
    }

    /// Whether it is this machine's own, so that nothing is to be corrected and nothing uncertain.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        let none = |reading: Reading| reading.offset == ClockOffset::NONE;
        none(self.before) && self.after.is_none_or(none)
    }

    /// Its offset at a moment, nanoseconds since 1970 by this machine's wall clock.
    #[must_use]
    pub fn at(&self, ours_ns: i128) -> ClockOffset {
        if self.is_ours() {
            return ClockOffset::NONE;
        }
        let before = self.before;
        let Some(after) = self.after.filter(|after| after.at_ns > before.at_ns) else {
            let drift = drift_ns(ours_ns - before.at_ns);
            let ClockOffset { offset_ns, error_ns } = before.offset;
            return ClockOffset { offset_ns, error_ns: error_ns.saturating_add(drift) };
        };
        let passed_ns = after.at_ns - before.at_ns;
        let moved_ns = after.offset.offset_ns - before.offset.offset_ns;
        let inside_ns = (ours_ns - before.at_ns).clamp(0, passed_ns);
        let offset_ns = before.offset.offset_ns + moved_ns * inside_ns / passed_ns;
        // A nanosecond for the division, and what may have drifted outside of the two readings.
        let outside_ns = (ours_ns - before.at_ns - inside_ns).abs();
        let errors_ns = before.offset.error_ns.max(after.offset.error_ns);
        let mut error_ns = errors_ns.saturating_add(1).saturating_add(drift_ns(outside_ns));
        // More than clocks drift: it was set in between, nobody knows when.
        let most_ns = before.offset.error_ns.saturating_add(after.offset.error_ns);
        let moved_ns = u64::try_from(moved_ns.unsigned_abs()).unwrap_or(u64::MAX);
        if moved_ns > most_ns.saturating_add(drift_ns(passed_ns)) {
            error_ns = error_ns.saturating_add(moved_ns);
        }
        ClockOffset { offset_ns, error_ns }
    }

    /// A time of this node's wall clock as one of ours, nanoseconds since 1970.
    #[must_use]
    pub fn ours_ns(&self, theirs_ns: i128) -> i128 {
        // Between this moment and the right one the offset changes by less than a nanosecond in
        // a thousand of its own.
        let about_ns = theirs_ns - self.before.offset.offset_ns;
        theirs_ns - self.at(about_ns).offset_ns
    }

    fn record(&self) -> record::NodeClock {
        record::NodeClock {
            before: record_of(self.before.offset),
            after: self.after.map(|after| record_of(after.offset)),
        }
    }
}

fn drift_ns(passed_ns: i128) -> u64 {
    let drift_ns = passed_ns.unsigned_abs() * MOST_DRIFT_PPM / 1_000_000;
    u64::try_from(drift_ns).unwrap_or(u64::MAX)
}

fn record_of(offset: ClockOffset) -> record::ClockOffset {
    let ClockOffset { offset_ns, error_ns } = offset;
    let most = if offset_ns < 0 { i64::MIN } else { i64::MAX };
    record::ClockOffset { offset_ns: i64::try_from(offset_ns).unwrap_or(most), error_ns }
}

/// The clocks of a trial's three nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// Of the source.
    pub source: NodeClock,
    /// Of the target.
    pub target: NodeClock,
    /// Of the witness.
    pub witness: NodeClock,
}

impl Clocks {
    /// Those of nodes that are all this machine.
    pub const OURS: Self =
        Self { source: NodeClock::OURS, target: NodeClock::OURS, witness: NodeClock::OURS };

    /// From the readings of source, target and witness, before and after.
    #[must_use]
    pub fn new(before: [Reading; 3], after: Option<[Reading; 3]>) -> Self {
        let clock = |index: usize| NodeClock::new(before[index], after.map(|after| after[index]));
        Self { source: clock(0), target: clock(1), witness: clock(2) }
    }

    /// What a record keeps; nothing where all are this machine's own.
    #[must_use]
    pub fn record(&self) -> Option<record::Clocks> {
        let Self { source, target, witness } = self;
        if [source, target, witness].into_iter().all(NodeClock::is_ours) {
            return None;
        }
        Some(record::Clocks {
            source: source.record(),
            target: target.record(),
            witness: witness.record(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i128 = 1_000_000_000;

    fn reading(at_ns: i128, offset_ns: i128, error_ns: u64) -> Reading {
        Reading { at_ns, offset: ClockOffset { offset_ns, error_ns } }
    }

    proptest! {
        /// A clock with an offset and a drift within the kernel's limit, read twice with errors.
        #[test]
        fn the_true_offset_lies_within_the_error(
            start in -100 * SECOND..100 * SECOND,
            drift_ppm in -400_i128..400,
            passed_ms in 1_i128..60_000,
            errors in [0_u64..5_000_000, 0_u64..5_000_000],
            shares in [-1000_i128..1000, -1000_i128..1000],
            at_permille in -200_i128..1200,
            lost in any::<bool>(),
        ) {
            let begin = 1_800_000_000 * SECOND;
            let truth = |at: i128| start + (at - begin) * drift_ppm / 1_000_000;
            let read = |at: i128, error: u64, share: i128| {
                reading(at, truth(at) + i128::from(error) * share / 1000, error)
            };
            let end = begin + passed_ms * 1_000_000;
            let after = (!lost).then(|| read(end, errors[1], shares[1]));
            let clock = NodeClock::new(read(begin, errors[0], shares[0]), after);
            let at = begin + passed_ms * at_permille * 1000;
            let said = clock.at(at);
            let off = (said.offset_ns - truth(at)).unsigned_abs();
            // The truth is rounded to nanoseconds, too.
            prop_assert!(clock.is_ours() || off <= u128::from(said.error_ns) + 2);
            // A time there and back again.
            let back = clock.ours_ns(at + truth(at));
            let off = (back - at).unsigned_abs();
            prop_assert!(clock.is_ours() || off <= u128::from(said.error_ns) * 2 + 1000);
        }

        /// A clock that is set in between: before and after are both within the error.
        #[test]
        fn a_clock_that_was_set_is_no_better_known_than_it_moved(
            step in prop_oneof![-100 * SECOND..-SECOND, SECOND..100 * SECOND],
            at_permille in 0_i128..=1000,
        ) {
            let clock = NodeClock::new(reading(0, 0, 10), Some(reading(SECOND, step, 10)));
            let said = clock.at(SECOND * at_permille / 1000);
            for truth in [0, step] {
                let off = (said.offset_ns - truth).unsigned_abs();
                prop_assert!(off <= u128::from(said.error_ns));
            }
        }

        #[test]
        fn on_this_machine_no_time_changes(at in any::<i64>()) {
            let read = Reading { at_ns: 5, offset: ClockOffset::NONE };
            for clock in [NodeClock::OURS, NodeClock::new(read, Some(Reading { at_ns: 9, ..read }))] {
                prop_assert_eq!(clock.at(at.into()), ClockOffset::NONE);
                prop_assert_eq!(clock.ours_ns(at.into()), i128::from(at));
            }
        }
    }

    #[test]
    fn a_record_has_clocks_where_they_are_not_all_ours() {
        assert_eq!(Clocks::OURS.record(), None);
        let target = NodeClock::new(reading(1, -7, 3), None);
        let clocks = Clocks { target, ..Clocks::OURS }.record().expect("one differs");
        let expected = record::ClockOffset { offset_ns: -7, error_ns: 3 };
        assert_eq!((clocks.target.before, clocks.target.after), (expected, None));
        assert_eq!(clocks.source.before.error_ns, 0);
    }
}
