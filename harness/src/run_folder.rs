//! A run's folder: `runs/<UTC time>-<experiment>[-n]/`, from which everything after the record
//! can be made again.
//!
//! ```text
//! manifest.json        what makes the run repeatable
//! records.jsonl        one line a trial, appended and synced
//! series/<trial>.json.gz   what was sampled in it
//! logs/<trial>.log     what its QEMUs said, where they said anything
//! summary.json  report.md  made from the above, any time again
//! ```
//!
//! Reading needs no lock and may happen during a run. Only a [`RunWriter`] can append, and there
//! is at most one for a folder.

mod error;
mod files;
mod line;
mod manifest;
mod writer;

pub use error::Error;
pub use line::MAX_LINE_BYTES;
pub use manifest::{Git, Guest, Host, Manifest, Qemu, SCHEMA as MANIFEST_SCHEMA};
pub use writer::RunWriter;

use crate::record::{self, Record};
use crate::series::{self, Series};
use camino::{Utf8Path, Utf8PathBuf};
use files::{io, write_atomically};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read};

/// A run's folder, to read. Cheap to clone; holds no file open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: Utf8PathBuf,
}

/// Records as read, and what was odd about their file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    /// One a trial, in the order in which they were written.
    pub records: Vec<Record>,
    /// Lines that could not be used, in words for the user.
    pub warnings: Vec<String>,
}

impl RunFolder {
    /// Makes a new, empty run folder below `base` (made too if need be) and locks it.
    ///
    /// `now` and the experiment's name make its name; a number is added if that is taken.
    /// Until [`RunWriter::write_manifest`], [`RunFolder::list`] does not show it.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create(
        base: &Utf8Path,
        experiment_name: &str,
        now: jiff::Timestamp,
    ) -> Result<RunWriter, Error> {
        fs::create_dir_all(base).map_err(io("create", base))?;
        let stem = format!("{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), file_name_of(experiment_name));
        let mut number = 1u32;
        let path = loop {
            let path = match number {
                1 => base.join(&stem),
                _ => base.join(format!("{stem}-{number}")),
            };
            // Making the directory is what decides between two that start in the same second.
            match fs::create_dir(&path) {
                Ok(()) => break path,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(io("create", &path)(error)),
            }
        };
        for sub in ["series", "logs"] {
            let sub = path.join(sub);
            fs::create_dir(&sub).map_err(io("create", &sub))?;
        }
        files::sync_directory(base)?;
        Self { path }.writer()
    }

    /// An existing run folder.
    ///
    /// # Errors
    /// When it has no manifest.
    pub fn open(path: impl Into<Utf8PathBuf>) -> Result<Self, Error> {
        let folder = Self { path: path.into() };
        if folder.manifest_path().is_file() {
            Ok(folder)
        } else {
            Err(Error::NotARun { path: folder.path })
        }
    }

    /// The newest run below `base`.
    ///
    /// # Errors
    /// When there is none, or `base` cannot be read.
    pub fn latest(base: &Utf8Path) -> Result<Self, Error> {
        Self::list(base)?.pop().ok_or_else(|| Error::NoRuns { base: base.to_owned() })
    }

    /// All runs below `base`, oldest first. A missing `base` has none.
    ///
    /// # Errors
    /// When `base` cannot be read.
    pub fn list(base: &Utf8Path) -> Result<Vec<Self>, Error> {
        let entries = match base.read_dir_utf8() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io("list", base))?,
        };
        let mut runs = Vec::new();
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                // A name that is not UTF-8 is not one of ours.
                Err(error) if error.kind() == ErrorKind::InvalidData => continue,
                Err(error) => return Err(io("list", base)(error)),
            };
            if begins_with_time(entry.file_name())
                && let Ok(run) = Self::open(entry.path())
            {
                runs.push(run);
            }
        }
        // Within one second the longer name has the higher number: `-9` before `-10`.
        runs.sort_by_cached_key(|run| {
            let name = run.name();
            (name[..TIME_BYTES].to_owned(), name.len(), name.to_owned())
        });
        Ok(runs)
    }

    /// Locks the run for appending and mends what a crash left at the end of its records.
    ///
    /// # Errors
    /// [`Error::Locked`] while another writer exists; else what the file system says.
    pub fn writer(self) -> Result<RunWriter, Error> {
        RunWriter::open(self)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// The run's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.file_name().unwrap_or(self.path.as_str())
    }

    /// Where logs of its trials go.
    #[must_use]
    pub fn logs(&self) -> Utf8PathBuf {
        self.path.join("logs")
    }

    /// Where the series of a trial is.
    #[must_use]
    pub fn series_path(&self, trial: u32) -> Utf8PathBuf {
        self.path.join("series").join(format!("{trial}.json.gz"))
    }

    /// Where the Markdown report is.
    #[must_use]
    pub fn report_path(&self) -> Utf8PathBuf {
        self.path.join("report.md")
    }

    fn manifest_path(&self) -> Utf8PathBuf {
        self.path.join("manifest.json")
    }

    fn records_path(&self) -> Utf8PathBuf {
        self.path.join("records.jsonl")
    }

    /// What makes the run repeatable.
    ///
    /// # Errors
    /// When it is missing, of another schema, or not to be understood.
    pub fn manifest(&self) -> Result<Manifest, Error> {
        let path = self.manifest_path();
        let text = fs::read(&path).map_err(io("read", &path))?;
        check_schema(&text, &path, manifest::SCHEMA)?;
        serde_json::from_slice(&text).map_err(|source| Error::Json { path, source })
    }

    /// All records, and warnings about lines that are none. An incomplete last line (a crash, or
    /// a harness that is just writing it) is such a warning.
    ///
    /// # Errors
    /// When the file cannot be read or was written with another schema.
    pub fn records(&self) -> Result<Records, Error> {
        let path = self.records_path();
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Records::default()),
            bytes => bytes.map_err(io("read", &path))?,
        };
        parse_records(&bytes, &path)
    }

    /// Numbers of the trials that have a record, whatever their outcome.
    ///
    /// # Errors
    /// As [`RunFolder::records`].
    pub fn finished(&self) -> Result<BTreeSet<u32>, Error> {
        Ok(self.records()?.records.iter().map(|record| record.trial).collect())
    }

    /// What was sampled in a trial.
    ///
    /// # Errors
    /// When there is no such file, or it is damaged.
    pub fn series(&self, trial: u32) -> Result<Series, Error> {
        let path = self.series_path(trial);
        let packed = fs::File::open(&path).map_err(io("read", &path))?;
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(std::io::BufReader::new(packed))
            .read_to_end(&mut text)
            .map_err(io("unpack", &path))?;
        check_schema(&text, &path, series::SCHEMA)?;
        serde_json::from_slice(&text).map_err(|source| Error::Json { path, source })
    }

    /// Writes `summary.json`. Needs no lock: it can be made again from the records.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_summary(&self, summary: &impl Serialize) -> Result<(), Error> {
        self.write_json(&self.path.join("summary.json"), summary)
    }

    /// Writes `report.md`. Needs no lock: it can be made again from the records.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_report(&self, markdown: &str) -> Result<(), Error> {
        write_atomically(&self.report_path(), markdown.as_bytes())
    }

    fn write_json(&self, path: &Utf8Path, value: &impl Serialize) -> Result<(), Error> {
        let mut text = serde_json::to_vec_pretty(value)
            .map_err(|source| Error::Json { path: path.to_owned(), source })?;
        text.push(b'\n');
        write_atomically(path, &text)
    }
}

/// Reads the lines of `records.jsonl`.
fn parse_records(bytes: &[u8], path: &Utf8Path) -> Result<Records, Error> {
    let mut read = Records::default();
    let mut seen = BTreeSet::new();
    for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        let parsed = serde_json::from_slice::<Record>(line);
        match parsed {
            Ok(record) if record.schema != record::SCHEMA => {
                let found = record.schema.into();
                return Err(Error::Schema {
                    path: path.to_owned(),
                    found,
                    expected: record::SCHEMA,
                });
            }
            Ok(record) if !seen.insert(record.trial) => read.warnings.push(format!(
                "line {number} of records.jsonl repeats trial {}; the first record of it is used",
                record.trial
            )),
            Ok(record) => read.records.push(record),
            Err(_) if !line.ends_with(b"\n") => read.warnings.push(format!(
                "the last line of records.jsonl is incomplete ({} bytes): its trial is not counted",
                line.len()
            )),
            Err(source) => {
                check_schema(line, path, record::SCHEMA)?;
                read.warnings.push(format!(
                    "line {number} of records.jsonl is not a record and is not counted: {source}"
                ));
            }
        }
    }
    Ok(read)
}

/// Refuses what another version wrote, before its fields are found wanting one by one.
fn check_schema(text: &[u8], path: &Utf8Path, expected: u32) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Schema {
        schema: u64,
    }
    match serde_json::from_slice::<Schema>(text) {
        Ok(Schema { schema }) if schema != u64::from(expected) => {
            Err(Error::Schema { path: path.to_owned(), found: schema, expected })
        }
        // What is no object at all is told better by the full parse.
        _ => Ok(()),
    }
}

/// Length of `20261122T124637Z-`.
const TIME_BYTES: usize = 17;

fn begins_with_time(name: &str) -> bool {
    name.len() > TIME_BYTES
        && name.bytes().take(TIME_BYTES).enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            16 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// A name that is safe as part of a file's, on any system and unquoted in a shell.
fn file_name_of(name: &str) -> String {
    let safe: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' })
        .take(64)
        .collect();
    if safe.is_empty() { "experiment".to_owned() } else { safe }
}

#[cfg(test)]
mod tests;
