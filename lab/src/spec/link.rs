//! A node's links.

use std::fmt;

/// One of a node's links, by the network that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// To the guest and management network.
    Guest,
    /// To the migration network.
    Migration,
}

impl Link {
    /// Every link that a node has.
    pub const ALL: [Self; 2] = [Self::Guest, Self::Migration];
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Guest => "guest",
            Self::Migration => "migration",
        })
    }
}
