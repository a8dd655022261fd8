//! The folder of the baselines: which one a run is held against.

use crate::files;
use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use harness::judge::{Sample, baseline};
use lab::yaml::Report;
use std::io::ErrorKind;

/// The shipped folder.
const FOLDER: &str = "baselines";

/// A baseline that was found.
#[derive(Debug)]
pub struct Found {
    /// Its file.
    pub path: Utf8PathBuf,
    /// What it holds.
    pub sample: Sample,
}

/// Why a baseline cannot be used.
#[derive(Debug)]
pub enum Unreadable {
    /// What is wrong with its text, by line and column.
    Text(Report),
    /// The file system's word.
    File(anyhow::Error),
}

/// The folder that was named, or the shipped one.
pub fn folder(named: Option<&Utf8Path>) -> Utf8PathBuf {
    named.map_or_else(|| files::shipped(FOLDER), Utf8Path::to_owned)
}

/// Name of the snapshot of such a run, without `.snap`.
pub fn name(sample: &Sample) -> String {
    let file = baseline::file_name(sample);
    file.strip_suffix(".snap").unwrap_or(&file).to_owned()
}

/// The baseline of the run's experiment: that of its own context, else the one whose context
/// differs least; `None` when there is none.
///
/// # Errors
/// When the folder, or the baseline of the run's own context, cannot be read.
pub fn find(folder: &Utf8Path, sample: &Sample) -> Result<Option<Found>, Unreadable> {
    let own = folder.join(baseline::file_name(sample));
    if own.is_file() {
        return read(&own).map(Some);
    }
    let mut others: Vec<Found> = Vec::new();
    for path in snapshots(folder).map_err(Unreadable::File)? {
        // Another context's baseline that cannot be read is not this run's to complain about.
        if let Ok(found) = read(&path)
            && found.sample.experiment == sample.experiment
        {
            others.push(found);
        }
    }
    let differences = |found: &Found| found.sample.context.differences(&sample.context).len();
    Ok(others.into_iter().min_by_key(differences))
}

/// Reads a baseline.
///
/// # Errors
/// When it cannot be read, or is no baseline.
pub fn read(path: &Utf8Path) -> Result<Found, Unreadable> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("failed to read `{path}`"))
        .map_err(Unreadable::File)?;
    let sample = baseline::parse(path.as_str(), &text).map_err(Unreadable::Text)?;
    Ok(Found { path: path.to_owned(), sample })
}

/// All accepted snapshots, by name. A missing folder has none.
fn snapshots(folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>> {
    let entries = match folder.read_dir_utf8() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("failed to list `{folder}`"))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("failed to list `{folder}`"))?.into_path();
        if path.extension() == Some("snap") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
