//! `experiment`: lab up, every trial, table, report, lab down.

use crate::{cli::ExperimentArgs, exit};

/// Runs the command.
///
/// # Errors
/// Always, so far.
pub fn run(_args: &ExperimentArgs) -> exit::Result {
    Err(anyhow::anyhow!("`experiment` is not built yet").into())
}
