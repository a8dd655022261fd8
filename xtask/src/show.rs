//! What commands show of a run.

use crate::color::{ColorChoice, Paint};
use anyhow::Result;
use harness::{
    report::{self, Run, Style},
    run_folder::{Manifest, RunFolder},
    stopping,
    summary::Summary,
};
use rustix::fd::AsFd;
use std::io::{IsTerminal, Write};

/// A run, read and summarised.
struct Read {
    manifest: Manifest,
    summary: Summary,
    warnings: Vec<String>,
}

fn read(folder: &RunFolder) -> Result<Read> {
    let manifest = folder.manifest()?;
    let records = folder.records()?;
    let mut warnings = manifest.warnings.clone();
    warnings.extend(records.warnings);
    let mut summary = Summary::of(&records.records);
    summary.stopping = stopping::of_run(&manifest, &records.records);
    Ok(Read { summary, manifest, warnings })
}

fn with<T>(folder: &RunFolder, show: impl FnOnce(Run<'_>) -> T) -> Result<T> {
    let Read { manifest, summary, warnings } = read(folder)?;
    Ok(show(Run {
        manifest: &manifest,
        summary: &summary,
        folder: folder.path(),
        warnings: &warnings,
    }))
}

/// The table for stdout.
///
/// # Errors
/// When the run cannot be read.
pub fn table(folder: &RunFolder, colors: ColorChoice) -> Result<String> {
    let style = if std::io::stdout().is_terminal() {
        Style {
            width: terminal_width(),
            unicode: speaks_unicode(),
            colour: Paint::stdout(colors).is_on(),
        }
    } else {
        Style { colour: Paint::stdout(colors).is_on(), ..Style::PLAIN }
    };
    with(folder, |run| report::table(run, style))
}

/// The JSON for stdout.
///
/// # Errors
/// When the run cannot be read.
pub fn json(folder: &RunFolder) -> Result<String> {
    Ok(with(folder, report::json)??)
}

/// Writes `summary.json` and `report.md` into the folder.
///
/// # Errors
/// When the run cannot be read, or its folder not be written.
pub fn write_report(folder: &RunFolder) -> Result<()> {
    let (summary, markdown) = with(folder, |run| (run.summary.clone(), report::markdown(run)))?;
    folder.write_summary(&summary)?;
    folder.write_report(&markdown)?;
    Ok(())
}

/// Writes to stdout. A reader that has gone (`| head`) ends the program quietly.
pub fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Writes a line to stderr. With nobody there to read it, there is nothing to tell: unlike
/// `eprintln!`, this never ends the program.
pub fn tell(line: &str) {
    tell_raw(&format!("{line}\n"));
}

/// The same, without an end of line.
pub fn tell_raw(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _nobody_reads = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Columns of the terminal on stdout or stderr; 100 where there is none.
pub fn terminal_width() -> usize {
    width_of(std::io::stdout())
        .or_else(|| width_of(std::io::stderr()))
        .unwrap_or(Style::PLAIN.width)
}

/// Columns of the terminal that a stream goes to, when it goes to one.
pub fn width_of(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}

/// Whether the locale says that the terminal takes UTF-8.
fn speaks_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    locale.is_some_and(|locale| locale.to_ascii_lowercase().replace('-', "").contains("utf8"))
}
