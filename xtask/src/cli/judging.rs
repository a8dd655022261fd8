//! Arguments of the commands that judge.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};

pub(super) const COMPARE_EXAMPLES: &str = "\
Examples:
  cargo xtask compare runs/OLD runs/NEW                  two runs, cell by cell
  cargo xtask compare qemu=old qemu=new                  two levels of a factor in the newest run,
                                                         trial against trial of the same block
  cargo xtask compare --run runs/RUN 'downtime_limit=50 ms' 'downtime_limit=300 ms'
  cargo xtask compare baselines/FILE.snap runs/NEW       a baseline that is not the run's own
  cargo xtask compare runs/OLD runs/NEW --markdown --fail-on undecided

The first is the baseline, the second the candidate. Margins are those of the candidate's
experiment. It ends with 3 when the verdict is one that --fail-on names.";

pub(super) const ACCEPT_EXAMPLES: &str = "\
Examples:
  cargo xtask accept             the newest run is what later ones are held against
  cargo xtask accept runs/RUN

`cargo insta review` does the same for what an experiment has proposed, after showing what changed.";

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// What is held against: a run, a baseline's file, or `factor=level`
    #[arg(value_name = "A")]
    pub baseline: String,
    /// What is judged: of the same kind
    #[arg(value_name = "B")]
    pub candidate: String,
    /// The run whose levels are compared [default: the newest]
    #[arg(long, value_name = "RUN")]
    pub run: Option<Utf8PathBuf>,
    /// Which verdicts end with 3
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t)]
    pub fail_on: FailOn,
    /// Print Markdown, such as for a pull request's comment
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `accept`.
#[derive(Debug, Args)]
pub struct AcceptArgs {
    /// The run's folder [default: the newest]
    #[arg(value_name = "RUN")]
    pub run: Option<Utf8PathBuf>,
    /// Where baselines lie.
    #[command(flatten)]
    pub baselines: BaselineArgs,
}

/// Where baselines lie.
#[derive(Debug, Args)]
pub struct BaselineArgs {
    /// The folder of the baselines [default: baselines]
    #[arg(long = "baselines", value_name = "DIR")]
    pub folder: Option<Utf8PathBuf>,
}

/// Which verdicts a command fails on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Worse than the baseline
    #[default]
    Regressed,
    /// Worse, or not enough trials to tell
    Undecided,
    /// None
    Never,
}
