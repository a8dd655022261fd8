//! The model lab: another way to turn a trial's order into a record. No node, no guest and no
//! clock take part: [`::model`] predicts the migration, and the deviations of a real trial are
//! laid over the prediction.
//!
//! Pure, and the same for ever for a seed.

mod course;
mod noise;
mod scenario;
mod spec;

pub use scenario::unknown_to_the_model;
pub use spec::ModelLab;

use crate::{
    metric,
    record::{Outcome, Phases, Record, Roles, SCHEMA},
    run::Trials,
    series::Series,
    trial::{Finished, Live, Lost, Order},
};
use course::Course;
use jiff::{SignedDuration, Timestamp};
use noise::Noise;
use scenario::scenario;
use std::future::{self, Future};

/// What records, manifests and reports call its accelerator.
pub const ACCELERATOR: &str = "model";

/// Why a record of the model has no verification: there is nothing that could have been lost.
pub const NOT_CHECKED: &str = "the model lab runs no guest whose memory could be checked";

/// The moment at which every run of the model lab begins, in its own, virtual time.
pub const EPOCH: Timestamp = Timestamp::constant(946_684_800, 0);

/// Makes virtual trials, one after the other.
#[derive(Debug)]
pub struct VirtualTrials {
    lab: ModelLab,
    noise: Noise,
    now: Timestamp,
}

impl VirtualTrials {
    /// Begins where these records of the same run end, so that a run that is taken up again goes
    /// on as if it had never been left; at [`EPOCH`] when there are none. `seed` is the
    /// experiment's.
    #[must_use]
    pub fn new(lab: &ModelLab, seed: u64, before: &[Record]) -> Self {
        let end = |record: &Record| record.started.checked_add(length(record.phases.wall_s)).ok();
        let now = before.iter().filter_map(end).max().unwrap_or(EPOCH);
        Self { lab: lab.clone(), noise: Noise::new(seed), now }
    }

    /// Makes a trial.
    #[must_use]
    pub fn trial(&mut self, order: &Order) -> Record {
        let scenario = scenario(order, &self.lab);
        let predicted = scenario.predict();
        let deviation = self.noise.of(order.block, &scenario, predicted.converged);
        let course = Course::of(&scenario, &predicted, &deviation);
        let migrate_s = course.total_ms / 1e3;
        let started = self.now;
        self.now = started.checked_add(length(migrate_s)).unwrap_or(started);
        let name = |index: usize| self.lab.nodes.get(index).cloned().unwrap_or_default();
        Record {
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
            programs: None,
            guest: None,
            policy: order.policy.clone(),
            outcome: if course.converged { Outcome::Completed } else { Outcome::NotConverged },
            reason: (!course.converged).then(|| course.reason(order)),
            metrics: course.metrics(order, &deviation),
            rounds: course.rounds,
            // Nothing but the migration takes any of its time.
            phases: Phases { migrate_s, wall_s: migrate_s, ..Phases::default() },
            host_load: 0.0,
            clocks: None,
            lab_faults: Vec::new(),
        }
    }
}

/// To the microsecond, so that times come out the same everywhere.
fn length(seconds: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64((seconds * 1e6).round() / 1e6).unwrap_or_default()
}

impl Trials for VirtualTrials {
    const KEEPS_SERIES: bool = false;

    fn trial(
        &mut self,
        order: &Order,
        _live: &mut (dyn FnMut(Live<'_>) + Send),
    ) -> impl Future<Output = Result<Finished, Lost>> {
        let record = self.trial(order);
        future::ready(Ok(Finished { record, series: Series::new(), log: String::new() }))
    }
}

/// Metrics that a record of the model may have; all others are unavailable.
pub const METRICS: &[&str] = &[
    metric::TOTAL_TIME,
    metric::SETUP_TIME,
    metric::DOWNTIME_REPORTED,
    metric::VCPU_PAUSE,
    metric::SERVICE_GAP,
    metric::STREAM_BYTES,
    metric::STOP_BYTES,
    metric::AMPLIFICATION,
    metric::ROUNDS,
    metric::SYNC_COUNT,
    metric::THROUGHPUT,
    metric::NOMINAL_SPEED,
    metric::REMAINING,
    metric::TOUCH_RATE_SET,
];

#[cfg(test)]
mod tests;
