//! A run of many records, read and shown.

use crate::{build, color::ColorChoice, exit::Failure, files, judging, labs, show::Shown};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use harness::run_folder::RunFolder;
use lab::process::Command;
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    time::Instant,
};

/// The first argument of the process that is measured.
pub const READ_ARGUMENT: &str = "__read";
/// How many records are read.
pub const RECORDS: usize = 100_000;
/// Where they come from: real ones, again and again under new numbers.
const FROM: &str = "docs/precopy-2026-11-22";

/// One reading of all of them.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// From the start of the process to its end.
    pub seconds: f64,
    /// The most memory that it held, MiB.
    pub peak_mib: f64,
}

/// Makes a run below `scratch` and has it read `n` times, by a process of its own each.
///
/// # Errors
/// When it cannot be made or read.
pub fn measure(scratch: &Utf8Path, n: usize) -> Result<Vec<Reading>> {
    let folder = scratch.join("reading");
    make(&folder).with_context(|| format!("failed to make {folder}"))?;
    let command = Command::new(labs::program()?.as_str()).args([READ_ARGUMENT, folder.as_str()]);
    (0..n)
        .map(|_| {
            let begun = Instant::now();
            let said = command.run()?.text();
            let seconds = begun.elapsed().as_secs_f64();
            let peak_kib: f64 = said.trim().parse().context("a process of ours said nonsense")?;
            Ok(Reading { seconds, peak_mib: peak_kib / 1024.0 })
        })
        .collect()
}

fn failed(failure: Failure) -> anyhow::Error {
    failure.error.unwrap_or_else(|| anyhow::anyhow!("the run cannot be read"))
}

/// Where the baseline of the run lies.
fn baselines(folder: &Utf8Path) -> Utf8PathBuf {
    folder.join("baselines")
}

/// The committed run, with its records repeated, and as it is for a baseline.
fn make(folder: &Utf8Path) -> Result<()> {
    let from = RunFolder::open(build::repository().join(FROM))?;
    let records = from.records()?.records;
    let blocks = records.iter().map(|record| record.block).max().map_or(0, |block| block + 1);
    fs::create_dir(folder)?;
    fs::copy(from.path().join("manifest.json"), folder.join("manifest.json"))?;
    // The numbers stand at one place of a line: what is around it is written as it is.
    let parts: Vec<(String, String, u32)> = records
        .iter()
        .map(|record| {
            let line = serde_json::to_string(record)?;
            let numbers = format!("\"trial\":{},\"block\":{},", record.trial, record.block);
            let (before, after) = line.split_once(&numbers).context("a record in another form")?;
            Ok((before.to_owned(), after.to_owned(), record.block))
        })
        .collect::<Result<_>>()?;
    if parts.is_empty() {
        bail!("{FROM} has no records");
    }
    judging::accept(&from, &baselines(folder)).map_err(failed)?;
    let mut file = BufWriter::new(File::create(folder.join("records.jsonl"))?);
    for trial in 0..RECORDS {
        let (before, after, block) = &parts[trial % parts.len()];
        let block = u64::from(*block) + u64::from(blocks) * (trial / parts.len()) as u64;
        writeln!(file, "{before}\"trial\":{trial},\"block\":{block},{after}")?;
    }
    file.into_inner()?.sync_data()?;
    Ok(())
}

/// What the process does that is measured: all that `report` does but writing files. Says the
/// most memory that it held, KiB.
///
/// # Errors
/// When the run cannot be read, or is not what was made.
pub fn read(arguments: &[String]) -> Result<()> {
    let [folder] = arguments else { bail!("expected a folder") };
    let folder = files::run_folder(Some(Utf8Path::new(folder)))?;
    let mut shown = Shown::read(&folder).map_err(failed)?;
    shown.whole().map_err(failed)?;
    let judged = shown.judge(&baselines(folder.path()), false, ColorChoice::Never);
    if judged.map_err(failed)?.judgement.is_none() {
        bail!("there is no baseline to judge by");
    }
    let table = shown.table(ColorChoice::Never);
    let json = shown.json()?;
    if !table.contains(&RECORDS.to_string()) || !json.contains(&RECORDS.to_string()) {
        bail!("not all records were read:\n{table}");
    }
    println!("{}", peak_kib().context("this system does not say how much memory was held")?);
    Ok(())
}

/// The most memory that this process has held, KiB.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
