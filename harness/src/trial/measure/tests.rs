//! Metrics whose times come from several machines: one migration, seen by clocks that differ.

use super::*;
use crate::{
    fixture,
    trial::{
        clocks::{Clocks, Reading},
        gate::Opened,
        witness::Beat,
    },
};
use lab::{
    hypervisor::qemu::{
        Event,
        migration::{End, SideEvent},
    },
    node::ClockOffset,
};
use proptest::prelude::*;
use serde_json::json;
use std::time::{Duration, Instant};

const ASKED_NS: i128 = 1_800_000_000_000_000_000;
const MS: i128 = 1_000_000;
/// The guest stops and runs again so long after `migrate` was asked.
const STOP_MS: i128 = 700;
const RESUME_MS: i128 = 760;

/// What one node's clock is off by, what it is measured to be off by, and how surely.
#[derive(Clone, Copy, Debug)]
struct Node {
    true_ns: i128,
    said_ns: i128,
    error_ns: u64,
}

impl Node {
    const OURS: Self = Self { true_ns: 0, said_ns: 0, error_ns: 0 };

    fn reading(self, at_ms: i128) -> Reading {
        let offset = ClockOffset { offset_ns: self.said_ns, error_ns: self.error_ns };
        Reading { at_ns: ASKED_NS + at_ms * MS, offset }
    }
}

fn any_node() -> impl Strategy<Value = Node> {
    let hours = -10_000_000_000_000_i128..10_000_000_000_000;
    (hours, 1_u64..20_000_000, -1000_i128..=1000).prop_map(|(true_ns, error_ns, share)| {
        // QEMU's stamps are whole microseconds.
        let true_ns = true_ns / 1000 * 1000;
        Node { true_ns, said_ns: true_ns + i128::from(error_ns) * share / 1000, error_ns }
    })
}

/// The migration as it is seen with such clocks of source, target and witness.
fn seen(nodes: [Node; 3]) -> Observed {
    let [source, target, witness] = nodes;
    let record = fixture::completed(0, 5000);
    let mut observed = Observed::new(record.settings, Duration::from_millis(1));
    let mut log = MigrationLog {
        asked_wall_ns: u128::try_from(ASKED_NS).expect("positive"),
        asked: Instant::now(),
        samples: Vec::new(),
        events: Vec::new(),
        end: End::Completed(json!({ "total-time": 800, "downtime": 60 })),
    };
    for (side, node, name, at_ms) in
        [(Side::Source, source, "STOP", STOP_MS), (Side::Target, target, "RESUME", RESUME_MS)]
    {
        let host_us = u64::try_from((ASKED_NS + at_ms * MS + node.true_ns) / 1000).expect("fits");
        let event = Event { name: name.to_owned(), data: Value::Null, host_us };
        log.events.push(SideEvent { side, at_s: f64::NAN, event });
    }
    let read = |at_ms: i128| nodes.map(|node| node.reading(at_ms));
    let clocks = Clocks::new(read(-5), Some(read(805)));
    log.correct(Side::Source, |theirs_ns| clocks.source.ours_ns(theirs_ns));
    log.correct(Side::Target, |theirs_ns| clocks.target.ours_ns(theirs_ns));
    observed.clocks = clocks;
    observed.migration = Some(log);
    observed.migration_s = 0.8;
    // The witness's own clock began a second before `migrate`.
    observed.witness_wall_offset_ns = ASKED_NS + witness.true_ns - 1000 * MS;
    let beats = (0..1800_i128).filter(|at_ms| !(1000 + STOP_MS..1000 + RESUME_MS).contains(at_ms));
    observed.beats = beats
        .map(|at_ms| Beat {
            observer_ns: u64::try_from(at_ms * MS + MS / 2).expect("positive"),
            sequence: u64::try_from(at_ms).expect("positive"),
            guest_ns: 0,
            state: wire::State::Steady,
            pages_written: u64::try_from(at_ms * 5).expect("positive"),
            pages_dropped: 0,
            disk_writes: 0,
            disk_errors: 0,
        })
        .collect();
    observed.gate = Some(Opened { first: 0, last: 900, jitter_ms: 0.5, touch_pages_per_s: 5000.0 });
    observed
}

proptest! {
    /// However the clocks are set, the truth lies within what is said.
    #[test]
    fn clocks_of_other_machines_change_what_is_known_but_not_what_is_true(
        source in any_node(), target in any_node(), witness in any_node(),
    ) {
        let observed = seen([source, target, witness]);
        let pause_ms = 60.0;
        match vcpu_pause(&observed) {
            Ok(pause) => {
                let [low, high] = pause.interval.expect("uncertain");
                prop_assert!((low..=high).contains(&pause_ms), "{pause:?}");
                prop_assert!(pause.resolution * 2.0 > high - low - 1e-9, "{pause:?}");
            }
            Err(why) => prop_assert!(why.starts_with("below resolution"), "{why}"),
        }
        let gap = service_gap(&observed).expect("seen");
        let ours = service_gap(&seen([Node::OURS; 3])).expect("seen");
        prop_assert_eq!(&gap, &ours, "it is timed by the witness alone");
        let rate = touch_rate_during(&observed).expect("seen").value;
        prop_assert!((rate - 5000.0).abs() < 1.0, "{rate}");
    }
}

#[test]
fn on_one_machine_nothing_is_uncertain() {
    let observed = seen([Node::OURS; 3]);
    let pause = vcpu_pause(&observed).expect("seen");
    // Bit for bit what the two stamps give.
    let expected = (0.76_f64 - 0.7) * 1e3;
    assert_eq!((pause.value, pause.resolution, pause.interval), (expected, 0.001, None));
    assert_eq!(pause.source, "qmp events");
    assert_eq!(observed.place_error_s(Side::Source, 0.7), 0.0);
}

#[test]
fn a_pause_that_clocks_cannot_tell_is_not_told() {
    let error_ns = 40_000_000;
    let vague = Node { true_ns: 0, said_ns: 1, error_ns };
    let why = vcpu_pause(&seen([vague, vague, Node::OURS])).expect_err("unknown");
    assert!(why.starts_with("below resolution: 60.0 ms, by two clocks known to 80.0"), "{why}");
}
