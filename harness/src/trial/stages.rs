//! The stages of a trial, in their order.

use super::{
    Equipment, Intervention, Live, Order,
    cause::Seen,
    clocks::Clocks,
    controlled::{self, Ends},
    guest::{Guest, Migrated},
    links, measure, migrated, nodes,
    observed::Observed,
    outcome::Ended,
    ready, rounds,
    stopwatch::Stopwatch,
    tear_down::{Role, Running},
    watcher::Watcher,
};
use crate::record::Outcome;
use lab::{
    RunningLab,
    hypervisor::qemu::migration::{End, Sample, Side},
};

const MIB: f64 = 1_048_576.0;

/// A stage either lets the next one begin, or ends the trial.
pub type Stage<T = ()> = Result<T, Ended>;

/// One trial at work: what it is made with, and what comes of it.
pub struct Trial<'a> {
    /// The lab, which is up.
    pub lab: &'a RunningLab,
    /// What it is made with.
    pub equipment: &'a Equipment,
    /// What to do.
    pub order: &'a Order,
    /// Something done to the guest between its move and its verification.
    pub intervention: Option<&'a dyn Intervention>,
    /// What is seen.
    pub observed: Observed,
    /// How its time is spent.
    pub watch: Stopwatch,
    /// Who is told how it goes on.
    pub live: &'a mut (dyn FnMut(Live<'_>) + Send),
}

/// Runs all stages; gives how the trial ended and what was said of the guest.
pub async fn run(trial: &mut Trial<'_>) -> (Stage, String) {
    let mut running = Running::default();
    let ended = match stages(trial, &mut running).await {
        Ok(()) => Ok(()),
        Err(ended) => Err(with_lost_node(trial, &running, ended).await),
    };
    trial.tell("tear down");
    if let Some(watcher) = &running.watcher {
        watcher.leave(&mut trial.observed);
    }
    let log = running.end().await;
    trial.watch.lap(|phases| &mut phases.tear_down_s);
    (ended, log)
}

/// A trial that has lost a node says which, and is no word on the guest.
async fn with_lost_node(trial: &Trial<'_>, running: &Running, ended: Ended) -> Ended {
    let Some(role) = running.lost().await else { return ended };
    let Order { source, target, witness, .. } = trial.order;
    let (index, name) = match role {
        Role::Source => (source, "source"),
        Role::Target => (target, "target"),
        Role::Witness => (witness, "witness"),
    };
    let node = trial.lab.nodes.get(*index).map_or("a node", |node| &node.name);
    Ended::new(Outcome::Failed, format!("{node}, the {name}, was lost: {}", ended.reason))
}

impl Trial<'_> {
    /// Tells that it has come to this stage.
    pub fn tell(&mut self, stage: &'static str) {
        (self.live)(Live::Stage(stage));
    }
}

async fn stages(trial: &mut Trial<'_>, running: &mut Running) -> Stage {
    trial.tell("start");
    ready::start(trial, running).await.map_err(failed)?;
    let (Some(guest), Some(watcher)) = (&mut running.guest, &mut running.watcher) else {
        return Err(Ended::new(Outcome::Failed, "the trial's processes did not start"));
    };
    match watcher {
        Watcher::Beats(witness) => controlled::stages(trial, Ends { guest, witness }).await,
        Watcher::Probes(prober) => Box::pin(migrated::stages(trial, guest, Some(prober))).await,
        Watcher::Nobody => Box::pin(migrated::stages(trial, guest, None)).await,
    }
}

/// An error of ours or of a node, as an outcome.
pub fn failed(error: anyhow::Error) -> Ended {
    Ended::new(Outcome::Failed, format!("{error:#}"))
}

/// Migrates the guest, with all that is known of a migration whoever is migrated; gives how it
/// ended.
pub async fn moved(trial: &mut Trial<'_>, guest: &mut Guest) -> Stage<End> {
    let Trial { lab, order, observed, live, .. } = trial;
    let (source_node, link) = (&lab.nodes[order.source], order.settings.network.link());
    let (wire_before, clocks_before) =
        tokio::join!(links::sent_bytes(source_node, link), nodes::clocks(lab, order));
    let clocks_before = clocks_before.map_err(failed)?;
    let mut tell = |sample: &Sample| live(Live::Sample(sample));
    let migrated = guest.migrate(&mut tell).await.map_err(failed)?;
    let Migrated { mut log, began_s, end_s, told } = migrated;
    (observed.began_s, observed.migration_s, observed.told) = (began_s, end_s, told);
    let (wire_after, clocks_after) =
        tokio::join!(links::sent_bytes(source_node, link), nodes::clocks(lab, order));
    observed.wire_bytes = wire_before.ok().zip(wire_after.ok());
    let clocks = Clocks::new(clocks_before, clocks_after.ok());
    log.correct(Side::Source, |theirs_ns| clocks.source.ours_ns(theirs_ns));
    log.correct(Side::Target, |theirs_ns| clocks.target.ours_ns(theirs_ns));
    observed.clocks = clocks;
    let end = log.end.clone();
    observed.migration = Some(log);
    Ok(end)
}

/// An end that is not `completed`, as an outcome.
pub fn unmoved(end: &End, order: &Order, observed: &Observed) -> Stage {
    match end {
        End::Completed(_) => Ok(()),
        End::TimedOut(answer) => {
            Err(Ended::new(Outcome::NotConverged, cause(answer, order, observed)))
        }
        End::Cancelled => Err(Ended::new(Outcome::Cancelled, "cancelled by somebody else")),
        End::Failed(words) => Err(Ended::new(Outcome::Failed, words.as_str())),
    }
}

/// Why a migration did not converge.
fn cause(answer: &serde_json::Value, order: &Order, observed: &Observed) -> String {
    let ram = |key: &str| answer["ram"][key].as_f64();
    let after_s = observed.migration_s - observed.began_s;
    if observed.guest.is_some() {
        let mib = |key| ram(key).map_or_else(|| "?".to_owned(), |it| format!("{:.0}", it / MIB));
        let (sent, left) = (mib("transferred"), mib("remaining"));
        return format!("not done after {after_s:.1} s: {sent} MiB sent, {left} MiB left");
    }
    let rounds = rounds::rounds(observed);
    let asked_pages_per_s = f64::from(order.settings.touch_rate.0);
    Seen {
        after_s,
        touched_pages_per_s: measure::touched_pages_per_s(observed).unwrap_or(asked_pages_per_s),
        dirty_pages_per_s: ram("dirty-pages-rate"),
        sent_bytes: ram("transferred").unwrap_or(0.0),
        left_bytes: ram("remaining").unwrap_or(0.0),
        rounds: &rounds,
        downtime_limit: order.settings.downtime_limit.duration(),
    }
    .words()
}
