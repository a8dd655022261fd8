//! Why a program did not run, with its last words.

use std::{fmt, io, path::PathBuf, process::ExitStatus, time::Duration};

/// Why a program did not run, or not end, as it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such program in PATH nor in the administrators' folders.
    #[error(
        "`{program}` was not found\n\nhint: `cargo xtask setup` says what this machine lacks and \
         how to get it"
    )]
    NotFound {
        /// Its name or path.
        program: String,
    },
    /// The folder to run it in is missing.
    #[error("failed to run `{command}`: there is no folder `{}`", folder.display())]
    NoFolder {
        /// The command line.
        command: String,
        /// The missing folder.
        folder: PathBuf,
    },
    /// The system did not start it.
    #[error("failed to run `{command}`: {reason}")]
    NotStarted {
        /// The command line.
        command: String,
        /// The system's reason; not named `source`, or it would be shown twice.
        reason: io::Error,
    },
    /// It ended with a status other than 0, or by a signal.
    #[error("`{command}` ended with {status}{last_words}")]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of its stderr.
        last_words: LastWords,
    },
    /// It took longer than allowed and was killed.
    #[error("`{command}` was killed: it took longer than {after:?}{last_words}")]
    TimedOut {
        /// The command line.
        command: String,
        /// What it had been allowed.
        after: Duration,
        /// The end of its stderr.
        last_words: LastWords,
    },
}

/// The last lines of a program's stderr, without secrets and control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastWords(Vec<String>);

impl LastWords {
    const LINES: usize = 8;
    const LINE_CHARS: usize = 300;

    pub(super) fn new(stderr: &[u8], secrets: &[String]) -> Self {
        let mut text = String::from_utf8_lossy(stderr).into_owned();
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret.as_str(), "***");
        }
        let readable = |line: &str| -> String {
            line.trim_end().chars().filter(|c| !c.is_control()).take(Self::LINE_CHARS).collect()
        };
        let lines: Vec<String> = text.lines().map(readable).filter(|l| !l.is_empty()).collect();
        Self(lines[lines.len().saturating_sub(Self::LINES)..].to_vec())
    }

    /// The lines, oldest first.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for LastWords {
    /// `: the line` for one, each on a line of its own for more, nothing for none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => Ok(()),
            [line] => write!(f, ": {line}"),
            lines => lines.iter().try_for_each(|line| write!(f, "\n  | {line}")),
        }
    }
}
