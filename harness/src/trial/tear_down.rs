//! What a trial has running, and its end.

use super::{guest::Guest, watcher::Watcher};
use lab::{hypervisor::qemu::migration::Side, node::Exit};
use std::time::Duration;
use tokio::time::timeout;

/// A process that was killed is gone at once; one whose node does not answer may never be heard of.
pub const END_DEADLINE: Duration = Duration::from_secs(60);

/// What a node does in a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The guest starts there.
    Source,
    /// It is migrated there.
    Target,
    /// The observer runs there.
    Witness,
}

/// What a trial has running. Dropping it ends every process too, but does not wait.
#[derive(Debug, Default)]
pub struct Running {
    /// The guest.
    pub guest: Option<Guest>,
    /// Who watches it, on the witness.
    pub watcher: Option<Watcher>,
}

impl Running {
    /// Which of its roles has lost its node, if any.
    pub async fn lost(&self) -> Option<Role> {
        let lost = match &self.guest {
            Some(guest) => guest.lost().await,
            None => None,
        };
        let guest = lost.map(|side| match side {
            Side::Source => Role::Source,
            Side::Target => Role::Target,
        });
        let witness = self.watcher.as_ref().and_then(Watcher::ended) == Some(Exit::NodeLost);
        guest.or(witness.then_some(Role::Witness))
    }

    /// Ends everything, waits until it has ended, and gives what was said of the guest.
    pub async fn end(mut self) -> String {
        if let Some(guest) = &self.guest {
            guest.kill();
        }
        if let Some(watcher) = &self.watcher {
            watcher.kill();
        }
        let log = match &mut self.guest {
            Some(guest) => guest.end().await,
            None => String::new(),
        };
        if let Some(watcher) = &mut self.watcher {
            let _ended = timeout(END_DEADLINE, watcher.wait()).await;
        }
        log
    }
}
