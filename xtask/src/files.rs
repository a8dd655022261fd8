//! Files that commands read: shipped ones, checked ones, runs.

use crate::{
    build,
    color::{ColorChoice, Paint},
    exit::{Exit, Failure, Result},
    show,
};
use anyhow::Context;
use camino::{Utf8Path, Utf8PathBuf};
use harness::run_folder::RunFolder;
use lab::yaml::FileError;

/// A path of the repository, spelt as short as the working directory allows.
pub fn shipped(path: &str) -> Utf8PathBuf {
    let full = build::repository().join(path);
    let here = std::env::current_dir().ok().and_then(|here| Utf8PathBuf::try_from(here).ok());
    here.and_then(|here| full.strip_prefix(here).ok().map(Utf8Path::to_owned)).unwrap_or(full)
}

/// What a file says, or all that is wrong with it, shown.
///
/// # Errors
/// With the exit code of an invalid input.
pub fn checked<T>(
    read: std::result::Result<T, FileError>,
    colors: ColorChoice,
    json: bool,
) -> Result<T> {
    match read {
        Ok(value) => Ok(value),
        Err(FileError::Invalid(report)) if json => {
            show::print(&format!("{}\n", serde_json::to_string_pretty(&report)?));
            Err(Failure::shown(Exit::InvalidInput))
        }
        Err(FileError::Invalid(report)) => {
            let colour = Paint::stderr(colors).is_on();
            show::tell(report.render(colour, show::terminal_width()).trim_end());
            Err(Failure::shown(Exit::InvalidInput))
        }
        Err(error) => Err(Failure::new(Exit::InvalidInput, error)),
    }
}

/// A run by its folder, or by its name in `runs`; the newest one when none is named.
///
/// # Errors
/// When there is none.
pub fn run_folder(run: Option<&Utf8Path>) -> anyhow::Result<RunFolder> {
    let runs = shipped("runs");
    let Some(run) = run else {
        return RunFolder::latest(&runs)
            .context("there is no run yet\n\nhint: `cargo xtask experiment` makes one");
    };
    let named = runs.join(run);
    let path = if run.exists() || !named.exists() { run.to_owned() } else { named };
    Ok(RunFolder::open(path)?)
}
