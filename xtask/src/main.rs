//! The only command that a person types: arguments, display, exit codes.

mod ci;
mod cli;
mod color;
mod commands;
mod exit;
mod setup;

use std::process::ExitCode;

fn main() -> ExitCode {
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
