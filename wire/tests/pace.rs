//! Pacing: totals are exact, lateness is either made up for or counted, beats keep their grid.

use proptest::prelude::*;
use wire::{CATCH_UP_MS, Grid, Pace};

fn fallen_due(per_s: u32, elapsed_ns: u64) -> u128 {
    u128::from(per_s) * u128::from(elapsed_ns) / 1_000_000_000
}

proptest! {
    #[test]
    fn done_dropped_and_due_are_all_that_fell_due(
        per_s: u32,
        steps in prop::collection::vec((0_u64..3_600_000_000_000, 0.0_f64..=1.0), 1..50),
    ) {
        let mut pace = Pace::new(per_s);
        let mut elapsed_ns = 0;
        for (step_ns, share) in steps {
            elapsed_ns += step_ns;
            let due = pace.due(elapsed_ns);
            let total = u128::from(pace.done()) + u128::from(pace.dropped()) + u128::from(due);
            prop_assert_eq!(total, fallen_due(per_s, elapsed_ns));
            prop_assert!(due <= (u64::from(per_s) * CATCH_UP_MS).div_ceil(1000));
            prop_assert_eq!(pace.due(elapsed_ns), due, "asking changes nothing");
            pace.record((due as f64 * share) as u64);
        }
    }

    #[test]
    fn who_keeps_up_drops_nothing(
        per_s: u32, steps_ns in prop::collection::vec(0_u64..CATCH_UP_MS * 1_000_000, 1..200),
    ) {
        let mut pace = Pace::new(per_s);
        let mut elapsed_ns = 0;
        for step_ns in steps_ns {
            elapsed_ns += step_ns;
            let due = pace.due(elapsed_ns);
            pace.record(due);
        }
        prop_assert_eq!(pace.dropped(), 0);
        prop_assert_eq!(u128::from(pace.done()), fallen_due(per_s, elapsed_ns));
    }

    #[test]
    fn beats_keep_their_grid_and_never_burst(
        start_ns in 0_u64..1 << 40, interval_us in 1_u32..1_000_000,
        steps_ns in prop::collection::vec(0_u64..1 << 33, 1..100),
    ) {
        let mut grid = Grid::new(start_ns, interval_us).expect("an interval that is not 0");
        let interval_ns = u64::from(interval_us) * 1000;
        let mut now_ns = start_ns.saturating_sub(1 << 30);
        for step_ns in steps_ns {
            now_ns += step_ns;
            let due = grid.next_ns() <= now_ns;
            prop_assert_eq!(grid.take(now_ns), due);
            prop_assert!(!grid.take(now_ns), "one beat, however many were missed");
            prop_assert!(grid.next_ns() > now_ns);
            prop_assert_eq!((grid.next_ns() - start_ns) % interval_ns, 0);
            prop_assert!(grid.next_ns() == start_ns || grid.next_ns() - now_ns <= interval_ns);
        }
    }
}

#[test]
fn a_late_workload_catches_up_50_ms_and_drops_the_rest() {
    let mut pace = Pace::new(1000);
    assert_eq!(pace.due(10_000_000), 10);
    pace.record(10);
    // 190 more are due after 200 ms, of which 50 ms are 50.
    assert_eq!(pace.due(200_000_000), 50);
    assert_eq!(pace.dropped(), 140);
    pace.record(50);
    assert_eq!(pace.due(200_000_000), 0);
    assert_eq!(pace.due(201_000_000), 1);
}

#[test]
fn a_slow_pace_still_touches() {
    let mut pace = Pace::new(1);
    assert_eq!(pace.due(999_999_999), 0);
    assert_eq!(pace.due(1_000_000_000), 1);
    assert_eq!(pace.dropped(), 0);
}

#[test]
fn an_interval_of_zero_means_never() {
    assert_eq!(Grid::new(5, 0), None);
}
