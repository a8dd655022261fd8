//! `lab-status`: a lab's nodes, networks and guests.

use crate::{cli::LabStatusArgs, color::ColorChoice, exit};

/// Runs the command.
///
/// # Errors
/// Always, so far.
pub fn run(_args: &LabStatusArgs, _colors: ColorChoice) -> exit::Result {
    Err(anyhow::anyhow!("`lab-status` is not built yet").into())
}
