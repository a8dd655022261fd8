//! What is going on, for whoever watches.

use std::{fmt, time::Duration};

/// A step's state on a node has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The step's name.
    pub step: String,
    /// Which step that is, from 1, and how many there are.
    pub number: (usize, usize),
    /// The node.
    pub node: String,
    /// What it does there now.
    pub doing: Doing,
    /// For how long the step has been at it on this node, looking included.
    pub after: Duration,
}

/// What a step does on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Its check runs, its files are compared.
    Looking,
    /// It is not done: files are written, the action runs.
    Acting,
    /// The node reboots.
    Rebooting,
    /// The verification runs.
    Verifying,
    /// It was done already; nothing was changed.
    AlreadyDone,
    /// It acted, and is done.
    Acted,
    /// It failed.
    Failed,
}

impl Doing {
    /// Whether nothing more comes of this step on this node.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::AlreadyDone | Self::Acted | Self::Failed)
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Looking => "looking",
            Self::Acting => "acting",
            Self::Rebooting => "rebooting",
            Self::Verifying => "verifying",
            Self::AlreadyDone => "done already",
            Self::Acted => "done",
            Self::Failed => "failed",
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, of) = self.number;
        write!(f, "step {number} of {of}, {}, {}: {}", self.step, self.node, self.doing)?;
        if self.doing.is_over() {
            write!(f, " ({:.1} s)", self.after.as_secs_f64())?;
        }
        Ok(())
    }
}

/// What a playbook has come to, once all of it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Each node, in the lab's order.
    pub nodes: Vec<NodeSummary>,
}

/// What a playbook has come to on one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSummary {
    /// The node.
    pub name: String,
    /// Steps that acted, in their order.
    pub acted: Vec<String>,
    /// How many steps were done already.
    pub already_done: usize,
}

impl Summary {
    /// How many times a step acted, over all nodes.
    #[must_use]
    pub fn acted(&self) -> usize {
        self.nodes.iter().map(|node| node.acted.len()).sum()
    }

    /// How many times a step was done already, over all nodes.
    #[must_use]
    pub fn already_done(&self) -> usize {
        self.nodes.iter().map(|node| node.already_done).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self.already_done();
        match self.acted() {
            0 => write!(f, "no step acted: all {done} were done already"),
            acted => write!(f, "{acted} acted, {done} were done already"),
        }
    }
}
