//! `lab-down`: takes a lab down, with everything in it.

use crate::{cli::LabArgs, exit};

/// Runs the command.
///
/// # Errors
/// Always, so far.
pub fn run(_args: &LabArgs) -> exit::Result {
    Err(anyhow::anyhow!("`lab-down` is not built yet").into())
}
