//! One trial: a fresh guest is started on the source, gated, migrated to the target while
//! everything is watched, verified, and taken down. What came of it is one record.
//!
//! What goes wrong with the guest or with QEMU is an outcome, not an error: only a lab that is
//! gone stops an experiment.

mod back;
pub(crate) mod cause;
mod clocks;
mod control;
mod controlled;
mod disk;
mod equipment;
pub mod gate;
mod guest;
mod heartbeats;
mod links;
mod measure;
mod migrated;
mod nodes;
mod observed;
mod outcome;
mod prober;
mod ready;
mod rounds;
mod silence;
mod stages;
mod stopwatch;
mod tear_down;
mod watcher;
mod witness;

pub use control::Control;
pub use equipment::{
    Equipment, ExistingGuest, Hypervisor, OwnGuests, ProxmoxBoot, ProxmoxEquipment, ProxmoxGuest,
    QemuEquipment, patience,
};

use crate::{
    experiment::Steadiness,
    prediction,
    record::{Outcome, Record, Roles, SCHEMA},
    series::{self, Series},
    settings::Settings,
};
use lab::{
    RunningLab,
    hypervisor::qemu::{
        Vm,
        migration::{Sample, Side},
    },
    node::Node,
};
use observed::Observed;
use stages::Trial;
use std::{future::Future, pin::Pin, time::Duration};
use stopwatch::Stopwatch;

/// One trial of a plan.
#[derive(Clone, Debug)]
pub struct Order {
    /// Name of the run.
    pub run: String,
    /// Position in the plan.
    pub trial: u32,
    /// The block.
    pub block: u32,
    /// Identity of the cell.
    pub cell: String,
    /// What to do.
    pub settings: Settings,
    /// The driver's rules.
    pub policy: String,
    /// Index of the node where the guest starts.
    pub source: usize,
    /// Index of the node it is migrated to.
    pub target: usize,
    /// Index of the node where the observer runs.
    pub witness: usize,
    /// Seed of pattern and content.
    pub guest_seed: u64,
    /// From one heartbeat to the next.
    pub heartbeat_interval: Duration,
    /// How steady the guest must be before it is migrated.
    pub gate: Steadiness,
    /// When a migration that does not converge is cancelled.
    pub max_time: Duration,
}

/// What a trial tells while it runs.
#[derive(Clone, Copy, Debug)]
pub enum Live<'a> {
    /// It has come to this: `start`, `fill`, `gate`, `migrate`, `verify`, `tear down`.
    Stage(&'static str),
    /// QEMU has answered.
    Sample(&'a Sample),
    /// Before it, a node does not answer, and is waited for.
    Waiting {
        /// The node.
        node: &'a str,
        /// How long.
        at_most: Duration,
    },
}

/// Something done to a guest from outside, between its move and its verification.
pub trait Intervention: Send + Sync {
    /// Does it; `target` runs the guest.
    fn after_move<'a>(
        &'a self,
        target: &'a Vm,
    ) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>>;
}

/// What a trial leaves.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its record.
    pub record: Record,
    /// What was sampled.
    pub series: Series,
    /// What both QEMUs said, when they said anything.
    pub log: String,
}

/// What trials are made on is gone.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Lost {
    /// The lab, and the trial with it.
    #[error(
        "the lab is gone: its supervisor does not answer any more (trial {trial} has no record)"
    )]
    Lab {
        /// Which trial was running.
        trial: u32,
    },
    /// A node, before a trial.
    #[error("{node} is gone, and did not come back within {} s: {reason}", .waited.as_secs())]
    Node {
        /// Its name.
        node: String,
        /// How long it was waited for.
        waited: Duration,
        /// Why it could not be reached.
        reason: String,
        /// Which trial was to begin.
        trial: u32,
    },
    /// A cluster, before a trial.
    #[error("the cluster took no guest within {} s: {reason}", .waited.as_secs())]
    Cluster {
        /// How long it was waited for.
        waited: Duration,
        /// Why it took none.
        reason: String,
        /// Which trial was to begin.
        trial: u32,
    },
}

/// Removes what earlier trials have left on a hypervisor that outlives them; gives what it was, in
/// words. To be called before the first trial, and after the last.
///
/// # Errors
/// When something cannot be removed.
pub async fn sweep(equipment: &Equipment) -> anyhow::Result<Vec<String>> {
    let Hypervisor::Proxmox(proxmox) = &equipment.hypervisor else { return Ok(Vec::new()) };
    let swept = guest::sweep(proxmox).await?;
    let words = swept.iter().map(|swept| {
        let vm = &swept.guest;
        format!("removed VM {} from {}, left by an earlier trial", vm.vmid, vm.node)
    });
    Ok(words.collect())
}

/// Puts a VM that somebody has back where it was found, where trials migrate one; gives what was
/// done, in words. To be called after the last trial, however it ended.
///
/// # Errors
/// When it cannot be put back; the words say where it is.
pub async fn put_back(equipment: &Equipment, max_time: Duration) -> anyhow::Result<Option<String>> {
    let Hypervisor::Proxmox(ProxmoxEquipment {
        client,
        guest: ProxmoxGuest::Existing(ExistingGuest { vm, .. }),
        ..
    }) = &equipment.hypervisor
    else {
        return Ok(None);
    };
    let moved = vm.put_back(client, max_time).await?;
    let words = || format!("put VM {} ({}) back on {}", vm.vmid, vm.name, vm.home);
    Ok(moved.map(|_| words()))
}

/// Runs one trial.
///
/// # Errors
/// Only when the lab is gone, or a node before the trial has begun.
pub async fn run(
    lab: &RunningLab,
    equipment: &Equipment,
    order: &Order,
    intervention: Option<&dyn Intervention>,
    live: &mut (dyn FnMut(Live<'_>) + Send),
) -> Result<Finished, Lost> {
    let has_shell = lab.nodes.iter().all(Node::has_shell);
    let mut host_load = nodes::ready(lab, order, equipment.node_patience, live).await?;
    if let Hypervisor::Proxmox(proxmox) = &equipment.hypervisor {
        guest::ready(lab, proxmox, order, equipment.node_patience, live).await?;
        if !has_shell {
            host_load = guest::load(lab, proxmox, order).await;
        }
    }
    let started = jiff::Timestamp::now();
    let by_proxmox = matches!(equipment.hypervisor, Hypervisor::Proxmox(_));
    let policy = equipment.hypervisor.policy(&order.policy);
    let observed = Observed::new(order.settings.clone(), order.heartbeat_interval);
    let mut trial = Trial {
        lab,
        equipment,
        order,
        intervention,
        observed: Observed { by_proxmox, guest: equipment.other_guest(has_shell), ..observed },
        watch: Stopwatch::start(),
        live,
    };
    let (ended, log) = Box::pin(stages::run(&mut trial)).await;
    let Trial { observed, watch, .. } = trial;
    if !lab.is_alive().await {
        return Err(Lost::Lab { trial: order.trial });
    }
    let ended = outcome::with_integrity(ended, &observed);
    let name =
        |index: usize| lab.nodes.get(index).map(|node| node.name.clone()).unwrap_or_default();
    let mut metrics = measure::metrics(&observed);
    match &observed.guest {
        None => prediction::add(&mut metrics, &order.settings, policy),
        Some(other) => prediction::none(&mut metrics, other.why_unknown()),
    }
    let rounds = rounds::rounds(&observed);
    let record = Record {
        schema: SCHEMA,
        run: order.run.clone(),
        trial: order.trial,
        block: order.block,
        cell: order.cell.clone(),
        started,
        roles: Roles {
            source: name(order.source),
            target: name(order.target),
            witness: name(order.witness),
        },
        settings: order.settings.clone(),
        programs: equipment.programs(&order.settings.qemu),
        guest: observed.guest.clone(),
        policy: policy.to_owned(),
        outcome: ended.as_ref().map_or_else(|ended| ended.outcome, |()| Outcome::Completed),
        reason: ended.err().map(|ended| ended.reason),
        phases: watch.close(&metrics, observed.migration_s),
        metrics,
        rounds,
        host_load,
        clocks: observed.clocks.record(),
        lab_faults: Vec::new(),
    };
    let series = series_of(&observed, &record);
    Ok(Finished { record, series, log })
}

fn series_of(observed: &Observed, record: &Record) -> Series {
    let mut series = Series { rounds: record.rounds.clone(), ..Series::new() };
    if let Some(log) = &observed.migration {
        series.samples =
            log.samples.iter().map(|sample| series::Sample::of(sample.at_s, &sample.raw)).collect();
        series.events = log
            .events
            .iter()
            .map(|event| series::Event {
                t_s: event.at_s,
                side: match event.side {
                    Side::Source => series::Side::Source,
                    Side::Target => series::Side::Target,
                },
                name: event.event.name.clone(),
                data: event.event.data.clone(),
            })
            .collect();
        series.events.sort_by(|a, b| a.t_s.total_cmp(&b.t_s));
    }
    series.beats = observed
        .beats
        .iter()
        .map(|beat| series::Beat {
            observer_ns: beat.observer_ns,
            sequence: beat.sequence,
            guest_ns: beat.guest_ns,
            state: beat.state as u64,
            pages_written: beat.pages_written,
            disk_writes: beat.disk_writes,
        })
        .collect();
    series
}
