//! `report`: the report of a run.

use crate::{cli::ReportArgs, exit};

/// Runs the command.
///
/// # Errors
/// Always, so far.
pub fn run(_args: &ReportArgs) -> exit::Result {
    Err(anyhow::anyhow!("`report` is not built yet").into())
}
