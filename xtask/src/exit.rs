//! How a command can end, and the code that says so to a script.

use crate::color::{ColorChoice, Paint};
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// How a command ended. The numbers are part of the interface: see [`help`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything went well.
    Ok,
    /// Something failed that has no code of its own.
    Failure,
    /// The command line, or a file it names, is wrong.
    InvalidInput,
    /// The measurement is worse than its baseline.
    Regression,
    /// The lab did not come up, broke, or failed its check.
    Lab,
    /// This machine lacks something that is needed.
    Missing,
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// As the command did that `lab-exec` ran.
    Command(u8),
}

impl Exit {
    /// The code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::InvalidInput => 2,
            Self::Regression => 3,
            Self::Lab => 4,
            Self::Missing => 5,
            Self::Interrupted => 130,
            Self::Command(code) => code,
        }
    }
}

/// Every exit code and what it says, in the words of `--help`.
const MEANINGS: [(Exit, &str); 7] = [
    (Exit::Ok, "everything went well"),
    (Exit::Failure, "something failed (a bug, or what no other code names)"),
    (Exit::InvalidInput, "the command line, or a file it names, is wrong"),
    (Exit::Regression, "a regression against the baseline"),
    (Exit::Lab, "the lab did not come up, broke, or failed its check"),
    (Exit::Missing, "this machine lacks something: see `cargo xtask setup`"),
    (Exit::Interrupted, "interrupted"),
];

/// The table of exit codes for `--help`.
pub fn help() -> String {
    let line = |(exit, meaning): (Exit, &str)| format!("\n  {:>3}  {meaning}", exit.code());
    format!("Exit codes:{}", MEANINGS.map(line).concat())
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What a command answers: nothing, or a failure with its exit code.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// An error that has found its exit code.
#[derive(Debug)]
pub struct Failure {
    /// The code to end with.
    pub exit: Exit,
    /// What went wrong; `None` when it has been shown already.
    pub error: Option<anyhow::Error>,
}

impl Failure {
    /// `error`, ending with `exit`.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: Some(error.into()) }
    }

    /// Ends with `exit`; what there is to say has been said.
    pub const fn shown(exit: Exit) -> Self {
        Self { exit, error: None }
    }

    /// Writes the error and its causes to stderr; that a reader such as `head` has gone is none.
    pub fn print(&self, colors: ColorChoice) {
        let Some(error) = self.error.as_ref().filter(|error| !reader_is_gone(error)) else {
            return;
        };
        let paint = Paint::stderr(colors);
        // With stderr gone there is nobody left to tell.
        drop(writeln!(io::stderr(), "{} {error:#}", paint.error("error:")));
    }
}

fn reader_is_gone(error: &anyhow::Error) -> bool {
    let io = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
    };
    error.chain().any(io)
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(Exit::Failure, error)
    }
}
