//! Labs that are up, whatever provides their nodes.

mod hosts;
pub mod vagrant;

use crate::{
    node::Node,
    provider::{hosts as machines, netns, vagrant::Virtualization},
    spec::{LabSpec, Link, Provider},
    units::BitRate,
};
use anyhow::Result;
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
    Hosts(machines::Keeper),
    /// Virtual machines.
    Machines(vagrant::Machines),
}

/// Programs of ours that labs are made with.
#[derive(Clone, Copy)]
pub struct Programs<'a> {
    /// One that calls [`netns::hold`] and [`netns::supervise`] when its first argument asks for
    /// it, as `xtask` does.
    pub this: &'a Utf8Path,
    /// Gives the observer, linked statically. Asked only where nodes are other machines.
    pub observer: &'a (dyn Fn() -> Result<Utf8PathBuf> + Sync),
    /// Finds out whether virtual nodes can run under KVM. Asked only where there are some.
    pub virtualization: &'a (dyn Fn(&LabSpec) -> Result<Virtualization> + Sync),
    /// Folder of the playbooks' templates.
    pub templates: &'a Utf8Path,
}

impl RunningLab {
    /// Whether the lab is still there.
    pub async fn is_alive(&self) -> bool {
        match &self.keeper {
            Keeper::Namespaces(keeper) => keeper.is_alive().await,
            Keeper::Hosts(keeper) => keeper.is_alive(),
            Keeper::Machines(keeper) => keeper.is_alive(),
        }
    }

    /// The rate that a link is shaped to while nothing is measured.
    #[must_use]
    pub fn rate_at_rest(&self, link: Link) -> Option<BitRate> {
        self.spec.networks.of(link).link_rate.filter(|_| self.spec.shapes_at_rest())
    }

    /// Takes an ephemeral lab down; any other stays as it is. A lab that is dropped without this
    /// leaves its virtual machines behind.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub async fn close(self, tell: &mut (dyn FnMut(&str) + Send)) -> Result<()> {
        let Self { nodes, keeper, .. } = self;
        match keeper {
            Keeper::Machines(keeper) => {
                drop(nodes);
                keeper.close(tell).await
            }
            Keeper::Hosts(keeper) => {
                if keeper.is_ephemeral() {
                    for node in &nodes {
                        for link in Link::ALL {
                            // A machine that is lost is in the journal of `lab-down`.
                            if let Err(error) = node.shape(link, None).await {
                                tell(&format!(
                                    "the {link} link of {} may still be shaped, until `lab-down`: {error:#}",
                                    node.name
                                ));
                            }
                        }
                    }
                }
                Ok(())
            }
            // These end with their keeper.
            Keeper::Namespaces(_) => Ok(()),
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
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<RunningLab> {
    match spec.provider {
        Provider::Netns => netns::up(spec, lifetime, programs.this),
        Provider::Hosts => hosts::up(spec, lifetime, programs, tell).await,
        Provider::Vagrant => vagrant::up(spec, lifetime, programs, tell).await,
    }
}

/// What [`up`] would do, as text; changes nothing.
///
/// # Errors
/// When something that it needs is missing, or nodes cannot be looked at.
pub async fn preview(spec: &LabSpec, programs: Programs<'_>) -> Result<String> {
    match spec.provider {
        Provider::Netns => {
            let nodes = spec.nodes.join(", ");
            Ok(match netns::find(&spec.name)? {
                Some(_) => format!("the lab `{}` is up; nothing would be done\n", spec.name),
                None => format!("would make the namespaces {nodes}\n"),
            })
        }
        Provider::Hosts => hosts::preview(spec, programs).await,
        Provider::Vagrant => vagrant::preview(spec, programs).await,
    }
}

/// Finds the lab of this name and provider that `lab-up` brought up; `None` when there is none.
///
/// # Errors
/// When its state cannot be read.
pub async fn find(spec: &LabSpec) -> Result<Option<RunningLab>> {
    match spec.provider {
        Provider::Netns => netns::find(&spec.name),
        Provider::Hosts => machines::find(&spec.name).await,
        Provider::Vagrant => vagrant::find(spec).await,
    }
}

/// Takes down the lab of this name and provider that `lab-up` brought up, and every leftover of
/// killed commands. Gives whether there was such a lab.
///
/// # Errors
/// When something cannot be removed.
pub async fn down(spec: &LabSpec, tell: &mut (dyn FnMut(&str) + Send)) -> Result<bool> {
    match spec.provider {
        Provider::Netns => netns::down(&spec.name),
        Provider::Hosts => {
            let was_up = machines::down(&spec.name).await?;
            if was_up && let Some(words) = hosts::what_stays(spec) {
                tell(&words);
            }
            Ok(was_up)
        }
        Provider::Vagrant => vagrant::down(&spec.name, tell).await,
    }
}
