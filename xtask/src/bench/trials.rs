//! Trials of one cell.

use crate::{
    color::ColorChoice,
    commands::experiment::progress::Progress,
    equipment::Equipped,
    exit::{Exit, Failure, Result},
    interrupt::Interrupt,
    labs, show,
};
use anyhow::anyhow;
use camino::Utf8Path;
use harness::{
    experiment::{Experiment, Replicates},
    metric,
    plan::Plan,
    record::{Metric, Outcome, Record},
    run::{Happening, RunEnd, Runner},
    run_folder::RunFolder,
};
use lab::spec::LabSpec;
use std::{collections::BTreeMap, time::Instant};

/// The cell: what the bar on a trial's overhead names.
const EXPERIMENT: &str = "\
name: bench
replicates: 1
max_time: 10 s
factors:
  memory: 256 MiB
  working_set: 32 MiB
  touch_rate: 5000 pages/s
  link_rate: 1 Gbit/s
  downtime_limit: 300 ms
";

/// One trial.
#[derive(Clone, Debug)]
pub struct BenchTrial {
    /// Its record; none when it was lost.
    record: Option<Record>,
    /// Seconds from its beginning until its record was kept.
    kept_s: f64,
}

impl BenchTrial {
    /// The record of a trial that completed: other trials do not have all phases.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref().filter(|record| record.outcome == Outcome::Completed)
    }

    /// QEMU's total time, seconds.
    pub fn total_s(&self) -> Option<f64> {
        match self.record()?.metrics.get(metric::TOTAL_TIME)? {
            Metric::Measured(total) => Some(total.value / 1e3),
            Metric::Unavailable(_) => None,
        }
    }

    /// Everything but QEMU's total time, seconds.
    pub fn own_s(&self) -> Option<f64> {
        Some(self.kept_s - self.total_s()?)
    }

    /// Whether the guest's memory was checked, whatever came of it.
    pub fn has_verdict(&self) -> bool {
        let record = self.record.as_ref();
        let wrong = record.and_then(|record| record.metrics.get(metric::PAGES_WRONG));
        matches!(wrong, Some(Metric::Measured(_)))
    }
}

/// What came of all trials.
pub struct BenchTrials {
    /// The trials.
    pub trials: Vec<BenchTrial>,
    /// How they ended.
    pub outcomes: BTreeMap<Outcome, u32>,
}

/// Runs `n` trials, keeping their records in a run folder below `scratch`.
///
/// # Errors
/// When the lab does not come up or is lost, or when interrupted.
pub async fn measure(
    spec: &LabSpec,
    equipped: &Equipped,
    n: usize,
    scratch: &Utf8Path,
    colors: ColorChoice,
) -> Result<BenchTrials> {
    let mut experiment = Experiment::parse("bench", EXPERIMENT)
        .map_err(|report| anyhow!("the bench's own experiment: {}", report.render(false, 100)))?;
    experiment.replicates = Replicates::Fixed(u32::try_from(n)?);
    let plan = Plan::new(&experiment, spec.nodes.len());
    let interrupt = Interrupt::listen()?;
    let lab =
        labs::for_experiment(spec, false).await.map_err(|error| Failure::new(Exit::Lab, error))?;
    let mut writer = RunFolder::create(scratch, &experiment.name, jiff::Timestamp::now())?;
    let mut progress = Progress::new(
        &plan,
        writer.finished(),
        &experiment,
        spec.networks.migration.link_rate,
        colors,
    );
    let runner = Runner {
        lab: &lab,
        equipment: &equipped.equipment,
        experiment: &experiment,
        plan: &plan,
        lab_faults: &[],
        intervention: None,
    };
    let mut trials = Vec::new();
    let mut outcomes = BTreeMap::new();
    let mut begun = Instant::now();
    let mut tell = |happening: Happening<'_>| {
        match &happening {
            Happening::Begins { .. } => begun = Instant::now(),
            Happening::Ends(record) => {
                *outcomes.entry(record.outcome).or_default() += 1;
                trials.push(BenchTrial {
                    record: Some((*record).clone()),
                    kept_s: begun.elapsed().as_secs_f64(),
                });
            }
            Happening::Live(_) | Happening::BlockEnds(_) => {}
        }
        progress.show(&happening);
    };
    let end = runner.run(&mut writer, interrupt.wait(), &mut tell).await;
    progress.clear();
    match end {
        Ok(RunEnd::Finished) => {}
        Ok(RunEnd::Interrupted) => return Err(Failure::shown(Exit::Interrupted)),
        Err(error) => show::tell(&format!("warning: {error:#}; the trials from there on are lost")),
    }
    trials.resize(n, BenchTrial { record: None, kept_s: 0.0 });
    Ok(BenchTrials { trials, outcomes })
}
