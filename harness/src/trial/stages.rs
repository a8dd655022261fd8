//! The stages of a trial, in their order.

use super::{
    Equipment, Intervention, Live, Order, cause::Seen, gate, measure, observed::Observed,
    outcome::Ended, rounds, stopwatch::Stopwatch, tear_down::Running, witness::Witness,
};
use crate::{
    record::Outcome,
    settings::{BandwidthLimit, Content, Pattern, Settings},
};
use anyhow::{Context, Result};
use lab::{
    RunningLab,
    hypervisor::qemu::{
        Vm, VmSpec,
        migration::{self, End, MigrationOrder, SendCap},
    },
    node::Node,
    units::Bytes,
};
use std::{net::SocketAddrV4, time::Duration};
use wire::{Config, Message, State};

/// Where the target's QEMU listens: any port does in a namespace of the lab's own.
const MIGRATION_PORT: u16 = 49_152;
/// What a single small command on a node may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(10);
/// Until the guest's first heartbeat.
const BOOT_DEADLINE: Duration = Duration::from_secs(20);
/// For the guest to answer a request.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// For the guest to beat again after its move.
const BEAT_DEADLINE: Duration = Duration::from_secs(5);
/// For the gate to open, beyond the time that its window spans.
const GATE_PATIENCE: Duration = Duration::from_secs(10);
/// The guest fills and verifies at least this fast, or it is dead, bytes per second.
const SLOWEST_BYTES_PER_S: u64 = 16 << 20;

/// A stage either lets the next one begin, or ends the trial.
type Stage<T = ()> = Result<T, Ended>;

/// Runs all stages; gives how the trial ended and what the QEMUs said.
pub async fn run(
    lab: &RunningLab,
    equipment: &Equipment,
    order: &Order,
    intervention: Option<&dyn Intervention>,
    observed: &mut Observed,
    watch: &mut Stopwatch,
    live: &mut (dyn FnMut(Live<'_>) + Send),
) -> (Stage, String) {
    let mut running = Running::default();
    let ended =
        stages(lab, equipment, order, intervention, observed, watch, live, &mut running).await;
    live(Live::Stage("tear down"));
    if let Some(witness) = &running.witness {
        observed.beats = witness.beats();
    }
    let log = running.end().await;
    watch.lap(|phases| &mut phases.tear_down_s);
    (ended, log)
}

#[expect(clippy::too_many_arguments, reason = "one trial's whole context, passed once")]
async fn stages(
    lab: &RunningLab,
    equipment: &Equipment,
    order: &Order,
    intervention: Option<&dyn Intervention>,
    observed: &mut Observed,
    watch: &mut Stopwatch,
    live: &mut (dyn FnMut(Live<'_>) + Send),
    running: &mut Running,
) -> Stage {
    live(Live::Stage("start"));
    start(lab, equipment, order, running).await.map_err(failed)?;
    let (Some(source), Some(target), Some(witness)) =
        (&mut running.source, &mut running.target, &mut running.witness)
    else {
        return Err(Ended::new(Outcome::Failed, "the trial's processes did not start"));
    };
    observed.witness_wall_offset_ns = witness.wall_offset_ns;
    let booted = witness.watch(0, BOOT_DEADLINE, |beats| (!beats.is_empty()).then_some(())).await;
    watch.lap(|phases| &mut phases.start_s);
    if booted.is_none() {
        return Err(silent(source, "the guest did not beat after its start", Outcome::Failed).await);
    }

    live(Live::Stage("fill"));
    let migration_order = migration_order(lab, order);
    let (prepared, filled) = tokio::join!(
        migration::prepare(source, target, &migration_order),
        fill(witness, order, observed)
    );
    watch.lap(|phases| &mut phases.fill_s);
    prepared.map_err(failed)?;
    filled?;

    live(Live::Stage("gate"));
    let opened = gate(witness, order).await;
    watch.lap(|phases| &mut phases.gate_s);
    observed.gate = Some(opened?);

    live(Live::Stage("migrate"));
    let moved =
        migrate(lab, order, &migration_order, source, target, witness, observed, live).await;
    watch.lap(|phases| &mut phases.migrate_s);

    live(Live::Stage("verify"));
    let migrated = moved.is_ok();
    let holder = if migrated { &mut *target } else { &mut *source };
    // A guest whose QEMU has died cannot be asked; why it died has been said already.
    if !migrated && holder.ended().is_some() {
        return moved;
    }
    if let (true, Some(intervention)) = (migrated, intervention) {
        intervention.after_move(holder).await.map_err(failed)?;
    }
    let verified = verify(holder, witness, observed).await;
    watch.lap(|phases| &mut phases.verify_s);
    moved.and(verified)
}

fn failed(error: anyhow::Error) -> Ended {
    Ended::new(Outcome::Failed, format!("{error:#}"))
}

/// A guest that does not answer: because its QEMU has died, or because it is dead itself.
async fn silent(vm: &mut Vm, what: &str, outcome: Outcome) -> Ended {
    if vm.ended().is_some() {
        let (exit, words) = vm.wait().await;
        // The guest ends its QEMU when it panics: that is a dead guest, not a dead QEMU.
        let outcome = if words.contains("guest:") { outcome } else { Outcome::Failed };
        return Ended::new(outcome, format!("{what}: QEMU {exit}: {words}"));
    }
    Ended::new(outcome, what)
}

async fn start(
    lab: &RunningLab,
    equipment: &Equipment,
    order: &Order,
    running: &mut Running,
) -> Result<()> {
    let node =
        |index: usize| lab.nodes.get(index).context("a role on a node that the lab does not have");
    let (source, target, witness) =
        (node(order.source)?, node(order.target)?, node(order.witness)?);
    let address = lab.spec.networks.guest.guest_address(0);
    let vm = |node: &Node, incoming: bool| VmSpec {
        binary: equipment.qemu.clone(),
        accelerator: equipment.accelerator,
        memory: order.settings.memory,
        kernel: equipment.guest.clone(),
        address,
        tap: node.tap.clone(),
        incoming,
        memory_file: equipment.memory_folder.as_ref().map(|folder| folder.join(&node.name)),
    };
    let (source_spec, target_spec) = (vm(source, false), vm(target, true));
    let rate = order.settings.link_rate.or(lab.spec.networks.migration.link_rate);
    // The observer listens before the guest can beat.
    running.witness = Some(Witness::start(witness, &equipment.observer, address).await?);
    let (source_vm, target_vm, first, second) = tokio::join!(
        Vm::start(source, &source_spec),
        Vm::start(target, &target_spec),
        source.shape_migration_link(rate),
        target.shape_migration_link(rate),
    );
    running.source = Some(source_vm?);
    running.target = Some(target_vm?);
    first.and(second)
}

fn migration_order(lab: &RunningLab, order: &Order) -> MigrationOrder {
    let target = lab.spec.networks.migration.node_address(order.target);
    MigrationOrder {
        listen: SocketAddrV4::new(target, MIGRATION_PORT),
        downtime_limit: order.settings.downtime_limit.duration(),
        cap: match order.settings.bandwidth_limit {
            BandwidthLimit::Default => SendCap::Default,
            BandwidthLimit::Unlimited => SendCap::Unlimited,
            BandwidthLimit::Capped(rate) => SendCap::BytesPerSecond(rate.0),
        },
        max_time: order.max_time,
    }
}

fn config(order: &Order) -> Config {
    let Settings { working_set, filled, touch_rate, pattern, content, .. } = &order.settings;
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
    }
}

/// Time that a living guest needs at most to walk through so much memory.
fn walk_deadline(bytes: Bytes) -> Duration {
    ANSWER_DEADLINE + Duration::from_secs(bytes.0 / SLOWEST_BYTES_PER_S)
}

async fn fill(witness: &mut Witness, order: &Order, observed: &mut Observed) -> Stage {
    let ask = |request| Message::Configure { request, config: config(order) };
    match witness.request(ask, ANSWER_DEADLINE).await.map_err(failed)? {
        Some(Message::Configured { layout, .. }) => observed.layout = Some(layout),
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
    let deadline = walk_deadline(order.settings.filled);
    let steady = |beats: &[super::witness::Beat]| {
        beats.last().is_some_and(|beat| beat.state == State::Steady).then_some(())
    };
    let filled = witness.watch(0, deadline, steady).await;
    filled.ok_or_else(|| {
        Ended::new(
            Outcome::Failed,
            format!("the guest did not fill its memory within {deadline:?}"),
        )
    })
}

async fn gate(witness: &mut Witness, order: &Order) -> Stage<gate::Opened> {
    let rate = order.settings.touch_rate.0;
    let mut verdict = gate::Verdict::TooEarly;
    let opened = witness
        .watch(0, gate::span(rate) + GATE_PATIENCE, |beats| {
            verdict = gate::judge(beats, rate, order.heartbeat_interval);
            match &verdict {
                gate::Verdict::Open(opened) => Some(*opened),
                _ => None,
            }
        })
        .await;
    opened.ok_or_else(|| {
        let why = match verdict {
            gate::Verdict::Closed(why) => why,
            _ => "too few heartbeats arrived".to_owned(),
        };
        Ended::new(Outcome::Invalid, format!("the gate did not open: {why}"))
    })
}

#[expect(clippy::too_many_arguments, reason = "one trial's whole context, passed once")]
async fn migrate(
    lab: &RunningLab,
    order: &Order,
    migration_order: &MigrationOrder,
    source: &mut Vm,
    target: &mut Vm,
    witness: &mut Witness,
    observed: &mut Observed,
    live: &mut (dyn FnMut(Live<'_>) + Send),
) -> Stage {
    let source_node = &lab.nodes[order.source];
    let wire_before = sent_bytes(source_node).await;
    let migrating =
        migration::migrate(source, target, migration_order, |sample| live(Live::Sample(sample)));
    let log = migrating.await.map_err(failed)?;
    observed.migration_s = log.asked.elapsed().as_secs_f64();
    let wire_after = sent_bytes(source_node).await;
    observed.wire_bytes = wire_before.ok().zip(wire_after.ok());
    let end = log.end.clone();
    let resumed_s = log.event_s(migration::Side::Target, "RESUME");
    observed.migration = Some(log);
    match end {
        End::Completed(_) => {
            observed.beats = witness.beats();
            let from =
                resumed_s.and_then(|at_s| observed.beat_at(at_s)).unwrap_or(observed.beats.len());
            let beats =
                witness.watch(from, BEAT_DEADLINE, |beats| (!beats.is_empty()).then_some(())).await;
            match beats {
                Some(()) => Ok(()),
                None => Err(silent(
                    target,
                    "the guest is dead: no heartbeat after the move",
                    Outcome::Corrupt,
                )
                .await),
            }
        }
        End::TimedOut(answer) => {
            observed.beats = witness.beats();
            Err(Ended::new(Outcome::NotConverged, cause(&answer, order, observed)))
        }
        End::Cancelled => Err(Ended::new(Outcome::Cancelled, "cancelled by somebody else")),
        End::Failed(words) => Err(Ended::new(Outcome::Failed, words)),
    }
}

/// Why a migration did not converge.
fn cause(answer: &serde_json::Value, order: &Order, observed: &Observed) -> String {
    let ram = |key: &str| answer["ram"][key].as_f64();
    let log = observed.migration.as_ref();
    let rounds = log.map(|log| rounds::rounds(log, observed.migration_s)).unwrap_or_default();
    let asked_pages_per_s = f64::from(order.settings.touch_rate.0);
    Seen {
        after_s: observed.migration_s,
        touched_pages_per_s: measure::touched_pages_per_s(observed).unwrap_or(asked_pages_per_s),
        dirty_pages_per_s: ram("dirty-pages-rate"),
        sent_bytes: ram("transferred").unwrap_or(0.0),
        left_bytes: ram("remaining").unwrap_or(0.0),
        rounds: &rounds,
        downtime_limit: order.settings.downtime_limit.duration(),
    }
    .words()
}

/// What the node's migration link has sent so far, bytes.
async fn sent_bytes(node: &Node) -> Result<u64> {
    let counters = node.run(&["cat", "/proc/net/dev"].map(str::to_owned), COMMAND_DEADLINE).await?;
    let line = counters
        .lines()
        .find_map(|line| line.trim().strip_prefix(&format!("{}:", node.migration_device)))
        .context("the migration link has no counter")?;
    // The ninth column: see proc_net_dev's heading, eight receive columns come first.
    let sent = line.split_whitespace().nth(8).context("a counter line of an unknown form")?;
    Ok(sent.parse()?)
}

async fn verify(holder: &mut Vm, witness: &mut Witness, observed: &mut Observed) -> Stage {
    let deadline = walk_deadline(observed.settings.memory);
    let ask = |request| Message::Verify { request };
    match witness.request(ask, deadline).await.map_err(failed)? {
        Some(Message::Verified { verification, .. }) => {
            observed.verification = Some(verification);
            Ok(())
        }
        Some(Message::Refused { refusal, .. }) => Err(Ended::new(
            Outcome::Corrupt,
            format!("the guest refused to be verified: {refusal:?}"),
        )),
        _ => Err(silent(
            holder,
            "the guest is dead: it does not answer to verification",
            Outcome::Corrupt,
        )
        .await),
    }
}
