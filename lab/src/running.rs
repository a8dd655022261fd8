//! Labs that are up, whatever provides their nodes.

use crate::{
    node::Node,
    provider::{hosts, netns},
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
    /// A folder on this machine.
    Hosts(hosts::Keeper),
}

/// Programs of ours that labs are made with.
#[derive(Clone, Copy)]
pub struct Programs<'a> {
    /// One that calls [`netns::hold`] and [`netns::supervise`] when its first argument asks for
    /// it, as `xtask` does.
    pub this: &'a Utf8Path,
    /// Gives the observer, linked statically. Asked only where nodes are other machines.
    pub observer: &'a (dyn Fn() -> Result<Utf8PathBuf> + Sync),
}

impl RunningLab {
    /// Whether the lab is still there.
    pub async fn is_alive(&self) -> bool {
        match &self.keeper {
            Keeper::Namespaces(keeper) => keeper.is_alive().await,
            Keeper::Hosts(keeper) => keeper.is_alive(),
        }
    }
}

/// Brings a lab up and tells how that goes on.
///
/// # Errors
/// When a lab of this name is up already, or something cannot be made; then nothing is left.
pub async fn up(
    spec: LabSpec,
    lifetime: Lifetime,
    programs: Programs<'_>,
    _tell: &mut (dyn FnMut(&str) + Send),
) -> Result<RunningLab> {
    match spec.provider {
        Provider::Netns => netns::up(spec, lifetime, programs.this),
        Provider::Hosts => hosts::up(spec, lifetime, &(programs.observer)()?).await,
        Provider::Vagrant => not_built(spec.provider),
    }
}

/// Finds the lab of this name and provider that `lab-up` brought up; `None` when there is none.
///
/// # Errors
/// When its state cannot be read.
pub async fn find(spec: &LabSpec) -> Result<Option<RunningLab>> {
    match spec.provider {
        Provider::Netns => netns::find(&spec.name),
        Provider::Hosts => hosts::find(&spec.name).await,
        Provider::Vagrant => not_built(spec.provider),
    }
}

/// Takes down the lab of this name and provider that `lab-up` brought up, and every leftover of
/// killed commands. Gives whether there was such a lab.
///
/// # Errors
/// When something cannot be removed.
pub async fn down(spec: &LabSpec) -> Result<bool> {
    match spec.provider {
        Provider::Netns => netns::down(&spec.name),
        Provider::Hosts => hosts::down(&spec.name).await,
        Provider::Vagrant => not_built(spec.provider),
    }
}

fn not_built<T>(provider: Provider) -> Result<T> {
    bail!("labs of the provider `{provider}` cannot be brought up by this version")
}
