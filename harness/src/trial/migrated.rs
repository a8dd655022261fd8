//! The stages of a trial whose guest is migrated and nothing else: nobody tells it what to do, and
//! nobody can look into it.

use super::{
    guest::Guest,
    outcome::Ended,
    prober::Prober,
    silence::Quiet,
    stages::{Stage, Trial, failed, moved, unmoved},
};
use crate::record::Outcome;
use lab::hypervisor::qemu::migration::{End, Side};
use std::time::Duration;

/// For it to answer again after its move.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// All of them, from a guest that runs on the source.
pub async fn stages(
    trial: &mut Trial<'_>,
    guest: &mut Guest,
    mut prober: Option<&mut Prober>,
) -> Stage {
    trial.watch.lap(|phases| &mut phases.start_s);
    if let Some(prober) = &mut prober {
        trial.tell("gate");
        let quiet = quiet(trial, prober).await;
        trial.watch.lap(|phases| &mut phases.gate_s);
        trial.observed.witness_wall_offset_ns = prober.wall_offset_ns;
        trial.observed.quiet = Some(quiet?);
    }
    trial.tell("migrate");
    let ended = migrate(trial, guest, prober).await;
    trial.watch.lap(|phases| &mut phases.migrate_s);
    ended
}

/// Waits until the guest's address answers steadily.
async fn quiet(trial: &Trial<'_>, prober: &mut Prober) -> Stage<Quiet> {
    let (interval, gate) = (trial.order.heartbeat_interval, trial.order.gate);
    let lost = gate.heartbeats_lost.fraction();
    let mut why = String::new();
    let look = |probes: &super::silence::Probes| match probes.quiet(interval, lost) {
        Ok(quiet) => Some(quiet),
        Err(not_yet) => {
            why = not_yet;
            None
        }
    };
    let quiet = prober.watch(gate.patience(), look).await.map_err(failed)?;
    quiet.ok_or_else(|| {
        let why = format!("the guest's address does not answer steadily: {why}");
        Ended::new(Outcome::Invalid, why)
    })
}

async fn migrate(trial: &mut Trial<'_>, guest: &mut Guest, prober: Option<&mut Prober>) -> Stage {
    let end = moved(trial, guest).await?;
    let Trial { order, observed, equipment, .. } = trial;
    let End::Completed(_) = end else { return unmoved(&end, order, observed) };
    let Some(prober) = prober else { return Ok(()) };
    // To a request that was sent when the migration was over: an answer before that may be the
    // source's.
    let error_s = observed.beat_error_s(observed.migration_s);
    let over_ns = observed.observer_ns(observed.migration_s + error_s).unwrap_or(i128::MAX);
    let again = |probes: &super::silence::Probes| {
        let first = probes.sent.iter().find(|request| i128::from(request.at_ns) >= over_ns)?;
        probes.answers.iter().any(|answer| answer.number >= first.number).then_some(())
    };
    let deadline = equipment.patient(ANSWER_DEADLINE);
    match prober.watch(deadline, again).await.map_err(failed)? {
        Some(()) => Ok(()),
        None => {
            let what = "the guest's address answers no more after the move";
            Err(guest.silent(Side::Target, what, Outcome::Corrupt).await)
        }
    }
}
