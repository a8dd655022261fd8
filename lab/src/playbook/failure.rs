//! Why a step failed on a node.

use crate::node::Exit;
use camino::Utf8PathBuf;
use std::{fmt, time::Duration};

/// A part of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The script `check`.
    Check,
    /// Its files: looking at them, writing them.
    Files,
    /// The script `action`.
    Action,
    /// The reboot.
    Reboot,
    /// The script `verify`.
    Verify,
    /// Check and files once more, after the action.
    CheckAgain,
    /// Fetching what it leaves for others, or giving it to them.
    Collect,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Check => "check",
            Self::Files => "files",
            Self::Action => "action",
            Self::Reboot => "reboot",
            Self::Verify => "verify",
            Self::CheckAgain => "check again",
            Self::Collect => "collect",
        })
    }
}

/// What went wrong.
#[derive(Debug)]
pub enum What {
    /// A script ended otherwise than with exit code 0.
    Exit(Exit),
    /// The step took longer than its deadline.
    Deadline(Duration),
    /// It acted, and is not done: what its check missed, or which files differ.
    NotDone(String),
    /// The node could not be asked, or did not come back.
    Error(anyhow::Error),
}

/// A step that failed on a node.
#[derive(Debug)]
pub struct Failure {
    /// The node.
    pub node: String,
    /// The step.
    pub step: String,
    /// Which step that is, from 1, and how many there are.
    pub number: (usize, usize),
    /// What of it failed.
    pub part: Part,
    /// How.
    pub what: What,
    /// The command that failed, where that is known: as it is written, with its line.
    pub command: Option<String>,
    /// The last lines that it wrote, without secrets.
    pub last_lines: Vec<String>,
    /// Where all that it wrote is kept.
    pub log: Option<Utf8PathBuf>,
}

impl Failure {
    /// The same, of this command.
    pub(super) fn of_command(mut self: Box<Self>, command: String) -> Box<Self> {
        self.command = Some(command);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, of) = self.number;
        write!(f, "step `{}` ({number} of {of}) failed on {}: ", self.step, self.node)?;
        match &self.what {
            What::Exit(exit) => write!(f, "`{}` {exit}", self.part)?,
            What::Deadline(deadline) => {
                write!(f, "it took longer than {deadline:?}, and was at `{}`", self.part)?;
            }
            What::NotDone(why) => write!(f, "it acted and is not done: {why}")?,
            What::Error(error) => write!(f, "`{}`: {error:#}", self.part)?,
        }
        let said = matches!(self.what, What::NotDone(_));
        if let Some(command) = self.command.as_ref().filter(|_| !said) {
            write!(f, "\n  at {command}")?;
        }
        for line in &self.last_lines {
            write!(f, "\n  | {line}")?;
        }
        match &self.log {
            Some(log) => write!(f, "\n  all of it: {log}"),
            None => Ok(()),
        }
    }
}

/// Why a playbook was not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The nodes' playbooks do not fit together, in words.
    #[error("{0}")]
    Unfit(String),
    /// A step failed, on one node or on several.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))]
    Failed(Vec<Failure>),
}
