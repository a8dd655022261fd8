//! Measures the figures that were asked for, each source once.

use super::{
    Figure, Source,
    judging::{self, Promises},
    labs::{self, LabCycle},
    predictions,
    reading::{self, Reading},
    sample::Spread,
    trials::{self, BenchTrials},
    whole,
};
use crate::{
    color::ColorChoice,
    equipment::{self, Equipped},
    exit::{Exit, Failure, Result},
    provenance,
    qemus::Named,
    show,
};
use anyhow::Context;
use camino::{Utf8Path, Utf8PathBuf};
use harness::record::Outcome;
use lab::{spec::LabSpec, state::measuring_lock};
use serde::Serialize;
use std::collections::BTreeMap;

/// A figure with its values.
pub struct Measured {
    /// The figure.
    pub figure: Figure,
    /// Where its values lie; none when there are none.
    pub spread: Option<Spread>,
}

impl Measured {
    /// Whether its bar holds; `None` without a bar. Without values it does not.
    pub fn holds(&self) -> Option<bool> {
        let bar = self.figure.bar?;
        Some(self.spread.as_ref().is_some_and(|spread| bar.holds(spread)))
    }
}

/// On what it was measured: what must be alike for figures to be compared.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor.
    pub cpu_model: String,
    /// Processors that this program may use.
    pub cpu_count: usize,
    /// The kernel's release.
    pub kernel: String,
    /// Load averages over 1 min before the measurement.
    pub load_before: f64,
    /// And after it, with its own load.
    pub load_after: f64,
    /// QEMU's version and accelerator, where they took part.
    pub qemu: Option<String>,
    /// The source tree's commit, and whether files differed from it.
    pub commit: Option<String>,
}

/// Everything that came out.
pub struct Outcomes {
    /// The figures.
    pub figures: Vec<Measured>,
    /// On what.
    pub machine: Machine,
    /// How the trials ended, when there were any.
    pub trials: BTreeMap<Outcome, u32>,
}

/// The raw values of every source that is needed.
#[derive(Default)]
struct Raw {
    cycles: Vec<LabCycle>,
    trials: Option<BenchTrials>,
    readings: Vec<Reading>,
    predictions_s: Vec<f64>,
    promises: Option<Promises>,
    build_s: Option<f64>,
    quick_s: Option<f64>,
}

/// Measures `figures` on a lab; tells on stderr what it is about.
///
/// # Errors
/// When something cannot be measured at all, or when interrupted.
pub fn measure(figures: &[Figure], spec: &LabSpec, colors: ColorChoice) -> Result<Outcomes> {
    let load_before = load();
    let scratch = Scratch::new()?;
    let needed = |is: fn(&Source) -> bool| {
        figures.iter().filter(|figure| is(&figure.source)).map(|figure| figure.n).max()
    };
    let mut raw = Raw::default();
    let mut qemu = None;
    if needed(|source| matches!(source, Source::Build)).is_some() {
        show::tell("building xtask into an empty folder (some minutes)");
        raw.build_s = Some(whole::build(&scratch.0)?);
    }
    if needed(|source| matches!(source, Source::Quick)).is_some() {
        raw.quick_s = Some(whole::quick(&scratch.0)?);
    }
    // Only now: the experiment above takes it itself.
    let _alone = measuring_lock().map_err(|error| Failure::new(Exit::Lab, error))?;
    if let Some(n) = needed(|source| matches!(source, Source::Reading(_))) {
        show::tell(&format!("reading a run of {} records {n} times", reading::RECORDS));
        raw.readings = reading::measure(&scratch.0, n)?;
    }
    if let Some(n) = needed(|source| matches!(source, Source::Predictions)) {
        show::tell(&format!("predicting a million migrations {n} times"));
        raw.predictions_s = predictions::measure(n)?;
    }
    if needed(|source| matches!(source, Source::Promises(_))).is_some() {
        show::tell("judging experiments made again from real trials, 10,000 a figure");
        raw.promises = Some(judging::measure()?);
    }
    if let Some(n) = needed(|source| matches!(source, Source::LabCycles(_))) {
        show::tell(&format!("bringing a lab up and down {n} times"));
        raw.cycles = labs::measure(spec, n).map_err(|error| Failure::new(Exit::Lab, error))?;
    }
    if let Some(n) = needed(|source| matches!(source, Source::Trials(_))) {
        let equipped = equipment::equip(spec, &Named::default(), equipment::built()?)?;
        qemu = Some(told(&equipped));
        show::tell(&format!("running {n} trials of one cell"));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let trials = trials::measure(spec, &equipped, n, &scratch.0, colors);
        raw.trials = Some(runtime.block_on(trials)?);
    }
    let figures = figures.iter().map(|figure| raw.measured(*figure)).collect();
    let machine = Machine {
        cpu_model: equipment::cpu_model(),
        cpu_count: std::thread::available_parallelism().map_or(1, usize::from),
        kernel: equipment::kernel(),
        load_before,
        load_after: load(),
        qemu,
        commit: provenance::git().map(|git| git.commit + if git.dirty { "-dirty" } else { "" }),
    };
    let trials = raw.trials.map(|trials| trials.outcomes).unwrap_or_default();
    Ok(Outcomes { figures, machine, trials })
}

fn told(equipped: &Equipped) -> String {
    let accelerator = equipped.equipment.accelerator.name().to_uppercase();
    let version = equipped.qemu.version.split(' ').next().unwrap_or_default();
    format!("{version} with {accelerator}")
}

impl Raw {
    fn measured(&self, figure: Figure) -> Measured {
        let trials = self.trials.iter().flat_map(|trials| &trials.trials);
        let values: Vec<f64> = match figure.source {
            Source::LabCycles(value) => self.cycles.iter().map(value).collect(),
            // A figure of fewer trials than were run takes them all: more tell more.
            Source::Trials(value) => trials.filter_map(value).collect(),
            Source::Reading(value) => self.readings.iter().map(value).collect(),
            Source::Predictions => self.predictions_s.clone(),
            Source::Promises(value) => self.promises.iter().map(value).collect(),
            Source::Build => self.build_s.into_iter().collect(),
            Source::Quick => self.quick_s.into_iter().collect(),
        };
        Measured { figure, spread: Spread::of(&values) }
    }
}

/// The machine's load average over 1 min; 0 where there is none to read.
fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

/// A folder for what is thrown away afterwards.
struct Scratch(Utf8PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let temporary = Utf8PathBuf::try_from(std::env::temp_dir())
            .context("a folder for temporary files with an odd path")?;
        let folder = temporary.join(format!("precopy-lab-bench.{}", std::process::id()));
        std::fs::create_dir(&folder).with_context(|| format!("failed to make {folder}"))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let folder: &Utf8Path = &self.0;
        if let Err(error) = std::fs::remove_dir_all(folder) {
            show::tell(&format!("warning: failed to remove {folder}: {error}"));
        }
    }
}
