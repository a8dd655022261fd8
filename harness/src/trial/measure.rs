//! From what was observed to the metrics of a record: pure arithmetic.
//!
//! Every metric of [`crate::metric::ALL`], and on Proxmox of [`crate::metric::OF_PROXMOX`], gets a
//! value or the reason why it has none.

mod disk;
mod other;
mod probes;
mod proxmox;

use super::{heartbeats, observed::Observed, witness::Beat};
use crate::{
    metric,
    record::{Measured, Metric},
};
use lab::hypervisor::qemu::migration::{End, MigrationLog, Side};
use serde_json::Value;
use std::collections::BTreeMap;

const PAGE_BYTES: f64 = 4096.0;

/// Why there is no number.
type Why = &'static str;
/// A number with its source, resolution and interval, or why there is none.
type Found = Result<Measured, String>;

const NO_MIGRATION: Why = "the trial ended before its migration";
const NOT_COMPLETED: Why = "the migration did not complete";
const NOT_SAID: Why = "this QEMU does not say";
/// As happens where QEMU is watched from afar: it ends right after its migration.
const NOT_FINAL: Why = "the source's QEMU was gone before it could tell its totals";

/// All metrics of a trial, by name.
#[must_use]
pub fn metrics(observed: &Observed) -> BTreeMap<String, Metric> {
    let of_proxmox = if observed.by_proxmox { metric::OF_PROXMOX } else { &[] };
    metric::ALL
        .iter()
        .chain(of_proxmox)
        .map(|definition| {
            let metric = match find(definition.name, observed) {
                Ok(measured) => {
                    Metric::Measured(Measured { unit: definition.unit.to_owned(), ..measured })
                }
                Err(why) => Metric::Unavailable(why),
            };
            (definition.name.to_owned(), metric)
        })
        .collect()
}

fn measured(value: f64, source: &str, resolution: f64) -> Found {
    let source = source.to_owned();
    Ok(Measured { value, unit: String::new(), source, resolution, interval: None })
}

fn find(name: &str, observed: &Observed) -> Found {
    if let Some(other) = observed.guest.as_ref().filter(|_| other::OF_WORKLOAD.contains(&name)) {
        return Err(other.why_unknown().to_owned());
    }
    match name {
        metric::TOTAL_TIME => {
            total(observed, "total-time").and_then(|ms| measured(ms, "query-migrate", 1.0))
        }
        metric::SETUP_TIME => setup_ms(observed).and_then(|ms| measured(ms, "query-migrate", 1.0)),
        metric::DOWNTIME_REPORTED => {
            total(observed, "downtime").and_then(|ms| measured(ms, "query-migrate", 1.0))
        }
        metric::VCPU_PAUSE => vcpu_pause(observed),
        metric::SERVICE_GAP if observed.guest.is_some() => probes::service_gap(observed),
        metric::SERVICE_GAP => service_gap(observed),
        metric::HEARTBEAT_DELAY => {
            let gate = observed.gate.as_ref().ok_or("the gate did not open")?;
            let window = &observed.beats[gate.first..=gate.last];
            let delay_ms = heartbeats::delay_ms(window, live_beats(observed)?)?;
            measured(delay_ms, "observer and guest", 0.001)
        }
        metric::HEARTBEATS_LOST => {
            let lost = heartbeats::lost(live_beats(observed)?)?;
            measured(lost.share * 100.0, "observer", 100.0 / as_f64(lost.of))
        }
        metric::STREAM_BYTES => {
            ram(observed, "transferred").and_then(|bytes| measured(bytes, "query-migrate", 1.0))
        }
        metric::WIRE_BYTES => wire_bytes(observed),
        metric::STOP_BYTES => {
            completed(observed)?;
            ram(observed, "downtime-bytes").and_then(|bytes| measured(bytes, "query-migrate", 1.0))
        }
        metric::NORMAL_PAGES => {
            ram(observed, "normal").and_then(|pages| measured(pages, "query-migrate", 1.0))
        }
        metric::ZERO_PAGES => {
            ram(observed, "duplicate").and_then(|pages| measured(pages, "query-migrate", 1.0))
        }
        metric::UNEXPLAINED_PAGES => unexplained_pages(observed),
        metric::AMPLIFICATION => amplification(observed),
        metric::ROUNDS => rounds(observed),
        metric::SYNC_COUNT => ram(observed, "dirty-sync-count")
            .and_then(|count| measured(count, "query-migrate", 1.0)),
        metric::THROUGHPUT => throughput(observed),
        metric::NOMINAL_SPEED => {
            let ms = total(observed, "total-time")?;
            measured(as_f64(other::memory_bytes(observed)?) / (ms / 1e3), "query-migrate", 1.0)
        }
        metric::EXPECTED_DOWNTIME => expected_downtime(observed),
        metric::REMAINING => match &migration(observed)?.end {
            End::TimedOut(_) => ram(observed, "remaining")
                .and_then(|bytes| measured(bytes, "query-migrate", PAGE_BYTES)),
            _ => Err("the migration converged or failed".to_owned()),
        },
        metric::TOUCH_RATE_SET => {
            measured(f64::from(observed.settings.touch_rate.0), "experiment", 1.0)
        }
        metric::TOUCH_RATE_BEFORE => touch_rate_before(observed),
        metric::TOUCH_RATE_DURING => touch_rate_during(observed),
        metric::GUEST_SLOWDOWN => slowdown(observed),
        metric::DIRTY_RATE => dirty_rate(observed),
        metric::HEARTBEAT_JITTER => {
            let gate = observed.gate.as_ref().ok_or("the gate did not open")?;
            measured(gate.jitter_ms, "observer", 0.001)
        }
        metric::PAGES_CHECKED => verified(observed, |found| as_f64(found.pages_checked)),
        metric::PAGES_WRONG => verified(observed, |found| as_f64(found.pages_wrong)),
        metric::COUNTER_BEHIND => {
            verified(observed, |_| 0.0)?;
            measured(as_f64(observed.counter_behind()), "observer and guest", 1.0)
        }
        metric::VERIFY_TIME => verified(observed, |found| as_f64(found.took_ns) / 1e6),
        metric::DISK_WRITE_RATE_DURING => disk::write_rate_during(observed),
        metric::DISK_GAP => disk::gap(observed),
        metric::DISK_BLOCKS_CHECKED => disk::blocks_checked(observed),
        metric::DISK_BLOCKS_WRONG => disk::blocks_wrong(observed),
        _ => proxmox::find(name, observed),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "bytes, pages and nanoseconds of a trial are far below 2^53"
)]
const fn as_f64(value: u64) -> f64 {
    value as f64
}

fn migration(observed: &Observed) -> Result<&MigrationLog, String> {
    observed.migration.as_ref().ok_or_else(|| NO_MIGRATION.to_owned())
}

fn completed(observed: &Observed) -> Result<(), String> {
    match &migration(observed)?.end {
        End::Completed(_) => Ok(()),
        _ => Err(NOT_COMPLETED.to_owned()),
    }
}

/// The last answer to `query-migrate` that describes the migration.
fn last_answer(observed: &Observed) -> Result<&Value, String> {
    let log = migration(observed)?;
    match &log.end {
        End::Completed(answer) => {
            let is_final = answer["status"].as_str().is_none_or(|status| status == "completed");
            is_final.then_some(answer).ok_or_else(|| NOT_FINAL.to_owned())
        }
        End::TimedOut(answer) => Ok(answer),
        End::Cancelled | End::Failed(_) => {
            let with_ram = log.samples.iter().rev().find(|sample| sample.raw.get("ram").is_some());
            with_ram.map(|sample| &sample.raw).ok_or_else(|| NOT_SAID.to_owned())
        }
    }
}

fn total(observed: &Observed, key: &str) -> Result<f64, String> {
    completed(observed)?;
    last_answer(observed)?[key].as_f64().ok_or_else(|| NOT_SAID.to_owned())
}

fn ram(observed: &Observed, key: &str) -> Result<f64, String> {
    last_answer(observed)?["ram"][key].as_f64().ok_or_else(|| NOT_SAID.to_owned())
}

fn setup_ms(observed: &Observed) -> Result<f64, String> {
    last_answer(observed)?["setup-time"].as_f64().ok_or_else(|| NOT_SAID.to_owned())
}

fn vcpu_pause(observed: &Observed) -> Found {
    completed(observed)?;
    let (stop_s, resume_s) = switch_s(observed)?;
    let pause_ms = (resume_s - stop_s) * 1e3;
    let error_ms = (observed.event_error_s(Side::Source, stop_s)
        + observed.event_error_s(Side::Target, resume_s))
        * 1e3;
    if error_ms <= 0.0 {
        // QMP's stamps have microseconds, and on one machine they are of one clock.
        return measured(pause_ms, "qmp events", 0.001);
    }
    if pause_ms <= error_ms {
        return Err(format!(
            "below resolution: {pause_ms:.1} ms, by two clocks known to {error_ms:.1} ms"
        ));
    }
    let interval = Some([pause_ms - error_ms, pause_ms + error_ms]);
    measured(pause_ms, "qmp events, two clocks", error_ms.max(0.001))
        .map(|measured| Measured { interval, ..measured })
}

/// When the source stopped the guest and the target resumed it.
fn switch_s(observed: &Observed) -> Result<(f64, f64), String> {
    let log = migration(observed)?;
    let stop = log.event_s(Side::Source, "STOP").ok_or("no STOP event")?;
    let resume = log.event_s(Side::Target, "RESUME").ok_or("no RESUME event")?;
    Ok((stop, resume))
}

/// The longest silence around the switch, less one interval. The guest's beats come on a grid of
/// a clock that stands still while it is paused, so the part of the interval that was left at
/// the stop is made up after the resume: silence = outage + interval ± jitter.
fn service_gap(observed: &Observed) -> Found {
    completed(observed)?;
    let gate = observed.gate.as_ref().ok_or("the gate did not open")?;
    let (source, stop_s, resume_s) = match switch_s(observed) {
        Ok((stop_s, resume_s)) => ("observer", stop_s, resume_s),
        // Where nobody told of the switch, it is looked for in the whole migration.
        Err(_) if observed.by_proxmox => {
            ("observer, whole migration", observed.began_s, observed.migration_s)
        }
        Err(why) => return Err(why),
    };
    // The beats have a clock of their own; where it differs from those of the events, the silence
    // is looked for as much earlier and later as their places are uncertain.
    let earliest_s = stop_s - observed.place_error_s(Side::Source, stop_s);
    let latest_s = resume_s + observed.place_error_s(Side::Target, resume_s);
    let (stop, resume) = (observed.beat_at(earliest_s), observed.beat_at(latest_s));
    let (Some(stop), Some(resume)) = (stop, resume) else { return Err(NO_MIGRATION.to_owned()) };
    let around = &observed.beats[stop.saturating_sub(1)..(resume + 1).min(observed.beats.len())];
    let silence_ns = around
        .windows(2)
        .map(|pair| pair[1].observer_ns.saturating_sub(pair[0].observer_ns))
        .max()
        .ok_or("no heartbeat after the move")?;
    let interval_ms = observed.heartbeat_interval.as_secs_f64() * 1e3;
    let (silence_ms, jitter_ms) = (as_f64(silence_ns) / 1e6, gate.jitter_ms);
    if silence_ms < interval_ms + jitter_ms {
        return Err(format!(
            "below resolution: {silence_ms:.1} ms of silence, with a jitter of {jitter_ms:.1} ms"
        ));
    }
    let gap_ms = silence_ms - interval_ms;
    let interval = Some([(gap_ms - jitter_ms).max(0.0), silence_ms + jitter_ms]);
    measured(gap_ms, source, interval_ms).map(|measured| Measured { interval, ..measured })
}

fn wire_bytes(observed: &Observed) -> Found {
    migration(observed)?;
    let (before, after) = observed.wire_bytes.ok_or("the link's counter could not be read")?;
    measured(as_f64(after.saturating_sub(before)), "link counter", 1.0)
}

/// What QEMU calls zero against what the guest knows to be zero: two accounts of one memory.
fn unexplained_pages(observed: &Observed) -> Found {
    if observed.settings.content == crate::settings::Content::Zero {
        return Err("zero pages are sent again when the workload touches them".to_owned());
    }
    completed(observed)?;
    let total_pages = ram(observed, "total")? / PAGE_BYTES;
    let non_zero = non_zero_bytes(observed).ok_or("the guest's non-zero memory is not known")?;
    let zero_pages = total_pages - non_zero / PAGE_BYTES;
    measured(zero_pages - ram(observed, "duplicate")?, "guest and query-migrate", 1.0)
}

fn amplification(observed: &Observed) -> Found {
    let bytes = ram(observed, "transferred")?;
    let non_zero = non_zero_bytes(observed).ok_or("the guest's non-zero memory is not known")?;
    measured(bytes / non_zero, "query-migrate", 0.001)
}

/// What the guest holds that is not zero: its filled pages and its own.
fn non_zero_bytes(observed: &Observed) -> Option<f64> {
    let filled = match observed.settings.content {
        crate::settings::Content::Zero => 0,
        _ => observed.settings.filled.pages(),
    };
    Some(as_f64(filled + observed.layout?.own_pages) * PAGE_BYTES)
}

fn rounds(observed: &Observed) -> Found {
    let count = ram(observed, "dirty-sync-count")?;
    let stopped = if completed(observed).is_ok() { 2.0 } else { 1.0 };
    // A guest that is sent within QEMU's first 100 ms, before it has an estimate, is stopped
    // without a reading that decides so; it was sent in a round all the same.
    let least =
        if ram(observed, "precopy-bytes").is_ok_and(|bytes| bytes > 0.0) { 1.0 } else { 0.0 };
    measured((count - stopped).max(least), "query-migrate", 1.0)
}

/// Over the live time: the whole of it for a migration that completed, what there was of it for
/// one that did not.
fn throughput(observed: &Observed) -> Found {
    let bytes = ram(observed, "transferred")?;
    let total_s = match completed(observed) {
        Ok(_) => total(observed, "total-time")? / 1e3,
        Err(_) => observed.migration_s - observed.began_s,
    };
    let seconds = total_s - setup_ms(observed).unwrap_or(0.0) / 1e3;
    if seconds <= 0.0 {
        return Err("too short to tell".to_owned());
    }
    measured(bytes / seconds, "query-migrate", bytes / seconds * 0.001 / seconds)
}

fn expected_downtime(observed: &Observed) -> Found {
    let log = migration(observed)?;
    let last = log
        .samples
        .iter()
        .rev()
        .filter(|sample| sample.raw["status"] == "active")
        .find_map(|sample| sample.raw["expected-downtime"].as_f64());
    measured(last.ok_or("no sample while the migration was active")?, "query-migrate", 1.0)
}

fn touch_rate_before(observed: &Observed) -> Found {
    let gate = observed.gate.as_ref().ok_or("the gate did not open")?;
    measured(gate.touch_pages_per_s, "observer", 1.0)
}

fn touch_rate_during(observed: &Observed) -> Found {
    rate_during(observed, |beat| beat.pages_written)
}

/// The beats that came while the guest was migrated and running.
fn live_beats(observed: &Observed) -> Result<&[Beat], String> {
    let log = migration(observed)?;
    let begin_s = observed.began_s + observed.beat_error_s(observed.began_s);
    let end_s = match log.event_s(Side::Source, "STOP") {
        Some(stop_s) => stop_s - observed.place_error_s(Side::Source, stop_s),
        None => observed.migration_s - observed.beat_error_s(observed.migration_s),
    };
    let (Some(first), Some(end)) = (observed.beat_at(begin_s), observed.beat_at(end_s)) else {
        return Err(NO_MIGRATION.to_owned());
    };
    Ok(observed.beats.get(first..end).unwrap_or_default())
}

/// How fast a count grew from the first beat after the beginning to the last before the stop.
fn rate_during(observed: &Observed, count: impl Fn(&Beat) -> u64) -> Found {
    let window = live_beats(observed)?;
    let (Some(begin), Some(end)) = (window.first(), window.last()) else {
        return Err("no heartbeat while the migration was live".to_owned());
    };
    let seconds = as_f64(end.observer_ns - begin.observer_ns) / 1e9;
    if seconds < 0.05 {
        return Err(format!("too short to tell: {:.0} ms live", seconds * 1e3));
    }
    measured(as_f64(count(end).saturating_sub(count(begin))) / seconds, "observer", 1.0 / seconds)
}

/// The touches of the workload while the migration was live, pages per second; `None` when that
/// cannot be told.
pub fn touched_pages_per_s(observed: &Observed) -> Option<f64> {
    touch_rate_during(observed).ok().map(|measured| measured.value)
}

fn slowdown(observed: &Observed) -> Found {
    if observed.settings.touch_rate.0 == 0 {
        return Err("an idle workload cannot slow down".to_owned());
    }
    let (before, during) = (touch_rate_before(observed)?, touch_rate_during(observed)?);
    let resolution = during.resolution / before.value * 100.0;
    measured((1.0 - during.value / before.value) * 100.0, "observer", resolution)
}

/// QEMU renews its rate at dirty bitmap readings more than a second apart; the first round, in
/// which everything counts as dirty, has none.
fn dirty_rate(observed: &Observed) -> Found {
    let log = migration(observed)?;
    let mut rates: Vec<f64> = log
        .samples
        .iter()
        .filter(|sample| sample.raw["status"] == "active")
        .filter_map(|sample| sample.raw["ram"]["dirty-pages-rate"].as_f64())
        .filter(|pages_per_s| *pages_per_s > 0.0)
        .collect();
    rates.dedup();
    rates.sort_by(f64::total_cmp);
    let median = rates.get(rates.len() / 2).copied();
    let pages_per_s = median.ok_or("no two dirty bitmap readings more than a second apart")?;
    measured(pages_per_s * PAGE_BYTES, "query-migrate", PAGE_BYTES)
}

fn verified(observed: &Observed, value: impl Fn(&wire::Verification) -> f64) -> Found {
    let found = observed.verification.as_ref().ok_or("the guest was not verified")?;
    measured(value(found), "guest", 1.0)
}

#[cfg(test)]
mod tests;
