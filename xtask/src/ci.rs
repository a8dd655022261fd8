//! `ci`: every check there is.

use crate::{cli::CiArgs, color::ColorChoice, exit};

/// Runs the command.
///
/// # Errors
/// Always, so far.
pub fn command(_args: &CiArgs, _colors: ColorChoice) -> exit::Result {
    Err(anyhow::anyhow!("`ci` is not built yet").into())
}
