//! Metrics of the guest's disk.

use super::{Found, as_f64, completed, measured, rate_during, switch_s, verified};
use crate::trial::observed::Observed;
use wire::State;

fn has_disk(observed: &Observed) -> Result<(), String> {
    match observed.settings.disk.is_none() {
        true => Err("the guest has no disk".to_owned()),
        false => Ok(()),
    }
}

pub(super) fn write_rate_during(observed: &Observed) -> Found {
    has_disk(observed)?;
    rate_during(observed, |beat| beat.disk_writes)
}

pub(super) fn blocks_checked(observed: &Observed) -> Found {
    has_disk(observed)?;
    verified(observed, |found| as_f64(found.disk.blocks_checked))
}

pub(super) fn blocks_wrong(observed: &Observed) -> Found {
    has_disk(observed)?;
    verified(observed, |found| as_f64(found.disk.blocks_wrong + found.disk.blocks_unreadable))
}

/// The longest time between two beats of which each is the first to know of a further write, and
/// of which the second came after the stop. The guest is steady until the verification is asked
/// for, which is when it has written again on the target.
pub(super) fn gap(observed: &Observed) -> Found {
    has_disk(observed)?;
    completed(observed)?;
    let (stop_s, _) = switch_s(observed)?;
    let stop = observed.beat_at(stop_s).ok_or(super::NO_MIGRATION)?;
    let (mut newest, mut longest_ns): (Option<(u64, u64)>, Option<u64>) = (None, None);
    for (index, beat) in observed.beats.iter().enumerate() {
        if beat.state != State::Steady {
            continue;
        }
        let Some((at_ns, writes)) = newest else {
            newest = Some((beat.observer_ns, beat.disk_writes));
            continue;
        };
        if beat.disk_writes > writes {
            if index >= stop {
                let silent_ns = beat.observer_ns.saturating_sub(at_ns);
                longest_ns = longest_ns.max(Some(silent_ns));
            }
            newest = Some((beat.observer_ns, beat.disk_writes));
        }
    }
    let longest_ns = longest_ns.ok_or("no disk write after the move was seen")?;
    measured(as_f64(longest_ns) / 1e6, "observer", observed.heartbeat_interval.as_secs_f64() * 1e3)
}
