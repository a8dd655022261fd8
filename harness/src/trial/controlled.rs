//! The stages of a trial whose guest is ours to command: it works as it is told, beats, and is
//! verified where it ends up.

use super::{
    Equipment, Order,
    guest::Guest,
    observed::Observed,
    outcome::Ended,
    ready::{self, walk_deadline},
    stages::{Stage, Trial, failed, moved, unmoved},
    witness::{Beat, Witness},
};
use crate::record::Outcome;
use lab::{
    hypervisor::qemu::migration::{End, Side},
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

/// The guest and who watches it, running.
pub struct Ends<'a> {
    /// The guest.
    pub guest: &'a mut Guest,
    /// The observer.
    pub witness: &'a mut Witness,
}

/// All of them, from a guest that was started.
pub async fn stages(trial: &mut Trial<'_>, mut ends: Ends<'_>) -> Stage {
    trial.observed.witness_wall_offset_ns = ends.witness.wall_offset_ns;
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

async fn migrate(trial: &mut Trial<'_>, ends: &mut Ends<'_>) -> Stage {
    let Ends { guest, witness } = ends;
    let end = moved(trial, guest).await?;
    let Trial { equipment, order, observed, .. } = trial;
    observed.beats = witness.beats();
    let End::Completed(_) = end else {
        return unmoved(&end, order, observed);
    };
    let log = observed.migration.as_ref();
    let resumed_s = log.and_then(|log| log.event_s(Side::Target, "RESUME"));
    let surely_s = resumed_s.map(|at_s| at_s + observed.place_error_s(Side::Target, at_s));
    let from = surely_s.and_then(|at_s| observed.beat_at(at_s)).unwrap_or(observed.beats.len());
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
