//! A run's verdict: read, hold against its baseline, propose a new one, show.

mod baselines;
pub mod snapshot;

pub use baselines::{folder, read};

use crate::{
    cli::FailOn,
    color::{ColorChoice, Paint},
    exit::{Exit, Failure, Result},
    files, show,
};
use anyhow::{Context, anyhow};
use baselines::Unreadable;
use camino::{Utf8Path, Utf8PathBuf};
use harness::{
    experiment::Experiment,
    judge::{self, JudgeError, Judgement, Rules, Sample, SampleBuilder, Verdict, baseline},
    run_folder::{Manifest, RunFolder},
    stopping,
};

/// What a run was found to be.
#[derive(Debug, Default)]
pub struct Judged {
    /// The judgement; `None` where there is no baseline of its experiment.
    pub judgement: Option<Judgement>,
    /// The baseline that it was held against.
    pub baseline: Option<Utf8PathBuf>,
    /// What was proposed in its place, for a person to review.
    pub proposed: Option<Utf8PathBuf>,
}

/// The experiment of a run.
///
/// # Errors
/// When the manifest's experiment is not one of this version.
pub fn experiment(manifest: &Manifest) -> anyhow::Result<Experiment> {
    serde_json::from_value(manifest.experiment.clone())
        .context("failed to understand the experiment in the run's manifest")
}

/// The rules of a run: its experiment's.
///
/// # Errors
/// As [`experiment`].
pub fn rules(manifest: &Manifest) -> anyhow::Result<Rules> {
    Ok(experiment(manifest)?.judge)
}

/// A run as far as it is judged.
pub struct Read {
    /// What is judged of it.
    pub sample: Sample,
    /// By what.
    pub rules: Rules,
    /// Why it is not all that its experiment asks for; `None` when it is.
    lacks: Option<&'static str>,
}

/// Reads a run to judge it.
///
/// # Errors
/// When it cannot be read, or is damaged: with the exit code of an invalid input.
pub fn sample(folder: &RunFolder) -> Result<Read> {
    let invalid = |error: anyhow::Error| Failure::new(Exit::InvalidInput, error);
    let manifest = folder.manifest().map_err(|error| invalid(error.into()))?;
    let rules = rules(&manifest).map_err(invalid)?;
    let mut builder = SampleBuilder::new(&manifest, &rules);
    let mut stopping = stopping::Tally::of_manifest(&manifest);
    let mut trials = 0;
    let contents = folder.read(|record| {
        trials += 1;
        builder.add(record);
        if let Some(stopping) = &mut stopping {
            stopping.add(record);
        }
    });
    let contents = contents.map_err(|error| invalid(error.into()))?;
    if contents.faults.is_damage() {
        let what = contents.faults.lines(Some(folder.path())).join("\n  ");
        let text = format!("{} is damaged, and cannot be judged:\n  {what}", folder.path());
        return Err(invalid(anyhow!(text)));
    }
    let ended = match stopping {
        Some(stopping) => stopping.is_over(),
        None => trials >= manifest.planned_trials,
    };
    let lacks = if manifest.filter.is_some() || manifest.shard.is_some() {
        Some(
            "it has a part of its experiment only\n\nhint: run all of it, without `--filter` and `--shard`",
        )
    } else if !ended {
        Some(
            "it is not finished\n\nhint: `cargo xtask experiment --resume` runs the missing trials",
        )
    } else {
        None
    };
    Ok(Read { sample: builder.finish(), rules, lacks })
}

/// Holds a run against the baseline of its experiment. With `propose`, what is to be reviewed
/// is left beside the accepted baseline.
///
/// # Errors
/// When the baseline cannot be read, or a proposal not be written.
pub fn judge(
    sample: &Sample,
    rules: &Rules,
    baselines: &Utf8Path,
    propose: bool,
    colors: ColorChoice,
) -> Result<Judged> {
    let found =
        baselines::find(baselines, sample).map_err(|error| unreadable(error, colors, false))?;
    let judgement = match &found {
        // Another experiment by now: nothing to compare, but something to review.
        Some(found) => judge::judge(&found.sample, sample, rules).ok(),
        None => None,
    };
    let mut proposed = None;
    if propose {
        let name = baselines::name(sample);
        snapshot::propose(baselines, &name, &baseline::render(sample), rules)?;
        let path = snapshot::proposal(baselines, &name);
        proposed = path.is_file().then_some(path);
    }
    Ok(Judged { judgement, baseline: found.map(|found| found.path), proposed })
}

/// Makes a run the baseline of its experiment and context; answers its file.
///
/// # Errors
/// When the run cannot be read or is not whole, or the baseline cannot be written.
pub fn accept(run: &RunFolder, baselines: &Utf8Path) -> Result<Utf8PathBuf> {
    let Read { sample, rules, lacks } = sample(run)?;
    if let Some(lacks) = lacks {
        let text = format!("{} cannot be a baseline: {lacks}", run.path());
        return Err(Failure::new(Exit::InvalidInput, anyhow!(text)));
    }
    let name = baselines::name(&sample);
    snapshot::accept(baselines, &name, &baseline::render(&sample), &rules)?;
    Ok(baselines.join(format!("{name}.snap")))
}

/// Says what was proposed, and how to accept it.
pub fn tell(judged: &Judged, run: &Utf8Path) {
    match (&judged.baseline, &judged.proposed) {
        (Some(baseline), proposed) if judged.judgement.is_none() => {
            let hint = match proposed {
                Some(_) => format!("`cargo xtask accept {run}` makes this run the baseline"),
                None => "run all of the experiment, and accept that".to_owned(),
            };
            show::tell(&format!(
                "{baseline} has no cell in common with this run, so nothing was judged\n\nhint: {hint}"
            ));
        }
        (None, _) => show::tell(&format!(
            "there is no baseline of this experiment yet, so nothing was judged\n\n\
             hint: `cargo xtask accept {run}` makes this run the baseline"
        )),
        (Some(_), Some(proposed)) => show::tell(&format!(
            "proposed: {proposed}\n\n\
             hint: `cargo insta review` shows what changed; `cargo xtask accept {run}` accepts it"
        )),
        (Some(_), None) => {}
    }
}

/// The exit of a verdict.
///
/// # Errors
/// With the exit code of a regression, when the verdict is one to fail on.
pub fn exit(verdict: Option<Verdict>, fail_on: FailOn) -> Result {
    let fails = match (fail_on, verdict) {
        (FailOn::Regressed, Some(Verdict::Regressed))
        | (FailOn::Undecided, Some(Verdict::Regressed | Verdict::Undecided)) => true,
        // Of what has no baseline nothing is known.
        (FailOn::Undecided, None) => true,
        _ => false,
    };
    if fails { Err(Failure::shown(Exit::Regression)) } else { Ok(()) }
}

/// A baseline that cannot be read, shown.
pub fn unreadable(error: Unreadable, colors: ColorChoice, json: bool) -> Failure {
    match error {
        Unreadable::File(error) => Failure::new(Exit::InvalidInput, error),
        Unreadable::Text(report) if json => {
            if let Ok(text) = serde_json::to_string_pretty(&report) {
                show::print(&format!("{text}\n"));
            }
            Failure::shown(Exit::InvalidInput)
        }
        Unreadable::Text(report) => {
            let colour = Paint::stderr(colors).is_on();
            show::tell(report.render(colour, show::terminal_width()).trim_end());
            Failure::shown(Exit::InvalidInput)
        }
    }
}

/// Two things that cannot be compared, with what to do.
pub fn refused(error: &JudgeError) -> Failure {
    let text = lab::yaml::with_hint(error, error.hint());
    Failure::new(Exit::InvalidInput, anyhow::anyhow!("{text}"))
}

/// A run by its folder or name, with the exit code of an invalid input.
///
/// # Errors
/// When there is none.
pub fn run_folder(run: Option<&Utf8Path>) -> Result<RunFolder> {
    files::run_folder(run).map_err(|error| Failure::new(Exit::InvalidInput, error))
}
