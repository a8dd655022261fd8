//! The command line.

mod examples;
mod judging;
mod schema;

pub use judging::{AcceptArgs, BaselineArgs, CompareArgs, FailOn};
pub use schema::SchemaArgs;

use self::examples::{
    BENCH_EXAMPLES, CI_EXAMPLES, EXPERIMENT_EXAMPLES, LAB_CHECK_EXAMPLES, LAB_EXEC_EXAMPLES,
    RUNS_EXAMPLES, SETUP_EXAMPLES,
};
use crate::{
    color::ColorChoice,
    commands::{advise, predict},
    exit, files,
    qemus::Given,
};
use camino::Utf8PathBuf;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use lab::units::Millis;
use std::{ffi::OsString, process::ExitCode, str::FromStr};

/// What does live migration cost, and did it get worse?
///
/// Brings up a lab of three nodes, runs a matrix of pre-copy live migrations of QEMU guests on
/// it, verifies every guest, and reports what each move cost.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    after_help = format!("\
Examples:
  cargo xtask experiment --install   install what is missing, then run experiments/quick.yaml
  cargo xtask setup                  what this machine lacks, and how to get it
  cargo xtask report                 the report of the newest run

{}", exit::help())
)]
pub struct Cli {
    /// When to colour the output; auto also heeds NO_COLOR and CLICOLOR
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "Global options",
        display_order = 1000
    )]
    pub color: ColorChoice,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what this machine lacks; install it with --install
    #[command(after_help = SETUP_EXAMPLES)]
    Setup(SetupArgs),
    /// Bring a lab up and leave it up
    #[command(
        after_help = "Examples:\n  cargo xtask lab-up\n  cargo xtask lab-up --lab labs/local.yaml"
    )]
    LabUp(LabUpArgs),
    /// Take a lab down, with everything in it
    #[command(
        after_help = "Examples:\n  cargo xtask lab-down\n  cargo xtask lab-down --lab labs/local.yaml"
    )]
    LabDown(LabArgs),
    /// Show a lab's nodes, networks and guests
    #[command(
        after_help = "Examples:\n  cargo xtask lab-status\n  cargo xtask lab-status --json | jq ."
    )]
    LabStatus(LabStatusArgs),
    /// Measure whether a lab is what its file says: links, storage, clocks, machines
    #[command(after_help = LAB_CHECK_EXAMPLES)]
    LabCheck(LabCheckArgs),
    /// Run a command on a node of a lab that is up
    #[command(
        after_help = LAB_EXEC_EXAMPLES
    )]
    LabExec(LabExecArgs),
    /// Run an experiment: lab up, every trial, table, report, lab down
    #[command(after_help = EXPERIMENT_EXAMPLES)]
    Experiment(ExperimentArgs),
    /// Say how a migration would go, by the model: will it converge, how long, what downtime
    #[command(after_help = predict::args::EXAMPLES)]
    Predict(predict::args::PredictArgs),
    /// Say what becomes of a Proxmox cluster's VMs when they are migrated
    #[command(after_help = advise::args::EXAMPLES)]
    Advise(advise::args::AdviseArgs),
    /// Print the report of a run
    #[command(after_help = "Examples:\n  cargo xtask report\n  cargo xtask report runs/RUN --json")]
    Report(ReportArgs),
    /// List the runs, or one metric over them
    #[command(after_help = RUNS_EXAMPLES)]
    Runs(RunsArgs),
    /// Hold two runs, or two levels of a factor, against each other
    #[command(after_help = judging::COMPARE_EXAMPLES)]
    Compare(CompareArgs),
    /// Make a run the baseline of its experiment and context
    #[command(after_help = judging::ACCEPT_EXAMPLES)]
    Accept(AcceptArgs),
    /// Print the JSON Schema of a kind of file, for editors
    #[command(after_help = schema::EXAMPLES)]
    Schema(SchemaArgs),
    /// Measure this project's own figures against their bars
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(BenchArgs),
    /// Run every check there is
    #[command(after_help = CI_EXAMPLES)]
    Ci(CiArgs),
}

/// Arguments of `setup`.
#[derive(Debug, Args)]
pub struct SetupArgs {
    /// Install what is missing (Debian and Ubuntu)
    #[arg(long)]
    pub install: bool,
    /// Allow that an older QEMU which libvirt uses on this host is replaced
    #[arg(long)]
    pub replace_qemu: bool,
    /// Also look at, and install, what labs of the provider vagrant need
    #[arg(long)]
    pub vagrant: bool,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// Which lab.
#[derive(Debug, Args)]
pub struct LabArgs {
    /// The lab's file
    #[arg(long, value_name = "FILE", default_value_t = files::shipped("labs/local.yaml"))]
    pub lab: Utf8PathBuf,
}

/// Arguments of `lab-up`.
#[derive(Debug, Args)]
pub struct LabUpArgs {
    /// Which lab.
    #[command(flatten)]
    pub lab: LabArgs,
    /// Change nothing: tell what is there and what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Install what this machine lacks (Debian and Ubuntu)
    #[arg(long, conflicts_with = "dry_run")]
    pub install: bool,
}

/// Arguments of `lab-status`.
#[derive(Debug, Args)]
pub struct LabStatusArgs {
    /// Which lab.
    #[command(flatten)]
    pub lab: LabArgs,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `lab-check`.
#[derive(Debug, Args)]
pub struct LabCheckArgs {
    /// Which lab.
    #[command(flatten)]
    pub lab: LabArgs,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `lab-exec`.
#[derive(Debug, Args)]
pub struct LabExecArgs {
    /// The node's name
    pub node: String,
    /// Which lab.
    #[command(flatten)]
    pub lab: LabArgs,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// Arguments of `experiment`.
#[derive(Debug, Args)]
pub struct ExperimentArgs {
    /// The experiment's file [default: experiments/quick.yaml]
    #[arg(value_name = "FILE", conflicts_with = "resume")]
    pub file: Option<Utf8PathBuf>,
    /// The lab's file, or `model` to compute every trial in virtual time, without QEMU and without
    /// a lab [default: labs/local.yaml]
    #[arg(long, value_name = "FILE|model", conflicts_with = "resume")]
    pub lab: Option<Utf8PathBuf>,
    /// Install what is missing first
    #[arg(long)]
    pub install: bool,
    /// Print order, number of trials and estimated time; run nothing
    #[arg(long)]
    pub plan: bool,
    /// Run the missing trials of this run, in their planned order
    #[arg(long, value_name = "RUN")]
    pub resume: Option<Utf8PathBuf>,
    /// A QEMU that the experiment's factor `qemu` names; may be given several times
    #[arg(long = "qemu", value_name = "NAME=PATH")]
    pub qemus: Vec<Given>,
    /// Only the cells that this holds for, such as `memory=256MiB`
    #[arg(long, value_name = "EXPR")]
    pub filter: Option<String>,
    /// Only the Ith of N parts, each of whole blocks
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
    /// Put the run's folder into this one [default: runs]
    #[arg(long, value_name = "DIR")]
    pub out: Option<Utf8PathBuf>,
    /// Leave the lab up afterwards
    #[arg(long)]
    pub keep_lab: bool,
    /// How long to wait before a trial for a node that does not answer; then the run ends with what
    /// it has [default: 10 min]
    #[arg(long, value_name = "TIME")]
    pub node_patience: Option<Millis>,
    /// Where baselines lie.
    #[command(flatten)]
    pub baselines: BaselineArgs,
    /// Which verdicts against the baseline end with 3
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t)]
    pub fail_on: FailOn,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run's folder [default: the newest]
    #[arg(value_name = "RUN")]
    pub run: Option<Utf8PathBuf>,
    /// Where baselines lie.
    #[command(flatten)]
    pub baselines: BaselineArgs,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Show this metric over the runs, those that can be compared together
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// Only the runs of this experiment
    #[arg(long, value_name = "NAME")]
    pub experiment: Option<String>,
    /// The folder of the runs [default: runs]
    #[arg(long, value_name = "DIR")]
    pub out: Option<Utf8PathBuf>,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The figure to measure [default: all that do not take minutes]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `ci`.
#[derive(Debug, Args)]
pub struct CiArgs {
    /// Install what is missing first
    #[arg(long)]
    pub install: bool,
    /// Leave out the lab of three virtual machines: it takes minutes, and needs Vagrant
    #[arg(long)]
    pub without_nested: bool,
}

/// One share of a run that is spread over several machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which share, from 1.
    pub index: u32,
    /// How many shares.
    pub count: u32,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let parts = parts.and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((index, count)) if 1 <= index && index <= count => Ok(Self { index, count }),
            Some(_) => Err("the first number must be from 1 to the second".to_owned()),
            None => Err("expected two numbers, such as `1/3`".to_owned()),
        }
    }
}

/// Reads the command line; on `--help` or an error shows it and answers the exit code.
pub fn parse() -> Result<Cli, ExitCode> {
    let args: Vec<OsString> = std::env::args_os().collect();
    // Help and usage errors are written by clap before there is a `Cli` to ask.
    let color = match color_in(&args) {
        ColorChoice::Auto => clap::ColorChoice::Auto,
        ColorChoice::Always => clap::ColorChoice::Always,
        ColorChoice::Never => clap::ColorChoice::Never,
    };
    let matches = Cli::command().color(color).try_get_matches_from(args);
    matches.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|error| {
        // With nobody to read it, there is nothing better to do than to end.
        drop(error.print());
        let code = if error.use_stderr() { exit::Exit::InvalidInput } else { exit::Exit::Ok };
        code.into()
    })
}

fn color_in(args: &[OsString]) -> ColorChoice {
    let value = |(at, arg): (usize, &OsString)| {
        let arg = arg.to_str()?;
        let word = match arg.strip_prefix("--color") {
            Some("") => args.get(at + 1)?.to_str()?,
            Some(rest) => rest.strip_prefix('=')?,
            None => return None,
        };
        <ColorChoice as clap::ValueEnum>::from_str(word, true).ok()
    };
    let ours = args.iter().enumerate().skip(1).take_while(|(_, arg)| *arg != "--");
    ours.filter_map(value).last().unwrap_or_default()
}

#[cfg(test)]
mod tests;
