//! The project's own figures, each with the bar that it is held against.
//!
//! A new figure is one more entry of [`FIGURES`]; a new way to measure is one more [`Source`].

pub mod display;
mod judging;
mod labs;
pub mod measure;
mod predictions;
mod reading;
pub mod sample;
mod trials;
mod whole;

pub use reading::{READ_ARGUMENT, read};

use judging::Promises;
use labs::LabCycle;
use reading::Reading;
use sample::{Bar, Statistic};
use trials::BenchTrial;

/// How often a time is measured, at least.
const TIMES: usize = 30;
/// Trials of one cell of which none may be lost.
const INTEGRITY_TRIALS: usize = 50;
/// How often many records are read.
const READINGS: usize = 5;

/// One figure.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// What it is called on the command line; `a/b` is a part of `a`.
    pub name: &'static str,
    /// What it is, in words.
    pub what: &'static str,
    /// Its unit; empty for a count.
    pub unit: &'static str,
    /// What it must not exceed; a whole has one, a part may.
    pub bar: Option<Bar>,
    /// How many values it takes.
    pub n: usize,
    /// Where the values come from.
    pub source: Source,
    /// Whether it takes minutes, so that it is measured only when it is named.
    pub only_when_named: bool,
}

/// How a figure is measured. Figures of one source are measured together.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// A lab is brought up and taken down.
    LabCycles(fn(&LabCycle) -> f64),
    /// Trials of one cell; a trial that cannot tell (it did not get that far) gives nothing.
    Trials(fn(&BenchTrial) -> Option<f64>),
    /// A run of many records is read and shown by a process of its own.
    Reading(fn(&Reading) -> f64),
    /// A million predictions, seconds.
    Predictions,
    /// Experiments made again from real trials are judged; a share of them, percent.
    Promises(fn(&Promises) -> f64),
    /// A clean build of `xtask`, seconds.
    Build,
    /// A whole run of `experiments/quick.yaml`, seconds.
    Quick,
}

/// A time of one cycle or trial, with its bar on the median.
const fn time(
    name: &'static str,
    what: &'static str,
    at_most: Option<f64>,
    source: Source,
) -> Figure {
    let bar = match at_most {
        Some(at_most) => Some(Bar { statistic: Statistic::Median, at_most }),
        None => None,
    };
    Figure { name, what, unit: "s", bar, n: TIMES, source, only_when_named: false }
}

/// A share of resampled experiments, with its bar.
const fn share(
    name: &'static str,
    what: &'static str,
    at_most: Option<f64>,
    value: fn(&Promises) -> f64,
) -> Figure {
    let bar = match at_most {
        Some(at_most) => Some(Bar { statistic: Statistic::Max, at_most }),
        None => None,
    };
    let source = Source::Promises(value);
    Figure { name, what, unit: "%", bar, n: 1, source, only_when_named: true }
}

/// All figures, in the order in which they are shown.
pub const FIGURES: [Figure; 23] = [
    time(
        "lab-up",
        "bringing a lab of three nodes up, within the program",
        Some(0.3),
        Source::LabCycles(|cycle| cycle.up_s),
    ),
    time(
        "lab-down",
        "taking it down, within the program",
        Some(0.3),
        Source::LabCycles(|cycle| cycle.down_s),
    ),
    time(
        "first-heartbeat",
        "from the start of the observer and both QEMUs to the guest's first heartbeat",
        Some(0.3),
        Source::Trials(|trial| Some(trial.record()?.phases.start_s)),
    ),
    time(
        "trial-overhead",
        "a trial's wall time less QEMU's total time, gate and verification",
        Some(0.3),
        Source::Trials(|trial| Some(trial.record()?.phases.overhead_s)),
    ),
    time(
        "trial-overhead/start",
        "until the first heartbeat (as first-heartbeat)",
        None,
        Source::Trials(|trial| Some(trial.record()?.phases.start_s)),
    ),
    time(
        "trial-overhead/fill",
        "until the guest has filled its working set and both QEMUs are prepared",
        None,
        Source::Trials(|trial| Some(trial.record()?.phases.fill_s)),
    ),
    time(
        "trial-overhead/migrate",
        "the migration, less QEMU's total time: asking, and until the guest beats again",
        None,
        Source::Trials(|trial| Some(trial.record()?.phases.migrate_s - trial.total_s()?)),
    ),
    time(
        "trial-overhead/tear-down",
        "until all processes of the trial are gone",
        None,
        Source::Trials(|trial| Some(trial.record()?.phases.tear_down_s)),
    ),
    time(
        "trial-own-time",
        "everything but QEMU's total time: overhead, gate, verification and keeping the record",
        Some(2.0),
        Source::Trials(BenchTrial::own_s),
    ),
    time(
        "trial-own-time/gate",
        "until the workload is measurably steady (1,000 beats and 1 s at least)",
        None,
        Source::Trials(|trial| Some(trial.record()?.phases.gate_s)),
    ),
    time(
        "trial-own-time/verify",
        "until every page of the guest is checked",
        None,
        Source::Trials(|trial| Some(trial.record()?.phases.verify_s)),
    ),
    Figure {
        name: "integrity",
        what: "trials of one cell that were lost or have no integrity verdict",
        unit: "",
        bar: Some(Bar { statistic: Statistic::Sum, at_most: 0.0 }),
        n: INTEGRITY_TRIALS,
        source: Source::Trials(|trial| Some(if trial.has_verdict() { 0.0 } else { 1.0 })),
        only_when_named: false,
    },
    time(
        "predictions",
        "a million quick predictions (3 cases each), around the cells of precopy.yaml, on two threads",
        Some(1.0),
        Source::Predictions,
    ),
    Figure {
        name: "reading",
        what: "reading, summarising, judging and showing a run of 100,000 records, from start to end",
        unit: "s",
        bar: Some(Bar { statistic: Statistic::Median, at_most: 3.0 }),
        n: READINGS,
        source: Source::Reading(|reading| reading.seconds),
        only_when_named: true,
    },
    Figure {
        name: "reading-memory",
        what: "the most memory that this takes",
        unit: "MiB",
        bar: Some(Bar { statistic: Statistic::Max, at_most: 500.0 }),
        n: READINGS,
        source: Source::Reading(|reading| reading.peak_mib),
        only_when_named: true,
    },
    share(
        "judging",
        "experiments of 10,000 that are called regressed though nothing was put in",
        Some(5.0),
        |promises| promises.false_regressions,
    ),
    share("judging/false-by-run", "the same, each side from a run of its own", None, |promises| {
        promises.false_regressions_of_runs
    }),
    share(
        "judging/false-at-margin",
        "the same, with a metric put just within its margin; the worst of three metrics",
        Some(5.0),
        |promises| promises.false_at_margin,
    ),
    share(
        "judging/missed-time",
        "experiments of 10,000 in which 10 % more total time is not called a regression",
        Some(5.0),
        |promises| promises.missed_time,
    ),
    share(
        "judging/missed-bytes",
        "experiments of 10,000 in which 10 % more stream bytes are not called a regression",
        Some(5.0),
        |promises| promises.missed_bytes,
    ),
    share(
        "judging/seen-pause",
        "the shift of the pause that is called a regression in 4 experiments of 5",
        None,
        |promises| promises.seen_pause,
    ),
    Figure {
        name: "build",
        what: "a clean build of `xtask`, its dependencies' sources at hand",
        unit: "s",
        bar: Some(Bar { statistic: Statistic::Max, at_most: 180.0 }),
        n: 1,
        source: Source::Build,
        only_when_named: true,
    },
    Figure {
        name: "quick",
        what: "`cargo xtask experiment` with experiments/quick.yaml, from start to end",
        unit: "s",
        bar: Some(Bar { statistic: Statistic::Max, at_most: 120.0 }),
        n: 1,
        source: Source::Quick,
        only_when_named: true,
    },
];

/// The figures that a name stands for: itself and its parts; without a name, all that do not take
/// minutes. Empty when there is no such figure.
pub fn select(name: Option<&str>) -> Vec<Figure> {
    let chosen = |figure: &Figure| match name {
        None => !figure.only_when_named,
        Some(name) => {
            let part = figure.name.strip_prefix(name);
            part.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    };
    FIGURES.into_iter().filter(chosen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(name: Option<&str>) -> Vec<&'static str> {
        select(name).iter().map(|figure| figure.name).collect()
    }

    #[test]
    fn a_name_brings_its_parts_along() {
        assert_eq!(names(Some("lab-up")), ["lab-up"]);
        assert_eq!(names(Some("trial-own-time/gate")), ["trial-own-time/gate"]);
        assert_eq!(names(Some("trial-overhead")).len(), 5);
        assert!(names(Some("lab")).is_empty() && names(Some("")).is_empty());
        let named_only = FIGURES.iter().filter(|figure| figure.only_when_named).count();
        assert_eq!(names(None).len(), FIGURES.len() - named_only);
        assert_eq!(names(Some("build")), ["build"]);
    }

    #[test]
    fn names_differ_and_times_are_measured_often_enough() {
        for (at, figure) in FIGURES.iter().enumerate() {
            assert!(FIGURES[..at].iter().all(|other| other.name != figure.name), "{figure:?}");
            let part = figure.name.contains('/');
            assert!(part || figure.bar.is_some(), "{figure:?}");
            assert!(figure.only_when_named || figure.n >= TIMES, "{figure:?}");
        }
    }
}
