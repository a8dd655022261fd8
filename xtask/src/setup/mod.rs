//! `setup`: what this machine lacks, and how to get it.

use crate::{cli::SetupArgs, color::ColorChoice, exit};

/// Runs the command.
///
/// # Errors
/// Always, so far.
pub fn command(_args: &SetupArgs, _colors: ColorChoice) -> exit::Result {
    Err(anyhow::anyhow!("`setup` is not built yet").into())
}
