//! Who watches the guest of a trial from the witness node.

use super::{observed::Observed, witness::Witness};
use lab::node::Exit;

/// Whoever it is.
#[derive(Debug)]
pub enum Watcher {
    /// An observer that hears the guest's heartbeats and carries requests to it.
    Beats(Witness),
}

impl Watcher {
    /// Leaves what it has seen.
    pub fn leave(&self, observed: &mut Observed) {
        match self {
            Self::Beats(witness) => observed.beats = witness.beats(),
        }
    }

    /// Asks for its end.
    pub fn kill(&self) {
        match self {
            Self::Beats(witness) => witness.kill(),
        }
    }

    /// How it ended, when it has; does not wait.
    pub fn ended(&self) -> Option<Exit> {
        match self {
            Self::Beats(witness) => witness.ended(),
        }
    }

    /// Waits until it has ended.
    pub async fn wait(&mut self) {
        match self {
            Self::Beats(witness) => witness.wait().await,
        }
    }
}
