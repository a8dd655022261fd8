//! Who watches the guest of a trial from the witness node.

use super::{observed::Observed, prober::Prober, witness::Witness};
use lab::node::Exit;

/// Whoever it is.
#[derive(Debug)]
pub enum Watcher {
    /// An observer that hears the guest's heartbeats and carries requests to it.
    Beats(Witness),
    /// An observer that asks the guest's address for answers.
    Probes(Prober),
    /// Nobody.
    Nobody,
}

impl Watcher {
    /// Leaves what it has seen.
    pub fn leave(&self, observed: &mut Observed) {
        match self {
            Self::Beats(witness) => observed.beats = witness.beats(),
            Self::Probes(prober) => observed.probes = Some(prober.probes()),
            Self::Nobody => {}
        }
    }

    /// Asks for its end.
    pub fn kill(&self) {
        match self {
            Self::Beats(witness) => witness.kill(),
            Self::Probes(prober) => prober.kill(),
            Self::Nobody => {}
        }
    }

    /// How it ended, when it has; does not wait.
    pub fn ended(&self) -> Option<Exit> {
        match self {
            Self::Beats(witness) => witness.ended(),
            Self::Probes(prober) => prober.ended(),
            Self::Nobody => None,
        }
    }

    /// Waits until it has ended.
    pub async fn wait(&mut self) {
        match self {
            Self::Beats(witness) => witness.wait().await,
            Self::Probes(prober) => prober.wait().await,
            Self::Nobody => {}
        }
    }
}
