//! `runs`: the list of runs.

use crate::{cli::RunsArgs, exit};

/// Runs the command.
///
/// # Errors
/// Always, so far.
pub fn run(_args: &RunsArgs) -> exit::Result {
    Err(anyhow::anyhow!("`runs` is not built yet").into())
}
