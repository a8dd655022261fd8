//! Drives one pre-copy migration between two QEMUs and keeps everything they say about it.
//!
//! QEMU itself sets no limit on rounds, bytes or time, so the driver does. Nothing is judged
//! here: the caller gets the raw answers and events with their times.

use super::{
    qmp::{Event, QmpError},
    vm::Vm,
};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::{
    net::SocketAddrV4,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// `query-migrate` is asked this often: 40 times a second.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(25);

/// How long QEMU may take for what is its own affair: final totals, a cancellation, a resume.
const SETTLE_DEADLINE: Duration = Duration::from_secs(30);

/// A cap above anything a link carries, in bytes per second: "unlimited" that every version
/// understands (0 does not mean the same in all of them).
const UNLIMITED_BYTES_PER_S: u64 = 1 << 40;

/// QEMU's cap on its own sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendCap {
    /// QEMU's default, 128 MiB/s in all versions so far.
    Default,
    /// None.
    Unlimited,
    /// This many bytes per second.
    BytesPerSecond(u64),
}

/// What a migration is to do.
#[derive(Clone, Copy, Debug)]
pub struct MigrationOrder {
    /// Where the target listens.
    pub listen: SocketAddrV4,
    /// The downtime QEMU aims at.
    pub downtime_limit: Duration,
    /// QEMU's cap on its own sending; it does not bind the stop phase.
    pub cap: SendCap,
    /// When the driver gives up and cancels.
    pub max_time: Duration,
}

/// One answer to `query-migrate`.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Seconds since `migrate` was asked; when the answer came.
    pub at_s: f64,
    /// The answer.
    pub raw: Value,
}

/// From which end an event came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where the guest was.
    Source,
    /// Where it is going.
    Target,
}

/// An event of either end.
#[derive(Clone, Debug)]
pub struct SideEvent {
    /// Which end.
    pub side: Side,
    /// Seconds since `migrate` was asked, by this machine's clock: QEMU's stamp as it is, until
    /// [`MigrationLog::correct`] is told how the clock of that end's node differs.
    pub at_s: f64,
    /// The event.
    pub event: Event,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// With these totals: the last answer to `query-migrate`.
    Completed(Value),
    /// The driver cancelled at `max_time`; the last answer before.
    TimedOut(Value),
    /// Somebody else cancelled.
    Cancelled,
    /// QEMU gave up or died; its own words.
    Failed(String),
}

/// Everything that was said.
#[derive(Clone, Debug)]
pub struct MigrationLog {
    /// When `migrate` was asked, nanoseconds since 1970 by this machine's wall clock.
    pub asked_wall_ns: u128,
    /// When it was asked.
    pub asked: Instant,
    /// Answers to `query-migrate`, in order.
    pub samples: Vec<Sample>,
    /// Events of both ends, in the order in which they reached us.
    pub events: Vec<SideEvent>,
    /// How it ended.
    pub end: End,
}

/// Prepares both ends, before the gate: what a migration needs that costs time of its own.
///
/// # Errors
/// When a QEMU refuses or is gone.
pub async fn prepare(source: &Vm, target: &Vm, order: &MigrationOrder) -> Result<()> {
    // `events` is off in QEMU's defaults; without it rounds could not be told apart.
    let capabilities = [("events", true), ("return-path", true)];
    tokio::try_join!(
        source.set_capabilities(&capabilities),
        target.set_capabilities(&capabilities)
    )?;
    let mut parameters =
        json!({ "downtime-limit": u64::try_from(order.downtime_limit.as_millis())? });
    match order.cap {
        SendCap::Default => {}
        SendCap::Unlimited => parameters["max-bandwidth"] = UNLIMITED_BYTES_PER_S.into(),
        SendCap::BytesPerSecond(bytes) => parameters["max-bandwidth"] = bytes.into(),
    }
    source.ask("migrate-set-parameters", parameters).await?;
    target.ask("migrate-incoming", json!({ "uri": uri(order) })).await?;
    Ok(())
}

fn uri(order: &MigrationOrder) -> String {
    format!("tcp:{}", order.listen)
}

/// Migrates, and calls `live` with every sample. What goes wrong is an [`End`], not an error.
///
/// # Errors
/// Only when QEMU says what it never should.
pub async fn migrate(
    source: &mut Vm,
    target: &mut Vm,
    order: &MigrationOrder,
    mut live: impl FnMut(&Sample),
) -> Result<MigrationLog> {
    let asked_wall_ns = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let mut log = MigrationLog {
        asked_wall_ns,
        asked: Instant::now(),
        samples: Vec::new(),
        events: Vec::new(),
        end: End::Cancelled,
    };
    let end = match source.ask("migrate", json!({ "uri": uri(order) })).await {
        Ok(_) => follow(source, target, order, &mut log, &mut live).await,
        Err(error) => Err(error),
    };
    log.end = match end {
        Ok(end) => end,
        Err(error) => End::Failed(words_of(error, source, target).await),
    };
    log.drain(source, target);
    Ok(log)
}

impl MigrationLog {
    /// Keeps an event, its time as its end's stamp has it.
    pub(crate) fn keep(&mut self, side: Side, event: Event) {
        let at_s = self.since_asked_s(event.host_ns());
        self.events.push(SideEvent { side, at_s, event });
    }

    /// Seconds from when `migrate` was asked to a time of our wall clock.
    fn since_asked_s(&self, wall_ns: i128) -> f64 {
        let since_ns = wall_ns - i128::try_from(self.asked_wall_ns).unwrap_or(0);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a migration's nanoseconds are far below 2^53"
        )]
        let since_ns = since_ns as f64;
        since_ns / 1e9
    }

    /// Corrects the times of one end's events, whose stamps are of another clock than ours:
    /// `ours` turns nanoseconds since 1970 by that clock into such by this machine's.
    pub fn correct(&mut self, side: Side, ours: impl Fn(i128) -> i128) {
        let mut events = std::mem::take(&mut self.events);
        for event in events.iter_mut().filter(|event| event.side == side) {
            event.at_s = self.since_asked_s(ours(event.event.host_ns()));
        }
        self.events = events;
    }

    /// Takes over what has arrived and not been looked at.
    fn drain(&mut self, source: &mut Vm, target: &mut Vm) {
        while let Ok(event) = source.events.try_recv() {
            self.keep(Side::Source, event);
        }
        while let Ok(event) = target.events.try_recv() {
            self.keep(Side::Target, event);
        }
    }

    /// Seconds since `migrate` was asked at which this event first came from that end.
    #[must_use]
    pub fn event_s(&self, side: Side, name: &str) -> Option<f64> {
        self.events
            .iter()
            .find(|event| event.side == side && event.event.name == name)
            .map(|event| event.at_s)
    }

    /// Times of the source's dirty bitmap readings, in order, with their numbers.
    pub fn passes(&self) -> impl Iterator<Item = (u64, f64)> {
        self.events
            .iter()
            .filter(|event| event.side == Side::Source && event.event.name == "MIGRATION_PASS")
            .filter_map(|event| Some((event.event.data["pass"].as_u64()?, event.at_s)))
    }

    async fn sample(&mut self, source: &Vm) -> Result<Value> {
        let raw = source.ask("query-migrate", Value::Null).await?;
        self.samples.push(Sample { at_s: self.asked.elapsed().as_secs_f64(), raw: raw.clone() });
        Ok(raw)
    }
}

async fn follow(
    source: &mut Vm,
    target: &mut Vm,
    order: &MigrationOrder,
    log: &mut MigrationLog,
    live: &mut impl FnMut(&Sample),
) -> Result<End> {
    let mut tick = interval(SAMPLE_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let give_up = tokio::time::sleep_until((log.asked + order.max_time).into());
    tokio::pin!(give_up);
    loop {
        tokio::select! {
            event = source.events.recv() => {
                let event = event.context("the source's QEMU is gone")?;
                let status = migration_status(&event);
                log.keep(Side::Source, event);
                match status.as_deref() {
                    Some("completed") => break,
                    Some("failed") => {
                        let raw = log.sample(source).await?;
                        bail!("{}", raw["error-desc"].as_str().unwrap_or("QEMU gives no reason"));
                    }
                    Some("cancelled") => return Ok(End::Cancelled),
                    _ => {}
                }
            }
            event = target.events.recv() => {
                let event = event.context("the target's QEMU is gone")?;
                let failed = migration_status(&event).as_deref() == Some("failed");
                log.keep(Side::Target, event);
                if failed {
                    bail!("the target failed to receive the guest");
                }
            }
            _ = tick.tick() => {
                log.sample(source).await?;
                if let Some(sample) = log.samples.last() {
                    live(sample);
                }
            }
            () = &mut give_up => match give_up_on(source, log).await? {
                Some(last) => return Ok(End::TimedOut(last)),
                None => break,
            },
        }
    }
    let totals = totals(source, log).await?;
    wait_for(target, Side::Target, log, |event| event.name == "RESUME")
        .await
        .context("the target did not resume the guest")?;
    Ok(End::Completed(totals))
}

/// The final numbers. QEMU before 9.0 says `completed` before it has them.
async fn totals(source: &Vm, log: &mut MigrationLog) -> Result<Value> {
    let asking = async {
        loop {
            let raw = log.sample(source).await?;
            let there = |key: &str| raw[key].as_u64().is_some_and(|ms| ms > 0);
            if there("total-time") && raw["downtime"].as_u64().is_some() {
                return Ok(raw);
            }
        }
    };
    timeout(SETTLE_DEADLINE, asking).await.context("QEMU said `completed` and gave no totals")?
}

/// Cancels a migration that has run for too long; gives the last answer before. `None`: it has
/// completed in this very moment.
async fn give_up_on(source: &mut Vm, log: &mut MigrationLog) -> Result<Option<Value>> {
    let last = log.sample(source).await?;
    source.ask("migrate_cancel", Value::Null).await?;
    let ended = wait_for(source, Side::Source, log, |event| {
        matches!(migration_status(event).as_deref(), Some("cancelled" | "completed" | "failed"))
    });
    let status = migration_status(&ended.await?);
    // QEMU (seen: 10.0) shuts the return path down before it marks the migration as being
    // cancelled. When its own threads notice in between, it says `failed`, about our cancellation.
    Ok((status.as_deref() != Some("completed")).then_some(last))
}

async fn wait_for(
    vm: &mut Vm,
    side: Side,
    log: &mut MigrationLog,
    wanted: impl Fn(&Event) -> bool,
) -> Result<Event> {
    if let Some(seen) = log.events.iter().find(|event| event.side == side && wanted(&event.event)) {
        return Ok(seen.event.clone());
    }
    let waiting = async {
        loop {
            let event = vm.events.recv().await.context("QEMU is gone")?;
            log.keep(side, event.clone());
            if wanted(&event) {
                return Ok(event);
            }
        }
    };
    timeout(SETTLE_DEADLINE, waiting).await.context("QEMU does not say how it went on")?
}

fn migration_status(event: &Event) -> Option<String> {
    (event.name == "MIGRATION").then(|| event.data["status"].as_str().map(str::to_owned)).flatten()
}

/// An error in QEMU's own words where it has some: when an end has died, how and with what.
async fn words_of(error: anyhow::Error, source: &mut Vm, target: &mut Vm) -> String {
    let mut words = match error.downcast_ref::<QmpError>() {
        Some(refused) => refused.to_string(),
        None => format!("{error:#}"),
    };
    for (name, vm) in [("source", source), ("target", target)] {
        // An end that has died is known to have died a moment after its pipes have closed.
        let died = timeout(Duration::from_millis(200), vm.wait()).await;
        if let Ok((exit, last)) = died {
            words += &format!("; the {name}'s QEMU {exit}");
            if !last.is_empty() {
                words += &format!(": {last}");
            }
        }
    }
    words
}
