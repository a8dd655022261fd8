use camino::{Utf8Path, Utf8PathBuf};
use std::io::ErrorKind;

/// Why a run folder could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("failed to {action} {path}: {cause}{}", hint_of(.action, .cause, .path))]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: Utf8PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// Another process appends to this run.
    #[error("another harness is writing to {path}\n\nhint: wait for it, or end it, then resume")]
    Locked {
        /// The run folder.
        path: Utf8PathBuf,
    },
    /// There is no run where one was expected.
    #[error("{path} {}\n\nhint: {hint}", .what.words())]
    NotARun {
        /// Where it was looked for.
        path: Utf8PathBuf,
        /// What is there instead.
        what: NotARun,
        /// What to do.
        hint: String,
    },
    /// The folder has files of a run, and nothing in them can be used.
    #[error("nothing in {path} can be read:\n{}", list(.path, .faults))]
    Nothing {
        /// The run folder.
        path: Utf8PathBuf,
        /// What is wrong with it.
        faults: Box<super::Faults>,
    },
    /// No run was ever made.
    #[error("no run in {base}\n\nhint: `cargo xtask experiment` makes one")]
    NoRuns {
        /// Where runs are kept.
        base: Utf8PathBuf,
    },
    /// The manifest cannot be used.
    #[error(
        "{fault}\n\nhint: without its manifest a run cannot be resumed or compared; \
         `cargo xtask report {folder}` shows its records"
    )]
    Manifest {
        /// The run folder.
        folder: Utf8PathBuf,
        /// What is wrong with it, and where; the file is told with its folder.
        fault: super::Fault,
    },
    /// Records that this program cannot read: it would measure their trials again.
    #[error(
        "{}\n\nhint: {}",
        .folder.join(.fault.to_string()),
        .fault.kind.hint().unwrap_or("repair it first")
    )]
    Overlooked {
        /// The run folder.
        folder: Utf8PathBuf,
        /// What cannot be read.
        fault: super::Fault,
    },
    /// The records are packed, so nothing can be appended to them.
    #[error("the records of this run are packed\n\nhint: unpack them first: `gzip -d {path}`")]
    Packed {
        /// The packed file.
        path: Utf8PathBuf,
    },
    /// A file holds something else than it must.
    #[error("{path} cannot be understood: {cause}")]
    Json {
        /// The file.
        path: Utf8PathBuf,
        /// What the parser says, with line and column.
        cause: serde_json::Error,
    },
    /// Written by another version of this program.
    #[error(
        "{path} has schema {found}, this program reads schema {expected}\n\n\
         hint: use the version of precopy-lab that wrote it (`harness_version` in manifest.json)"
    )]
    Schema {
        /// The file, and the line where it has lines.
        path: Utf8PathBuf,
        /// What it says.
        found: u64,
        /// What was expected.
        expected: u32,
    },
    /// A trial has no series.
    #[error(
        "trial {trial} has no series: there is no {path}\n\n\
         hint: a run's folder has them where the run was made; copies are often kept without them"
    )]
    NoSeries {
        /// Its number.
        trial: u32,
        /// Where it would be.
        path: Utf8PathBuf,
    },
    /// The trial has a record already.
    #[error("trial {trial} of this run is already recorded")]
    Duplicate {
        /// Its number.
        trial: u32,
    },
    /// JSON has no way to write NaN or an infinity.
    #[error("record of trial {trial} holds a number that is not finite: {what}")]
    NotFinite {
        /// Its number.
        trial: u32,
        /// Where in the record.
        what: &'static str,
    },
}

/// What is there instead of a run's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotARun {
    /// Nothing.
    Nothing,
    /// A file.
    File,
    /// A folder with nothing in it.
    Empty,
    /// A folder of runs.
    Runs,
    /// A run that ended before its first trial and before its manifest.
    Unbegun,
    /// A folder of something else.
    Other,
}

impl NotARun {
    const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "is not there",
            Self::File => "is a file, not a run folder",
            Self::Empty => "is not a run folder: it is empty",
            Self::Runs => "is not a run folder: it holds runs",
            Self::Unbegun => {
                "is a run that ended before it began: no manifest and no record was written"
            }
            Self::Other => {
                "is not a run folder: it has neither a `manifest.json` nor a `records.jsonl`"
            }
        }
    }
}

fn hint_of(action: &str, cause: &std::io::Error, path: &Utf8Path) -> String {
    match cause.kind() {
        ErrorKind::PermissionDenied => {
            // Files are written by making them: it is their folder that forbids it.
            let made = ["write", "create"].contains(&action);
            let path = path.parent().filter(|_| made).unwrap_or(path);
            format!("\n\nhint: `ls -ld {path}` shows whose it is and who may use it")
        }
        ErrorKind::StorageFull => "\n\nhint: make room on its disk".to_owned(),
        _ => String::new(),
    }
}

fn list(folder: &Utf8Path, faults: &super::Faults) -> String {
    let lines: Vec<String> = faults.lines(Some(folder)).iter().map(|l| format!("  {l}")).collect();
    let hint = "this does not look like a run of precopy-lab, or it is broken beyond use";
    format!("{}\n\nhint: {hint}; `cargo xtask runs` lists the runs there are", lines.join("\n"))
}
