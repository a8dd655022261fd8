//! Whole commands, timed from outside.

use crate::{build, labs};
use anyhow::{Context, Result};
use camino::Utf8Path;
use lab::process::Command;
use std::time::Instant;

/// A clean build of `xtask` into a folder below `scratch`, seconds.
///
/// # Errors
/// When it fails; cargo's words have been shown then.
pub fn build(scratch: &Utf8Path) -> Result<f64> {
    // What it needs from elsewhere is not what is measured.
    build::cargo().args(["fetch", "--locked", "--quiet"]).run_streaming()?;
    let target = scratch.join("target");
    let command = build::cargo().args([
        "build",
        "--locked",
        "--package",
        "xtask",
        "--target-dir",
        target.as_str(),
    ]);
    timed(&command).context("failed to build xtask")
}

/// A run of the shipped quick experiment, seconds.
///
/// # Errors
/// When it fails; its words have been shown then.
pub fn quick(scratch: &Utf8Path) -> Result<f64> {
    let command = Command::new(labs::program()?.as_str())
        .args(["experiment", "--out", scratch.join("runs").as_str()])
        .cwd(build::repository().as_std_path())
        .stdout_to_stderr();
    timed(&command).context("the experiment failed")
}

fn timed(command: &Command) -> Result<f64> {
    let begun = Instant::now();
    command.run_streaming()?;
    Ok(begun.elapsed().as_secs_f64())
}
