//! Something that a machine must have, and whether it has it.

use super::distribution::Package;
use serde::Serialize;

/// What a machine is to be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Running experiments on the local lab.
    Experiment,
    /// Checking the project itself, which includes running experiments.
    Ci,
    /// Running experiments on labs of the provider `vagrant`.
    Vagrant,
}

/// Whether a machine has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is there.
    Ok,
    /// It is not there.
    Missing,
    /// It is there, but older than it should be.
    Old,
    /// It is there, but this user may not use it.
    Blocked,
}

/// One thing that a machine must or should have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Its name.
    pub what: &'static str,
    /// What it is for.
    pub why: &'static str,
    /// The job that needs it.
    pub needed_for: Job,
    /// Whether the job is impossible without it.
    pub required: bool,
    /// Whether it is there.
    pub state: State,
    /// What was found: a version, a path, an error.
    pub found: String,
    /// The command that gets it, or what to do; `None` where nothing is to be done.
    pub remedy: Option<String>,
    /// How `--install` gets it.
    #[serde(skip)]
    pub source: Source,
}

/// How `--install` gets a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the distribution.
    Package(Package),
    /// From rustup: a component.
    Rustup(&'static str),
    /// Not at all: it is the machine's owner who decides.
    ByHand,
}

impl Need {
    /// Whether it keeps its job from being done.
    pub fn prevents(&self) -> bool {
        self.required && matches!(self.state, State::Missing | State::Blocked)
    }

    /// A thing that a job cannot do without, with what was found: how it is (`Ok`) or how it fails.
    pub fn required(what: &'static str, why: &'static str, found: Result<String, Fault>) -> Self {
        let (state, found, remedy) = match found {
            Ok(found) => (State::Ok, found, None),
            Err(Fault { state, found, remedy }) => (state, found, remedy),
        };
        let (needed_for, source) = (Job::Experiment, Source::ByHand);
        Self { what, why, needed_for, required: true, state, found, remedy, source }
    }

    /// The same, but a job can do without it.
    pub fn optional(self) -> Self {
        Self { required: false, ..self }
    }

    /// The same, needed only to check the project itself.
    pub fn for_ci(self) -> Self {
        Self { needed_for: Job::Ci, ..self }
    }

    /// The same, needed only for labs of the provider `vagrant`.
    pub fn for_vagrant(self) -> Self {
        Self { needed_for: Job::Vagrant, ..self }
    }

    /// The same, got in this way; the remedy, where it is to be got, is `remedy`.
    pub fn from(self, source: Source, remedy: String) -> Self {
        let remedy = if self.state == State::Ok { None } else { Some(remedy) };
        Self { source, remedy, ..self }
    }
}

/// Why a thing is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Missing, old or blocked.
    pub state: State,
    /// What was found instead.
    pub found: String,
    /// What to do.
    pub remedy: Option<String>,
}

impl Fault {
    /// It is not there.
    pub fn missing(found: impl Into<String>) -> Self {
        Self { state: State::Missing, found: found.into(), remedy: None }
    }

    /// It may not be used.
    pub fn blocked(found: impl Into<String>) -> Self {
        Self { state: State::Blocked, found: found.into(), remedy: None }
    }

    /// The same, with what to do.
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}
