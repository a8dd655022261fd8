//! Metrics of migrations by Proxmox: its own figures, and what it adds before and after QEMU.

use super::{Found, NO_MIGRATION, completed, measured, migration};
use crate::{
    metric,
    record::Measured,
    trial::{guest::Told, observed::Observed},
};
use lab::hypervisor::qemu::migration::{MigrationLog, Side, SideEvent};

/// Where its own figures come from.
const TASK_LOG: &str = "task log";

pub(super) fn find(name: &str, observed: &Observed) -> Found {
    match name {
        metric::PROXMOX_DOWNTIME => {
            let average = average(observed)?;
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of a trial")]
            let downtime_ms = average.downtime_ms as f64;
            measured(downtime_ms, TASK_LOG, 1.0)
        }
        metric::PROXMOX_SPEED => {
            let speed = average(observed)?.speed;
            let (bytes, within) = (super::as_f64(speed.bytes), super::as_f64(speed.within_bytes));
            let interval = Some([bytes - within, bytes + within]);
            measured(bytes, TASK_LOG, 2.0 * within).map(|found| Measured { interval, ..found })
        }
        metric::LAST_DOWNTIME_LIMIT => {
            let limit_ms = told(observed)?.task.last_limit_ms();
            measured(limit_ms.ok_or("Proxmox's log ends before it sets one")?, TASK_LOG, 1.0)
        }
        metric::LIMIT_INCREASES => {
            let task = &told(observed)?.task;
            task.last_limit_ms().ok_or("Proxmox's log ends before it sets one")?;
            let increases = u32::try_from(task.increases.len()).unwrap_or(u32::MAX);
            measured(f64::from(increases), TASK_LOG, 1.0)
        }
        metric::BEGIN_DELAY => {
            let began_s = told(observed)?.began_s;
            let began_s = began_s.ok_or("QEMU was not heard of while it migrated")?;
            measured(began_s * 1e3, "query-migrate", 1.0)
        }
        metric::RESUME_DELAY => resume_delay(observed),
        _ => Err("not measured by this version".to_owned()),
    }
}

fn told(observed: &Observed) -> Result<&Told, String> {
    observed.told.as_ref().ok_or_else(|| NO_MIGRATION.to_owned())
}

fn average(
    observed: &Observed,
) -> Result<lab::hypervisor::proxmox::migration_log::Average, String> {
    let told = told(observed)?;
    completed(observed)?;
    told.task.average.ok_or_else(|| "Proxmox's log does not say".to_owned())
}

/// When the source's QEMU was done: from when at the earliest until when at the latest, and what
/// told it.
struct Done {
    earliest_s: f64,
    at_s: f64,
    latest_s: f64,
    source: &'static str,
}

fn done(observed: &Observed, log: &MigrationLog) -> Option<Done> {
    let is_it = |event: &&SideEvent| {
        event.side == Side::Source
            && event.event.name == "MIGRATION"
            && event.event.data["status"] == "completed"
    };
    if let Some(event) = log.events.iter().find(is_it) {
        let (at_s, source) = (event.at_s, "qmp events");
        let error_s = observed.event_error_s(Side::Source, at_s);
        return Some(Done { earliest_s: at_s - error_s, at_s, latest_s: at_s + error_s, source });
    }
    let samples = &log.samples;
    let at = samples.iter().position(|sample| sample.raw["status"] == "completed")?;
    let at_s = samples[at].at_s;
    let earliest_s = at.checked_sub(1).map_or(observed.began_s, |before| samples[before].at_s);
    Some(Done { earliest_s, at_s, latest_s: at_s, source: "query-migrate and qmp events" })
}

fn resume_delay(observed: &Observed) -> Found {
    told(observed)?;
    completed(observed)?;
    let log = migration(observed)?;
    let resume_s = log.event_s(Side::Target, "RESUME").ok_or("no RESUME event")?;
    let done = done(observed, log).ok_or("the source's QEMU was not heard to be done")?;
    let error_s = observed.event_error_s(Side::Target, resume_s);
    let delay_ms = (resume_s - done.at_s) * 1e3;
    let interval_ms =
        [(resume_s - error_s - done.latest_s) * 1e3, (resume_s + error_s - done.earliest_s) * 1e3];
    let [low_ms, high_ms] = interval_ms;
    if high_ms - low_ms <= 0.0 {
        // One clock, with the stamps' microseconds.
        return measured(delay_ms, done.source, 0.001);
    }
    let resolution_ms = ((high_ms - low_ms) / 2.0).max(0.001);
    let interval = Some([low_ms.max(0.0), high_ms]);
    measured(delay_ms.max(0.0), done.source, resolution_ms)
        .map(|found| Measured { interval, ..found })
}

#[cfg(test)]
mod tests;
