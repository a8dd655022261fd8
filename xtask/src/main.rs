//! The only command that a person types: arguments, display, exit codes.

mod bench;
mod build;
mod ci;
mod cli;
mod color;
mod columns;
mod commands;
mod equipment;
mod exit;
mod files;
mod interrupt;
mod judging;
mod labs;
mod provenance;
mod qemus;
mod setup;
mod show;
mod virtualization;

use lab::provider::{netns, vagrant};
use std::process::ExitCode;

fn main() -> ExitCode {
    // The processes that hold a lab of namespaces are this program too, and those that write
    // snapshots or are measured.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((role, rest)) if role == netns::HOLD_ARGUMENT => return held(netns::hold(rest)),
        Some((role, rest)) if role == netns::SUPERVISE_ARGUMENT => {
            return held(netns::supervise(rest));
        }
        Some((role, rest)) if role == vagrant::REACH_ARGUMENT => return held(vagrant::reach(rest)),
        Some((role, _)) if role == judging::snapshot::ARGUMENT => {
            return held(judging::snapshot::child());
        }
        Some((role, rest)) if role == bench::READ_ARGUMENT => return held(bench::read(rest)),
        _ => {}
    }
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let colors = cli.color;
    match commands::run(cli) {
        Ok(()) => exit::Exit::Ok.into(),
        Err(failure) => {
            failure.print(colors);
            failure.exit.into()
        }
    }
}

fn held(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
