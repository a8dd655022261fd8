use camino::Utf8PathBuf;

/// Why a run folder could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("failed to {action} {path}")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: Utf8PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Another process appends to this run.
    #[error("another harness is writing to {path}\n\nhint: wait for it, or end it, then resume")]
    Locked {
        /// The run folder.
        path: Utf8PathBuf,
    },
    /// There is no run where one was expected.
    #[error(
        "{path} is not a run folder: it has no `manifest.json`\n\nhint: `cargo xtask runs` lists the runs there are"
    )]
    NotARun {
        /// Where it was looked for.
        path: Utf8PathBuf,
    },
    /// No run was ever made.
    #[error("no run in {base}\n\nhint: `cargo xtask experiment` makes one")]
    NoRuns {
        /// Where runs are kept.
        base: Utf8PathBuf,
    },
    /// A file holds something else than it must.
    #[error("{path} cannot be understood")]
    Json {
        /// The file.
        path: Utf8PathBuf,
        /// What the parser says, with line and column.
        source: serde_json::Error,
    },
    /// Written by another version of this program.
    #[error("{path} has schema {found}, this program reads schema {expected}")]
    Schema {
        /// The file.
        path: Utf8PathBuf,
        /// What it says.
        found: u64,
        /// What was expected.
        expected: u32,
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
