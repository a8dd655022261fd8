//! The stages before the migration: from nothing to a guest whose workload is measurably steady.

use super::{
    Equipment, Live, Order,
    control::Control,
    controlled::Ends,
    gate,
    guest::Guest,
    links, nodes,
    observed::Observed,
    outcome::Ended,
    prober::Prober,
    stages::{Stage, Trial, failed},
    tear_down::Running,
    watcher::Watcher,
    witness::{Beat, Witness},
};
use crate::{
    record::Outcome,
    settings::{Content, Pattern, Settings},
};
use anyhow::Result;
use lab::{hypervisor::qemu::migration::Side, node::Node, units::Bytes};
use std::time::Duration;
use wire::{Config, Message, Refusal, State};

/// Until the guest's first heartbeat.
const BOOT_DEADLINE: Duration = Duration::from_secs(40);
/// For the guest to answer a request.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);
/// The guest fills and verifies at least this fast, or it is dead, bytes per second.
const SLOWEST_BYTES_PER_S: u64 = 16 << 20;

/// Waits until the guest beats, has filled its memory and passes the gate.
pub async fn ready(trial: &mut Trial<'_>, ends: &mut Ends<'_>) -> Stage {
    let Trial { equipment, order, observed, watch, live, .. } = trial;
    let Ends { guest, witness } = ends;
    let boot = equipment.patient(BOOT_DEADLINE);
    let booted = witness.watch(0, boot, |beats| (!beats.is_empty()).then_some(())).await;
    watch.lap(|phases| &mut phases.start_s);
    if booted.map_err(failed)?.is_none() {
        let what = "the guest did not beat after its start";
        return Err(guest.silent(Side::Source, what, Outcome::Failed).await);
    }

    live(Live::Stage("fill"));
    let (prepared, filled) =
        tokio::join!(guest.prepare(), fill(witness, equipment, order, observed));
    watch.lap(|phases| &mut phases.fill_s);
    prepared.map_err(failed)?;
    filled?;

    live(Live::Stage("gate"));
    let opened = gate(witness, order).await;
    watch.lap(|phases| &mut phases.gate_s);
    observed.gate = Some(opened?);
    Ok(())
}

/// Starts the observer and the guest, and shapes the links.
pub async fn start(trial: &Trial<'_>, running: &mut Running) -> Result<()> {
    let Trial { lab, equipment, order, .. } = trial;
    let [source, target, witness] = nodes::of(lab, order)?;
    // The observer listens before the guest can beat.
    running.watcher = Some(watcher(trial, witness).await?);
    let guest = running.guest.insert(Guest::of(lab, equipment, order)?);
    let links = async {
        tokio::try_join!(
            links::shape(lab, source, order),
            links::shape(lab, target, order),
            links::shape(lab, witness, order),
        )
    };
    let (started, shaped) = tokio::join!(guest.start(), links);
    started?;
    shaped.map(drop)
}

/// Starts what watches the guest.
async fn watcher(trial: &Trial<'_>, witness: &Node) -> Result<Watcher> {
    let Trial { lab, equipment, order, .. } = trial;
    // Where it is already, nothing is sent.
    let observer = async || witness.deliver(&equipment.observer).await;
    Ok(match equipment.control(witness.has_shell()) {
        Control::Workload => {
            let address = lab.spec.networks.guest.guest_address(0);
            Watcher::Beats(Witness::start(witness, &observer().await?, address).await?)
        }
        Control::Probes(address) => {
            let (observer, interval) = (observer().await?, order.heartbeat_interval);
            Watcher::Probes(Prober::start(witness, &observer, address, interval).await?)
        }
        Control::Nothing => Watcher::Nobody,
    })
}

fn config(order: &Order) -> Config {
    let Settings { working_set, filled, touch_rate, pattern, content, .. } = &order.settings;
    let Settings { disk, disk_write_rate, .. } = &order.settings;
    Config {
        seed: order.guest_seed,
        working_set_pages: working_set.pages(),
        filled_pages: filled.pages(),
        touch_pages_per_s: touch_rate.0,
        heartbeat_interval_us: u32::try_from(order.heartbeat_interval.as_micros())
            .unwrap_or(u32::MAX),
        pattern: match pattern {
            Pattern::Idle => wire::Pattern::Idle,
            Pattern::Sequential => wire::Pattern::Sequential,
            Pattern::Random => wire::Pattern::Random,
            Pattern::Hotspot => wire::Pattern::Hotspot,
        },
        content: match content {
            Content::Random => wire::Content::Random,
            Content::Sparse => wire::Content::Sparse,
            Content::Zero => wire::Content::Zero,
        },
        disk_blocks: disk.bytes().pages(),
        disk_writes_per_s: disk_write_rate.0,
    }
}

/// Time that a living guest needs at most to walk through so much memory.
pub fn walk_deadline(bytes: Bytes) -> Duration {
    ANSWER_DEADLINE + Duration::from_secs(bytes.0 / SLOWEST_BYTES_PER_S)
}

async fn fill(
    witness: &mut Witness,
    equipment: &Equipment,
    order: &Order,
    observed: &mut Observed,
) -> Stage {
    let ask = |request| Message::Configure { request, config: config(order) };
    match witness.request(ask, equipment.patient(ANSWER_DEADLINE)).await.map_err(failed)? {
        Some(Message::Configured { layout, .. }) => observed.layout = Some(layout),
        Some(Message::Refused { refusal: Refusal::AlreadyConfigured, .. }) => {
            let what = "a guest of an earlier trial answers at the guest's address";
            return Err(Ended::new(Outcome::Failed, what));
        }
        Some(Message::Refused { refusal, .. }) => {
            return Err(Ended::new(
                Outcome::Failed,
                format!("the guest refused its workload: {refusal:?}"),
            ));
        }
        other => {
            let what = format!("the guest did not take its workload (it answered {other:?})");
            return Err(Ended::new(Outcome::Failed, what));
        }
    }
    let deadline = equipment.patient(walk_deadline(order.settings.filled));
    let steady =
        |beats: &[Beat]| beats.last().is_some_and(|beat| beat.state == State::Steady).then_some(());
    let filled = witness.watch(0, deadline, steady).await.map_err(failed)?;
    filled.ok_or_else(|| {
        Ended::new(
            Outcome::Failed,
            format!("the guest did not fill its memory within {deadline:?}"),
        )
    })
}

async fn gate(witness: &mut Witness, order: &Order) -> Stage<gate::Opened> {
    let asked = gate::Asked {
        touch_pages_per_s: order.settings.touch_rate.0,
        disk_blocks_per_s: order.settings.disk_write_rate.0,
        interval: order.heartbeat_interval,
        steadiness: order.gate,
    };
    // No longer where guests are slow: what is not steady by then is not going to be.
    let deadline = gate::span(&asked) + order.gate.patience();
    let mut verdict = gate::Verdict::TooEarly;
    let opened = witness
        .watch(0, deadline, |beats| {
            verdict = gate::judge(beats, &asked);
            match &verdict {
                gate::Verdict::Open(opened) => Some(*opened),
                _ => None,
            }
        })
        .await;
    opened.map_err(failed)?.ok_or_else(|| {
        let why = match verdict {
            gate::Verdict::Closed(why) => why,
            _ => too_few(&witness.beats(), deadline),
        };
        Ended::new(Outcome::Invalid, format!("the gate did not open: {why}"))
    })
}

/// Why there was no window to judge.
fn too_few(beats: &[Beat], deadline: Duration) -> String {
    let unsteady = beats.iter().filter(|beat| beat.state != State::Steady).count();
    let last = beats.last().map_or("none", |beat| match beat.state {
        State::Steady => "steady",
        State::Waiting => "waiting for its workload",
        State::Filling => "filling",
        State::Verifying => "verifying",
    });
    format!(
        "too few heartbeats arrived within {} s: {} in all, {unsteady} of them of a guest that was not \
         steady yet, the last one of one that was {last}",
        deadline.as_secs(),
        beats.len(),
    )
}
