//! `__supervisor`: the process that holds a lab.

use crate::{cli::SupervisorArgs, exit};

/// Runs the command.
///
/// # Errors
/// Always, so far.
pub fn run(_args: &SupervisorArgs) -> exit::Result {
    Err(anyhow::anyhow!("`__supervisor` is not built yet").into())
}
