//! `compare`: two runs, or two levels of a factor within one, held against each other.

use crate::{
    cli::CompareArgs,
    color::ColorChoice,
    exit::{self, Exit, Failure},
    judging, show,
};
use camino::Utf8Path;
use harness::judge::{self, Judgement, Rules, Sample};

/// A whole side.
enum Whole<'a> {
    /// A baseline's file.
    Baseline(&'a Utf8Path),
    /// A run's folder or name.
    Run(&'a Utf8Path),
}

/// What was named on the command line.
enum Side<'a> {
    /// `factor=level` of a run.
    Level(&'a str),
    /// All of a run or baseline.
    Whole(Whole<'a>),
}

impl<'a> Side<'a> {
    fn of(text: &'a str) -> Self {
        let path = Utf8Path::new(text);
        if path.extension().is_some_and(|extension| extension == "snap") {
            Self::Whole(Whole::Baseline(path))
        } else if text.contains('=') && !path.exists() {
            Self::Level(text)
        } else {
            Self::Whole(Whole::Run(path))
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When a side cannot be read, the two have nothing in common, or the verdict is one to fail on.
pub fn run(args: &CompareArgs, colors: ColorChoice) -> exit::Result {
    let judgement = match (Side::of(&args.baseline), Side::of(&args.candidate)) {
        (Side::Level(baseline), Side::Level(candidate)) => levels(args, baseline, candidate)?,
        (Side::Level(_), _) | (_, Side::Level(_)) => {
            let text = "a level can only be held against another level of the same run\n\n\
                        hint: `cargo xtask compare --run RUN factor=level factor=level`";
            return Err(Failure::new(Exit::InvalidInput, anyhow::anyhow!(text)));
        }
        (Side::Whole(baseline), Side::Whole(candidate)) => {
            if args.run.is_some() {
                let text = "`--run` names the run whose levels are compared, and these are no \
                            levels\n\nhint: leave it out, or write `factor=level` twice";
                return Err(Failure::new(Exit::InvalidInput, anyhow::anyhow!(text)));
            }
            let (baseline, older_rules) = read(&baseline, args, colors)?;
            let (candidate, rules) = read(&candidate, args, colors)?;
            let rules = rules.or(older_rules).unwrap_or_default();
            judge::judge(&baseline, &candidate, &rules).map_err(|error| judging::refused(&error))?
        }
    };
    let text = if args.json {
        judge::json(&judgement)?
    } else if args.markdown {
        judge::markdown(&judgement)
    } else {
        judge::text(&judgement, show::style(colors))
    };
    show::print(&text);
    judging::exit(Some(judgement.verdict), args.fail_on)
}

fn levels(args: &CompareArgs, baseline: &str, candidate: &str) -> exit::Result<Judgement> {
    let folder = judging::run_folder(args.run.as_deref())?;
    let manifest = folder.manifest()?;
    let rules = judging::rules(&manifest)?;
    let records = folder.records()?;
    judge::paired(&manifest, &records.records, baseline, candidate, &rules)
        .map_err(|error| judging::refused(&error))
}

fn read(
    side: &Whole<'_>,
    args: &CompareArgs,
    colors: ColorChoice,
) -> exit::Result<(Sample, Option<Rules>)> {
    match side {
        Whole::Baseline(path) => {
            let found = judging::read(path);
            let found = found.map_err(|error| judging::unreadable(error, colors, args.json))?;
            Ok((found.sample, None))
        }
        Whole::Run(path) => {
            let read = judging::sample(&judging::run_folder(Some(path))?)?;
            Ok((read.sample, Some(read.rules)))
        }
    }
}
