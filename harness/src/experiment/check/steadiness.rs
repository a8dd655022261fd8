//! What `gate` may not say.

use super::{Experiment, range_at};
use crate::experiment::Percent;
use lab::{
    units::Millis,
    yaml::{Parsed, Problem},
};
use std::ops::RangeInclusive;

const OFF: RangeInclusive<Percent> = Percent(1)..=Percent(100_000);
const SPACING: RangeInclusive<u32> = 2..=1000;
const PATIENCE: RangeInclusive<Millis> = Millis(1_000)..=Millis(3_600_000);

/// Checks that each is within what makes sense.
pub(super) fn check(parsed: &Parsed<Experiment>, problems: &mut Vec<Problem>) {
    let gate = &parsed.value.gate;
    for (name, percent) in [
        ("touch_rate", gate.touch_rate),
        ("disk_write_rate", gate.disk_write_rate),
        ("heartbeats_lost", gate.heartbeats_lost),
    ] {
        range_at(parsed, &["gate", name], percent, &OFF, problems);
    }
    range_at(parsed, &["gate", "spacing"], gate.spacing, &SPACING, problems);
    range_at(parsed, &["gate", "patience"], gate.patience, &PATIENCE, problems);
}
