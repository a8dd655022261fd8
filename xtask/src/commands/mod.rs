//! The commands, one file each.

mod bench;
mod experiment;
mod lab_down;
mod lab_exec;
mod lab_status;
mod lab_up;
mod report;
mod runs;

use crate::{
    ci,
    cli::{Cli, Command},
    exit, setup,
};

/// Runs the command that was asked for.
///
/// # Errors
/// The command's failure, with its exit code.
pub fn run(cli: Cli) -> exit::Result {
    match cli.command {
        Command::Setup(args) => setup::command(&args, cli.color),
        Command::LabUp(args) => lab_up::run(&args),
        Command::LabDown(args) => lab_down::run(&args),
        Command::LabStatus(args) => lab_status::run(&args),
        Command::LabExec(args) => lab_exec::run(&args),
        Command::Experiment(args) => experiment::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Runs(args) => runs::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Ci(args) => ci::command(&args, cli.color),
    }
}
