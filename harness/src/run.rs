//! Runs what is left of a plan, one trial after the other, and keeps each record as soon as
//! there is one.

use crate::{
    experiment::Experiment,
    plan::{Plan, PlannedTrial},
    record::Record,
    run_folder::{self, RunWriter},
    stopping::{Stopping, Tally},
    trial::{self, Equipment, Finished, Intervention, Live, Lost, Order},
};
use lab::RunningLab;
use std::future::Future;

/// What happens while a run goes on.
#[derive(Debug)]
pub enum Happening<'a> {
    /// A trial begins.
    Begins {
        /// How many are finished.
        done: usize,
        /// How many there are in all.
        of: usize,
        /// The trial.
        trial: &'a PlannedTrial,
        /// Its cell's identity.
        cell: &'a str,
    },
    /// It goes on.
    Live(Live<'a>),
    /// It has a record.
    Ends(&'a Record),
    /// A block is complete after which the run may end: what is known now.
    BlockEnds(&'a Stopping),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Every trial of the plan has a record, or every median is as precise as was asked for.
    Finished,
    /// The user broke it off; the trial that was running has no record.
    Interrupted,
}

/// Why a run cannot go on. What is finished is kept.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The lab is gone, or one of its nodes.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// A record could not be kept.
    #[error("failed to keep a record")]
    Folder(#[from] run_folder::Error),
    /// What the QEMUs said could not be kept.
    #[error("failed to write {0}")]
    Log(camino::Utf8PathBuf, #[source] std::io::Error),
}

/// What a run is made with.
#[derive(Clone, Copy)]
pub struct Runner<'a> {
    /// The lab, which is up.
    pub lab: &'a RunningLab,
    /// What trials are made with.
    pub equipment: &'a Equipment,
    /// The experiment.
    pub experiment: &'a Experiment,
    /// Its plan.
    pub plan: &'a Plan,
    /// What is wrong with the lab, which every record says.
    pub lab_faults: &'a [String],
    /// Something done to every guest between its move and its verification.
    pub intervention: Option<&'a dyn Intervention>,
}

/// What turns an order into a record: a lab with its guests, or the model.
pub trait Trials {
    /// Whether anything is sampled in a trial that is to be kept beside its record.
    const KEEPS_SERIES: bool;

    /// Makes one trial.
    ///
    /// # Errors
    /// Only when the lab is gone, or a node.
    fn trial(
        &mut self,
        order: &Order,
        live: &mut (dyn FnMut(Live<'_>) + Send),
    ) -> impl Future<Output = Result<Finished, Lost>>;
}

impl Trials for Runner<'_> {
    const KEEPS_SERIES: bool = true;

    async fn trial(
        &mut self,
        order: &Order,
        live: &mut (dyn FnMut(Live<'_>) + Send),
    ) -> Result<Finished, Lost> {
        let mut finished =
            trial::run(self.lab, self.equipment, order, self.intervention, live).await?;
        finished.record.lab_faults = self.lab_faults.to_vec();
        Ok(finished)
    }
}

impl Runner<'_> {
    /// As [`Script::run`], with guests on the lab.
    ///
    /// # Errors
    /// When the lab is gone, or the folder cannot be written.
    pub async fn run(
        mut self,
        writer: &mut RunWriter,
        interrupted: impl Future<Output = ()>,
        tell: &mut (dyn FnMut(Happening<'_>) + Send),
    ) -> Result<RunEnd, RunError> {
        let script = Script { experiment: self.experiment, plan: self.plan };
        script.run(&mut self, writer, interrupted, tell).await
    }
}

/// What a run is to do, whatever makes its trials.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a> {
    /// The experiment.
    pub experiment: &'a Experiment,
    /// Its plan.
    pub plan: &'a Plan,
}

impl Script<'_> {
    /// Runs the trials of the plan that the folder has no record of, in their planned order,
    /// until all are done, or enough of them by the experiment's precision, or `interrupted` comes
    /// true.
    ///
    /// # Errors
    /// When the lab is gone, or the folder cannot be written.
    pub async fn run<T: Trials>(
        &self,
        trials: &mut T,
        writer: &mut RunWriter,
        interrupted: impl Future<Output = ()>,
        tell: &mut (dyn FnMut(Happening<'_>) + Send),
    ) -> Result<RunEnd, RunError> {
        tokio::pin!(interrupted);
        let finished = writer.finished().clone();
        let of = self.plan.trials.len();
        let before =
            self.plan.trials.iter().filter(|trial| finished.contains(&trial.trial)).count();
        let mut tally = self.tally(writer)?;
        for (done, planned) in (before..).zip(self.plan.remaining(&finished)) {
            if tally.as_ref().is_some_and(Tally::is_over) {
                break;
            }
            let cell = &self.plan.cell_of(planned).id;
            tell(Happening::Begins { done, of, trial: planned, cell });
            let order = self.order(writer.folder().name(), planned);
            let mut live = |live: Live<'_>| tell(Happening::Live(live));
            let trial = trials.trial(&order, &mut live);
            let trial = tokio::select! {
                // An interruption that has come counts even when the trial has just ended.
                biased;
                () = &mut interrupted => return Ok(RunEnd::Interrupted),
                trial = trial => trial?,
            };
            if !trial.log.is_empty() {
                let path = writer.folder().logs().join(format!("{}.log", planned.trial));
                std::fs::write(&path, &trial.log).map_err(|error| RunError::Log(path, error))?;
            }
            if T::KEEPS_SERIES {
                writer.write_series(planned.trial, &trial.series)?;
            }
            writer.append(&trial.record)?;
            tell(Happening::Ends(&trial.record));
            if let Some(tally) = &mut tally {
                tally.add(&trial.record);
                if tally.is_between_blocks() {
                    let stopping = tally.stopping();
                    if stopping.blocks >= self.experiment.replicates.least() {
                        tell(Happening::BlockEnds(&stopping));
                    }
                }
            }
        }
        Ok(RunEnd::Finished)
    }

    /// What decides whether the run ends early, with the records there are.
    fn tally(&self, writer: &RunWriter) -> Result<Option<Tally>, run_folder::Error> {
        let Some(rule) = self.experiment.replicates.rule() else { return Ok(None) };
        let mut tally = Tally::new(rule, self.plan);
        let records = writer.folder().records()?.records;
        records.iter().for_each(|record| tally.add(record));
        Ok(Some(tally))
    }

    fn order(&self, run: &str, planned: &PlannedTrial) -> Order {
        let cell = self.plan.cell_of(planned);
        Order {
            run: run.to_owned(),
            trial: planned.trial,
            block: planned.block,
            cell: cell.id.clone(),
            settings: cell.settings.clone(),
            policy: self.experiment.policy.to_string(),
            source: planned.source,
            target: planned.target,
            witness: planned.witness,
            guest_seed: planned.guest_seed,
            heartbeat_interval: self.experiment.heartbeat_interval.duration(),
            gate: self.experiment.gate,
            max_time: self.experiment.max_time.duration(),
        }
    }
}
