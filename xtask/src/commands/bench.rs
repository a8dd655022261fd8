//! `bench`: the project's own figures, each with its bar.

use crate::{cli::BenchArgs, exit};

/// Runs the command.
///
/// # Errors
/// Always, so far.
pub fn run(_args: &BenchArgs) -> exit::Result {
    Err(anyhow::anyhow!("`bench` is not built yet").into())
}
