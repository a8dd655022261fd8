//! The commands, one file each.

mod accept;
pub mod advise;
mod bench;
mod compare;
pub mod experiment;
pub mod lab_check;
mod lab_down;
mod lab_exec;
mod lab_status;
mod lab_up;
pub mod predict;
mod report;
mod runs;
mod schema;

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
        Command::LabUp(args) => lab_up::run(&args, cli.color),
        Command::LabDown(args) => lab_down::run(&args, cli.color),
        Command::LabStatus(args) => lab_status::run(&args, cli.color),
        Command::LabCheck(args) => lab_check::run(&args, cli.color),
        Command::LabExec(args) => lab_exec::run(&args, cli.color),
        Command::Experiment(args) => experiment::run(&args, cli.color),
        Command::Predict(args) => predict::run(&args, cli.color),
        Command::Advise(args) => advise::run(&args, cli.color),
        Command::Report(args) => report::run(&args, cli.color),
        Command::Runs(args) => runs::run(&args, cli.color),
        Command::Compare(args) => compare::run(&args, cli.color),
        Command::Accept(args) => accept::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Bench(args) => bench::run(&args, cli.color),
        Command::Ci(args) => ci::command(&args, cli.color),
    }
}
