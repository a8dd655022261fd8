//! What a trial can do with its guest besides migrating it.

use std::net::Ipv4Addr;

/// How much that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// It works as it is told, beats, and is verified.
    Workload,
    /// This address of it is asked for answers.
    Probes(Ipv4Addr),
    /// Nothing is heard of it.
    Nothing,
}
