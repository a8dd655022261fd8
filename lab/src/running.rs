//! Labs that are up, whatever provides their nodes.

use crate::{
    node::Node,
    provider::netns,
    spec::{LabSpec, Provider},
};
use anyhow::{Result, bail};
use camino::{Utf8Path, Utf8PathBuf};

/// How long a lab lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// No longer than the process that brought it up.
    Ephemeral,
    /// Until it is taken down.
    Persistent,
}

/// A lab that is up.
#[derive(Debug)]
pub struct RunningLab {
    /// What it was made from.
    pub spec: LabSpec,
    /// Its state folder.
    pub folder: Utf8PathBuf,
    /// Its nodes, in the order of the lab file.
    pub nodes: Vec<Node>,
    /// What its nodes live by.
    pub(crate) keeper: Keeper,
}

/// What a lab's nodes live by.
#[derive(Debug)]
pub(crate) enum Keeper {
    /// A supervisor on this machine.
    Namespaces(netns::Keeper),
}

impl RunningLab {
    /// Whether the lab is still there.
    pub async fn is_alive(&self) -> bool {
        match &self.keeper {
            Keeper::Namespaces(keeper) => keeper.is_alive().await,
        }
    }
}

/// Brings a lab up and tells how that goes on. `program` is one that calls
/// [`netns::hold`] and [`netns::supervise`] when its first argument asks for it, as `xtask` does.
///
/// # Errors
/// When a lab of this name is up already, or something cannot be made; then nothing is left.
#[expect(clippy::unused_async, reason = "nodes on other machines take their time")]
pub async fn up(
    spec: LabSpec,
    lifetime: Lifetime,
    program: &Utf8Path,
    _tell: &mut (dyn FnMut(&str) + Send),
) -> Result<RunningLab> {
    match spec.provider {
        Provider::Netns => netns::up(spec, lifetime, program),
        Provider::Vagrant | Provider::Hosts => not_built(spec.provider),
    }
}

/// Finds the lab of this name and provider that `lab-up` brought up; `None` when there is none.
///
/// # Errors
/// When its state cannot be read.
#[expect(clippy::unused_async, reason = "nodes on other machines must be reached")]
pub async fn find(spec: &LabSpec) -> Result<Option<RunningLab>> {
    match spec.provider {
        Provider::Netns => netns::find(&spec.name),
        Provider::Vagrant | Provider::Hosts => not_built(spec.provider),
    }
}

/// Takes down the lab of this name and provider that `lab-up` brought up, and every leftover of
/// killed commands. Gives whether there was such a lab.
///
/// # Errors
/// When something cannot be removed.
#[expect(clippy::unused_async, reason = "nodes on other machines take their time")]
pub async fn down(spec: &LabSpec) -> Result<bool> {
    match spec.provider {
        Provider::Netns => netns::down(&spec.name),
        Provider::Vagrant | Provider::Hosts => not_built(spec.provider),
    }
}

fn not_built<T>(provider: Provider) -> Result<T> {
    bail!("labs of the provider `{provider}` cannot be brought up by this version")
}
