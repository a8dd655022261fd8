//! One virtual migration: what the model predicts, with a real trial's deviations laid over it.

use super::{METRICS, NOT_CHECKED, noise::Deviation};
use crate::{
    metric, prediction,
    record::{Measured, Metric, Round},
    settings::{Content, MigrationNetwork},
    trial::{Order, cause::Seen},
};
use model::{CASES, Case, Prediction, Scenario};
use std::collections::BTreeMap;

const PAGE_BYTES: f64 = 4096.0;

/// How a virtual migration went.
pub(super) struct Course {
    /// Whether it completed within its time.
    pub(super) converged: bool,
    /// From its beginning to its end, or to its cancellation, whole milliseconds.
    pub(super) total_ms: f64,
    /// Its rounds.
    pub(super) rounds: Vec<Round>,
    setup_ms: f64,
    downtime_ms: f64,
    stream_bytes: f64,
    stop_bytes: f64,
    live_rounds: f64,
}

/// A value, or why there is none.
type Found = Result<f64, String>;

const NOT_COMPLETED: &str = "the migration did not complete";

impl Course {
    /// The migration of this scenario, with this deviation.
    pub(super) fn of(scenario: &Scenario, predicted: &Prediction, deviation: &Deviation) -> Self {
        let ratio = |name| deviation.ratio(name).unwrap_or(1.0);
        let deviant_ms = (predicted.total_time_s * 1e3 * ratio(metric::TOTAL_TIME)).round();
        let max_ms = (scenario.max_time_s * 1e3).round();
        let converged = predicted.converged && deviant_ms <= max_ms;
        let total_ms = if converged { deviant_ms } else { max_ms };
        // One that would have completed is cut off where it is then.
        let share = if predicted.converged && !converged { max_ms / deviant_ms } else { 1.0 };
        Self {
            converged,
            total_ms,
            rounds: rounds(scenario, predicted, converged, total_ms / 1e3),
            setup_ms: (scenario.costs.setup_s * 1e3).round(),
            downtime_ms: predicted.downtime_s * 1e3 * ratio(metric::DOWNTIME_REPORTED),
            stream_bytes: (predicted.stream_bytes * ratio(metric::STREAM_BYTES) * share).round(),
            stop_bytes: (predicted.stop_bytes * ratio(metric::STOP_BYTES)).round(),
            live_rounds: (f64::from(predicted.rounds)
                + deviation.difference(metric::ROUNDS).unwrap_or(0.0))
            .round()
            .max(1.0),
        }
    }

    /// All metrics: those that the model gives, and of all others that it does not.
    pub(super) fn metrics(&self, order: &Order, real: &Deviation) -> BTreeMap<String, Metric> {
        let own = metric::ALL.iter();
        let mut metrics: BTreeMap<String, Metric> = own
            .map(|definition| {
                let name = definition.name;
                let metric = match self.find(name, order, real) {
                    Ok(value) => Metric::Measured(Measured {
                        value,
                        unit: definition.unit.to_owned(),
                        source: if name == metric::TOUCH_RATE_SET { "experiment" } else { "model" }
                            .to_owned(),
                        resolution: resolution(name),
                        interval: None,
                    }),
                    Err(why) => Metric::Unavailable(why),
                };
                (name.to_owned(), metric)
            })
            .collect();
        // Those that follow from the others, as for any record.
        prediction::add(&mut metrics, &order.settings, &order.policy);
        for (name, metric) in &mut metrics {
            if name.starts_with("predicted_") || name.starts_with("model_error_") {
                *metric = Metric::Unavailable("this trial is a prediction itself".to_owned());
            }
        }
        metrics
    }

    fn find(&self, name: &str, order: &Order, real: &Deviation) -> Found {
        let settings = &order.settings;
        let total_s = self.total_ms / 1e3;
        match name {
            metric::PAGES_CHECKED | metric::PAGES_WRONG | metric::COUNTER_BEHIND => {
                Err(NOT_CHECKED.to_owned())
            }
            name if !METRICS.contains(&name) => Err(format!("the model lab measures no {name}")),
            metric::SETUP_TIME => Ok(self.setup_ms),
            metric::STREAM_BYTES => Ok(self.stream_bytes),
            metric::ROUNDS => Ok(self.live_rounds),
            // With the first reading, and the one at the stop.
            metric::SYNC_COUNT => Ok(self.live_rounds + if self.converged { 2.0 } else { 1.0 }),
            metric::THROUGHPUT => Ok(self.stream_bytes / (total_s - self.setup_ms / 1e3)),
            metric::AMPLIFICATION => match settings.content {
                Content::Zero => Err("the guest holds nothing but zeros".to_owned()),
                _ => Ok(self.stream_bytes / (settings.filled.0 as f64)),
            },
            metric::TOUCH_RATE_SET => Ok(f64::from(settings.touch_rate.0)),
            metric::REMAINING if self.converged => {
                Err("the migration converged or failed".to_owned())
            }
            metric::REMAINING => {
                let ratio = real.ratio(metric::REMAINING).unwrap_or(1.0);
                Ok((self.stop_bytes * ratio / PAGE_BYTES).round() * PAGE_BYTES)
            }
            // Where heartbeats share the migration's link they wait in its queue: nothing of that
            // is in the model or in the noise.
            metric::SERVICE_GAP if settings.network == MigrationNetwork::Shared => {
                Err("the model does not know how heartbeats fare on the migration's link"
                    .to_owned())
            }
            _ if !self.converged => Err(NOT_COMPLETED.to_owned()),
            metric::TOTAL_TIME => Ok(self.total_ms),
            metric::STOP_BYTES => Ok(self.stop_bytes),
            metric::NOMINAL_SPEED => Ok(settings.memory.0 as f64 / total_s),
            metric::DOWNTIME_REPORTED => Ok(self.downtime_ms.round()),
            metric::VCPU_PAUSE | metric::SERVICE_GAP => self.outage_ms(name, real),
            name => Err(format!("the model lab measures no {name}")),
        }
    }

    /// What other clocks see of the downtime: as much more or less of it as in the real cell, with
    /// the real trial's own deviation.
    fn outage_ms(&self, name: &str, real: &Deviation) -> Found {
        let ratio = real
            .ratio(name)
            .ok_or("the real trial that this one's noise is of has none (below resolution)")?;
        let reported = real.ratio(metric::DOWNTIME_REPORTED).unwrap_or(1.0);
        let undisturbed = self.downtime_ms / reported;
        let seen = undisturbed + real.between(name, metric::DOWNTIME_REPORTED);
        Ok((seen.max(0.0) * ratio * 1e3).round() / 1e3)
    }

    /// Why it did not converge.
    pub(super) fn reason(&self, order: &Order) -> String {
        let words = Seen {
            after_s: self.total_ms / 1e3,
            touched_pages_per_s: f64::from(order.settings.touch_rate.0),
            dirty_pages_per_s: None,
            sent_bytes: self.stream_bytes,
            left_bytes: self.stop_bytes,
            rounds: &self.rounds,
            downtime_limit: order.settings.downtime_limit.duration(),
        }
        .words();
        format!("{words} (by the model)")
    }
}

/// Smallest difference that a value has, in its unit: as the sources of a real lab have it.
fn resolution(name: &str) -> f64 {
    match name {
        metric::VCPU_PAUSE | metric::SERVICE_GAP | metric::AMPLIFICATION => 0.001,
        metric::REMAINING => PAGE_BYTES,
        _ => 1.0,
    }
}

/// The rounds of a case that goes as most do, drawn out to the time that the migration took.
fn rounds(
    scenario: &Scenario,
    predicted: &Prediction,
    converged: bool,
    total_s: f64,
) -> Vec<Round> {
    let cases = || (0..CASES).map(|number| Case::spread(number, CASES));
    let alike = |case: &Case| {
        let course = scenario.course(*case);
        course.converged == predicted.converged && course.rounds == predicted.rounds
    };
    let Some(case) = cases().find(alike).or_else(|| cases().next()) else { return Vec::new() };
    let mut readings = Vec::new();
    let course = scenario.course_seen(case, |sync| readings.push(*sync));
    let (setup_s, stop_s) = (scenario.costs.setup_s, scenario.costs.setup_s + course.live_time_s);
    let stretch = total_s / course.total_time_s;
    let mut rounds: Vec<Round> = readings
        .iter()
        .map(|reading| Round {
            number: reading.number,
            start_s: (setup_s + reading.at_s) * stretch,
            duration_s: 0.0,
            bytes: None,
            remaining_bytes: Some(whole(reading.pending_bytes)),
            stopped: false,
        })
        .collect();
    if course.converged && converged {
        rounds.push(Round {
            number: readings.last().map_or(1, |last| last.number + 1),
            start_s: stop_s * stretch,
            duration_s: 0.0,
            bytes: Some(whole(course.stop_bytes)),
            remaining_bytes: Some(whole(course.stop_bytes)),
            stopped: true,
        });
    }
    let ends: Vec<f64> =
        rounds.iter().skip(1).map(|round| round.start_s).chain([total_s]).collect();
    for (round, end_s) in rounds.iter_mut().zip(ends) {
        // To the microsecond, as event stamps are.
        round.duration_s = ((end_s - round.start_s).max(0.0) * 1e6).round() / 1e6;
        round.start_s = (round.start_s * 1e6).round() / 1e6;
    }
    rounds
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bytes of a guest; a saturating cast is right for what is none"
)]
fn whole(bytes: f64) -> u64 {
    bytes.round() as u64
}
