//! The stages of a trial, in their order.

use super::{
    Equipment, Intervention, Live, Order,
    cause::Seen,
    clocks::Clocks,
    guest::{Guest, Migrated},
    links, measure, nodes,
    observed::Observed,
    outcome::Ended,
    ready::{self, walk_deadline},
    rounds,
    stopwatch::Stopwatch,
    tear_down::{Role, Running},
    witness::{Beat, Witness},
};
use crate::record::Outcome;
use lab::{
    RunningLab,
    hypervisor::qemu::migration::{End, Sample, Side},
    units::Bytes,
};
use std::time::Duration;
use wire::Message;

/// For the guest to beat again after its move. A machine whose processors are taken stands still for
/// seconds, and a dead guest is seldom enough to be waited for.
const BEAT_DEADLINE: Duration = Duration::from_secs(15);
/// For the guest's disk to take [`WRITES_AFTER`] writes after its move, beyond the time in which
/// they fall due. A storage that is busy with others takes its time.
const DISK_DEADLINE: Duration = Duration::from_secs(30);
/// Disk writes that the guest is seen to do after its move: more than may have been in flight (4),
/// which the source has done and the guest only learns of now.
const WRITES_AFTER: u32 = 8;
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

/// The guest and who watches it, running.
pub struct Ends<'a> {
    /// The guest.
    pub guest: &'a mut Guest,
    /// The observer.
    pub witness: &'a mut Witness,
}

/// Runs all stages; gives how the trial ended and what was said of the guest.
pub async fn run(trial: &mut Trial<'_>) -> (Stage, String) {
    let mut running = Running::default();
    let ended = match stages(trial, &mut running).await {
        Ok(()) => Ok(()),
        Err(ended) => Err(with_lost_node(trial, &running, ended).await),
    };
    trial.tell("tear down");
    if let Some(witness) = &running.witness {
        trial.observed.beats = witness.beats();
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
    let (Some(guest), Some(witness)) = (&mut running.guest, &mut running.witness) else {
        return Err(Ended::new(Outcome::Failed, "the trial's processes did not start"));
    };
    trial.observed.witness_wall_offset_ns = witness.wall_offset_ns;
    let mut ends = Ends { guest, witness };
    let dies = ends.guest.dies();
    // A QEMU that has died beats no more: that is said at once, not at some deadline.
    let dead = tokio::select! {
        ready = ready::ready(trial, &mut ends) => {
            ready?;
            None
        }
        side = dies => Some(side),
    };
    if let Some(side) = dead {
        return Err(ends.guest.died(side).await);
    }

    trial.tell("migrate");
    let moved = migrate(trial, &mut ends).await;
    trial.watch.lap(|phases| &mut phases.migrate_s);

    trial.tell("verify");
    let migrated = moved.is_ok();
    let holder = if migrated { Side::Target } else { Side::Source };
    // A dead guest, or one whose QEMU has died, cannot be asked; it has been said already.
    let dead = matches!(&moved, Err(ended) if ended.outcome == Outcome::Corrupt);
    if dead || (!migrated && ends.guest.is_dead(holder)) {
        return moved;
    }
    if let (true, Some(intervention), Some(vm)) =
        (migrated, trial.intervention, ends.guest.vm(holder))
    {
        intervention.after_move(vm).await.map_err(failed)?;
    }
    let verified = verify(&mut ends, holder, trial.equipment, &mut trial.observed).await;
    trial.watch.lap(|phases| &mut phases.verify_s);
    match (moved, verified) {
        // Without a verified guest, how the migration ended is not all there is to say.
        (Err(moved), Err(verified)) => {
            let reason = format!("{}; then: {}", moved.reason, verified.reason);
            Err(Ended::new(verified.outcome, reason))
        }
        (moved, verified) => moved.and(verified),
    }
}

/// An error of ours or of a node, as an outcome.
pub fn failed(error: anyhow::Error) -> Ended {
    Ended::new(Outcome::Failed, format!("{error:#}"))
}

async fn migrate(trial: &mut Trial<'_>, ends: &mut Ends<'_>) -> Stage {
    let Trial { lab, equipment, order, observed, live, .. } = trial;
    let Ends { guest, witness } = ends;
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
    let resumed_s = log.event_s(Side::Target, "RESUME");
    observed.migration = Some(log);
    match end {
        End::Completed(_) => {
            observed.beats = witness.beats();
            let surely_s = resumed_s.map(|at_s| at_s + observed.place_error_s(Side::Target, at_s));
            let from =
                surely_s.and_then(|at_s| observed.beat_at(at_s)).unwrap_or(observed.beats.len());
            let deadline = equipment.patient(BEAT_DEADLINE);
            let target_dies = guest.end_dies(Side::Target);
            let beats = tokio::select! {
                beats = witness.watch(from, deadline, |beats| (!beats.is_empty()).then_some(())) => {
                    beats.map_err(failed)?
                }
                () = target_dies => None,
            };
            match beats {
                Some(()) => writes_again(order, witness).await,
                None => {
                    let what = "the guest is dead: no heartbeat after the move";
                    Err(guest.silent(Side::Target, what, Outcome::Corrupt).await)
                }
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

/// Waits until the guest's disk takes writes on the target: that the guest runs there says nothing
/// of its disk. Errors are left to the verification, which tells of them.
async fn writes_again(order: &Order, witness: &mut Witness) -> Stage {
    let rate = order.settings.disk_write_rate;
    if rate.is_zero() {
        return Ok(());
    }
    let beats = witness.beats();
    let before = beats.last().map_or(0, |beat| beat.disk_writes);
    let writing_s = f64::from(WRITES_AFTER) / f64::from(rate.0);
    let deadline = DISK_DEADLINE + Duration::from_secs_f64(writing_s);
    let written = |beats: &[Beat]| {
        let last = beats.last()?;
        let enough = last.disk_writes >= before + u64::from(WRITES_AFTER);
        (enough || last.disk_errors > 0).then_some(())
    };
    let written = witness.watch(beats.len(), deadline, written).await.map_err(failed)?;
    written.ok_or_else(|| {
        let what = format!("the guest's disk took no writes within {deadline:?} after the move");
        Ended::new(Outcome::Corrupt, what)
    })
}

/// Why a migration did not converge.
fn cause(answer: &serde_json::Value, order: &Order, observed: &Observed) -> String {
    let ram = |key: &str| answer["ram"][key].as_f64();
    let rounds = rounds::rounds(observed);
    let asked_pages_per_s = f64::from(order.settings.touch_rate.0);
    Seen {
        after_s: observed.migration_s - observed.began_s,
        touched_pages_per_s: measure::touched_pages_per_s(observed).unwrap_or(asked_pages_per_s),
        dirty_pages_per_s: ram("dirty-pages-rate"),
        sent_bytes: ram("transferred").unwrap_or(0.0),
        left_bytes: ram("remaining").unwrap_or(0.0),
        rounds: &rounds,
        downtime_limit: order.settings.downtime_limit.duration(),
    }
    .words()
}

async fn verify(
    ends: &mut Ends<'_>,
    holder: Side,
    equipment: &Equipment,
    observed: &mut Observed,
) -> Stage {
    let Ends { guest, witness } = ends;
    let settings = &observed.settings;
    let walked = Bytes(settings.memory.0 + settings.disk.bytes().0);
    let deadline = equipment.patient(walk_deadline(walked));
    let ask = |request| Message::Verify { request };
    let holder_dies = guest.end_dies(holder);
    let answer = tokio::select! {
        answer = witness.request(ask, deadline) => answer.map_err(failed)?,
        () = holder_dies => None,
    };
    match answer {
        Some(Message::Verified { verification, .. }) => {
            observed.verification = Some(verification);
            Ok(())
        }
        Some(Message::Refused { refusal, .. }) => Err(Ended::new(
            Outcome::Corrupt,
            format!("the guest refused to be verified: {refusal:?}"),
        )),
        _ => {
            let what = "the guest is dead: it does not answer to verification";
            Err(guest.silent(holder, what, Outcome::Corrupt).await)
        }
    }
}
