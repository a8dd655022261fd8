//! `bench`: the project's own figures, each with its bar.

use crate::{cli::BenchArgs, color::ColorChoice, exit};

/// Runs the command.
///
/// # Errors
/// Always, so far.
pub fn run(_args: &BenchArgs, _colors: ColorChoice) -> exit::Result {
    Err(anyhow::anyhow!("`bench` is not built yet").into())
}
