//! `lab-exec`: runs a command on a node.

use crate::{cli::LabExecArgs, color::ColorChoice, exit};

/// Runs the command.
///
/// # Errors
/// Always, so far.
pub fn run(_args: &LabExecArgs, _colors: ColorChoice) -> exit::Result {
    Err(anyhow::anyhow!("`lab-exec` is not built yet").into())
}
