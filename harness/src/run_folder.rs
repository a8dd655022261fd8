//! A run's folder: `runs/<UTC time>-<experiment>[-n]/`, from which everything after the record
//! can be made again.
//!
//! ```text
//! manifest.json        what makes the run repeatable
//! records.jsonl        one line a trial, appended and synced (read as records.jsonl.gz, too)
//! series/<trial>.json.gz   what was sampled in it
//! logs/<trial>.log     what its QEMUs said, where they said anything
//! summary.json  report.md  made from the above, any time again
//! ```
//!
//! Reading needs no lock and may happen during a run. Only a [`RunWriter`] can append, and there
//! is at most one for a folder. What of a folder cannot be used is a [`Fault`]; the rest is read.

mod error;
mod fault;
mod files;
mod find;
mod home;
mod line;
mod manifest;
mod pieces;
mod read;
mod refill;
mod writer;

pub use error::{Error, NotARun};
pub use fault::{Fault, FaultKind, Faults};
pub use home::Home;
pub use line::MAX_LINE_BYTES;
pub use manifest::{Git, Guest, Host, Manifest, NodeHost, Qemu, SCHEMA as MANIFEST_SCHEMA};
pub use writer::RunWriter;

use crate::record::Record;
use crate::series::{self, Series};
use camino::{Utf8Path, Utf8PathBuf};
use files::{io, write_atomically};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};

/// The records' file, and how it is called when it is packed.
const RECORDS: &str = "records.jsonl";
const PACKED_RECORDS: &str = "records.jsonl.gz";

/// A run's folder, to read. Cheap to clone; holds no file open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: Utf8PathBuf,
}

/// Records as read, and what of them could not be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    /// One a trial, in the order in which they were written.
    pub records: Vec<Record>,
    /// Lines that could not be used.
    pub faults: Faults,
}

/// What a run's folder holds besides the records that were handed on.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// What makes the run repeatable; `None` when it cannot be used, which is a fault.
    pub manifest: Option<Manifest>,
    /// What could not be used.
    pub faults: Faults,
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
        self.path.join(manifest::FILE)
    }

    fn records_path(&self) -> Utf8PathBuf {
        self.path.join(RECORDS)
    }

    fn packed_records_path(&self) -> Utf8PathBuf {
        self.path.join(PACKED_RECORDS)
    }

    /// What makes the run repeatable.
    ///
    /// # Errors
    /// When it is missing, of another schema, or not to be understood, with its place.
    pub fn manifest(&self) -> Result<Manifest, Error> {
        manifest::read(&self.manifest_path()).map_err(|mut fault| {
            fault.file = self.path.join(fault.file);
            Error::Manifest { folder: self.path.clone(), fault }
        })
    }

    /// Reads everything that reports are made of: hands each record to `visit`, in the order in
    /// which they were written, holding only a few at a time. What cannot be used is left out and
    /// is a fault.
    ///
    /// # Errors
    /// When the records cannot be opened, and when there is neither a manifest nor a record.
    pub fn read(&self, mut visit: impl FnMut(&Record)) -> Result<Contents, Error> {
        let mut faults = Faults::default();
        let manifest = manifest::read(&self.manifest_path()).map_err(|fault| faults.push(fault));
        let manifest = manifest.ok();
        let mut records = 0u64;
        let run = manifest.as_ref().map(|manifest| manifest.run.as_str());
        faults.append(self.visit(run, &mut |record| {
            records += 1;
            visit(record);
        })?);
        if manifest.is_none() && records == 0 {
            return Err(Error::Nothing { path: self.path.clone(), faults: Box::new(faults) });
        }
        Ok(Contents { manifest, faults })
    }

    /// All records, and what could not be read of them: an incomplete last line (a crash, or a
    /// harness that is just writing it), and what else is no record of this run.
    ///
    /// # Errors
    /// When their file cannot be opened.
    pub fn records(&self) -> Result<Records, Error> {
        let mut records = Vec::new();
        let faults =
            self.visit(self.run().as_deref(), &mut |record| records.push(record.clone()))?;
        Ok(Records { records, faults })
    }

    /// Numbers of the trials that have a record, whatever their outcome.
    ///
    /// # Errors
    /// As [`RunFolder::records`].
    pub fn finished(&self) -> Result<BTreeSet<u32>, Error> {
        let mut finished = BTreeSet::new();
        self.visit(self.run().as_deref(), &mut |record| _ = finished.insert(record.trial))?;
        Ok(finished)
    }

    /// The run's name by its manifest: the folder may have been renamed.
    fn run(&self) -> Option<String> {
        manifest::read(&self.manifest_path()).ok().map(|manifest| manifest.run)
    }

    /// Hands the records of `run` to `visit`, from the plain file or else the packed one.
    fn visit(&self, run: Option<&str>, visit: &mut dyn FnMut(&Record)) -> Result<Faults, Error> {
        let plain = self.records_path();
        let packed = self.packed_records_path();
        let is_missing = |error: &std::io::Error| error.kind() == ErrorKind::NotFound;
        match File::open(&plain) {
            Ok(file) => return Ok(read::records(file, RECORDS, run, visit).all()),
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(io("open", &plain)(error)),
        }
        match File::open(&packed) {
            Ok(file) => {
                let file = flate2::read::MultiGzDecoder::new(std::io::BufReader::new(file));
                Ok(read::records(file, PACKED_RECORDS, run, visit).all())
            }
            Err(error) if is_missing(&error) => {
                let mut faults = Faults::default();
                faults.push(Fault {
                    kind: FaultKind::Missing,
                    file: RECORDS.into(),
                    line: None,
                    column: None,
                    message: "there is no such file, so there are no records".to_owned(),
                });
                Ok(faults)
            }
            Err(error) => Err(io("open", &packed)(error)),
        }
    }

    /// What was sampled in a trial.
    ///
    /// # Errors
    /// When there is no such file, or it is damaged.
    pub fn series(&self, trial: u32) -> Result<Series, Error> {
        let path = self.series_path(trial);
        let packed = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::NoSeries { trial, path });
            }
            packed => packed.map_err(io("open", &path))?,
        };
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(std::io::BufReader::new(packed))
            .read_to_end(&mut text)
            .map_err(io("unpack", &path))?;
        match read::schema_of(&text) {
            Some(found) if found != u64::from(series::SCHEMA) => {
                Err(Error::Schema { path, found, expected: series::SCHEMA })
            }
            // What is no object at all is told better by the full parse.
            _ => serde_json::from_slice(&text).map_err(|cause| Error::Json { path, cause }),
        }
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
            .map_err(|cause| Error::Json { path: path.to_owned(), cause })?;
        text.push(b'\n');
        write_atomically(path, &text)
    }
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
