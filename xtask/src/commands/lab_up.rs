//! `lab-up`: brings a lab up and leaves it up.

use crate::{cli::LabArgs, exit};

/// Runs the command.
///
/// # Errors
/// Always, so far.
pub fn run(_args: &LabArgs) -> exit::Result {
    Err(anyhow::anyhow!("`lab-up` is not built yet").into())
}
