//! Labs of Vagrant's nodes: made, reached, set up, each time as far as it is not done yet.

use super::{Keeper, Lifetime, Programs, RunningLab};
use crate::{
    node::Node,
    playbook::Devices,
    provider::{
        machines::{self, Links},
        vagrant::{self, Rating, SshNode},
    },
    set_up::SetUp,
    spec::{LabSpec, Link},
    ssh::SshTarget,
    state::{self, Lock},
};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use std::fs;

/// The resolved lab file, in the lab's folder.
const SPEC_FILE: &str = "lab.json";
/// Made when all of the lab was there for the first time.
const READY_FILE: &str = "ready";
/// Our static program, as it was when the lab was brought up.
const OBSERVER_FILE: &str = "observer";

/// What a lab of Vagrant's nodes lives by.
#[derive(Debug)]
pub(crate) struct Machines {
    folder: Utf8PathBuf,
    /// Whether the lab is taken down by whoever brought it up.
    ephemeral: bool,
}

impl Machines {
    /// Whether the lab has not been taken down. A node that is gone may come back.
    pub(super) fn is_alive(&self) -> bool {
        self.folder.is_dir()
    }

    /// Takes an ephemeral lab down.
    pub(super) async fn close(self, tell: &mut (dyn FnMut(&str) + Send)) -> Result<()> {
        if self.ephemeral {
            let name = self.folder.file_name().unwrap_or_default();
            let _alone = alone(name)?;
            vagrant::down(&self.folder, tell).await?;
        }
        Ok(())
    }
}

/// Brings the lab up, or goes on where that stopped; of one that is up, everything is checked.
pub(super) async fn up(
    spec: LabSpec,
    lifetime: Lifetime,
    programs: Programs<'_>,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<RunningLab> {
    let _alone = alone(&spec.name)?;
    let folder = root()?.join(&spec.name);
    as_it_was(&spec, &folder)?;
    let cpu = (programs.virtualization)(&spec)?;
    preflight(&spec, &folder, &cpu, tell).await?;
    fs::create_dir_all(&folder).with_context(|| format!("failed to make {folder}"))?;
    let path = folder.join(SPEC_FILE);
    fs::write(&path, serde_json::to_vec_pretty(&spec)?)
        .with_context(|| format!("failed to write {path}"))?;
    let targets = vagrant::up(&spec, &folder, programs.this, &cpu, tell).await?;
    let observer = folder.join(OBSERVER_FILE);
    fs::copy((programs.observer)()?, &observer)
        .with_context(|| format!("failed to keep the observer as {observer}"))?;
    let mut nodes = reach(&spec, targets, &observer).await?;
    let devices = vec![Devices::of_vagrant(); nodes.len()];
    let set_up =
        SetUp { spec: &spec, devices: &devices, templates: programs.templates, folder: &folder };
    let summary = set_up.run(&mut nodes, tell).await?;
    tell(&format!("the nodes are set up: {summary}"));
    shape(&spec, &nodes).await?;
    fs::write(folder.join(READY_FILE), "").context("failed to write down that the lab is up")?;
    let ephemeral = lifetime == Lifetime::Ephemeral;
    let keeper = Keeper::Machines(Machines { folder: folder.clone(), ephemeral });
    Ok(RunningLab { spec, folder, nodes, keeper })
}

/// What [`up`] would do, as text; changes nothing.
pub(super) async fn preview(spec: &LabSpec, programs: Programs<'_>) -> Result<String> {
    let folder = root()?.join(&spec.name);
    as_it_was(spec, &folder)?;
    let cpu = (programs.virtualization)(spec)?;
    let mut text = String::new();
    let mut tell = |line: &str| text += &format!("{line}\n");
    preflight(spec, &folder, &cpu, &mut tell).await?;
    if !folder.join(READY_FILE).exists() {
        let nodes = spec.nodes.join(", ");
        let playbook = SetUp::template(spec.hypervisor);
        return Ok(text
            + &format!("would make {nodes}, and set them up by playbooks-templates/{playbook}\n"));
    }
    let targets = vagrant::targets(spec, &folder);
    let mut nodes = reach(spec, targets, &folder.join(OBSERVER_FILE)).await?;
    let devices = vec![Devices::of_vagrant(); nodes.len()];
    let set_up = SetUp { spec, devices: &devices, templates: programs.templates, folder: &folder };
    Ok(text + &set_up.preview(&mut nodes).await?.to_string())
}

/// Finds a lab that came up whole, and connects to its nodes.
pub(super) async fn find(spec: &LabSpec) -> Result<Option<RunningLab>> {
    let folder = root()?.join(&spec.name);
    if !folder.join(READY_FILE).exists() {
        return Ok(None);
    }
    let Some(spec) = spec_of(&folder)? else { return Ok(None) };
    let targets = vagrant::targets(&spec, &folder);
    let nodes = reach(&spec, targets, &folder.join(OBSERVER_FILE)).await?;
    let keeper = Keeper::Machines(Machines { folder: folder.clone(), ephemeral: false });
    Ok(Some(RunningLab { spec, folder, nodes, keeper }))
}

/// Takes the lab down, however far it had come.
pub(super) async fn down(name: &str, tell: &mut (dyn FnMut(&str) + Send)) -> Result<bool> {
    let _alone = alone(name)?;
    vagrant::down(&root()?.join(name), tell).await
}

/// The folder of a lab, whether or not it is there.
///
/// # Errors
/// When there is no place for it.
pub fn folder(name: &str) -> Result<Utf8PathBuf> {
    Ok(root()?.join(name))
}

/// Where labs of Vagrant's nodes have their folders.
fn root() -> Result<Utf8PathBuf> {
    let root = state::data_root()?.join("labs");
    fs::create_dir_all(&root).with_context(|| format!("failed to make {root}"))?;
    Ok(root)
}

/// One command at a time makes or removes a lab.
fn alone(name: &str) -> Result<Lock> {
    let path = state::data_root()?.join(format!("{name}.lock"));
    state::try_lock(&path)?.with_context(|| {
        format!("another command is bringing the lab `{name}` up or down\n\nhint: wait for it")
    })
}

fn spec_of(folder: &Utf8Path) -> Result<Option<LabSpec>> {
    let path = folder.join(SPEC_FILE);
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .with_context(|| format!("failed to understand {path}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("failed to read {path}")),
    }
}

/// Nodes that were made by another lab file are not gone on with.
fn as_it_was(spec: &LabSpec, folder: &Utf8Path) -> Result<()> {
    match spec_of(folder)? {
        Some(was) if was != *spec => bail!(
            "the lab `{}` is up, or half up, but not as its file says now\n\nhint: `cargo xtask lab-down` with this lab file, then try again",
            spec.name
        ),
        _ => Ok(()),
    }
}

/// Tells what was looked at, and refuses what cannot come up.
async fn preflight(
    spec: &LabSpec,
    folder: &Utf8Path,
    cpu: &vagrant::Virtualization,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<()> {
    let preflight = vagrant::preflight(spec, folder, cpu).await?;
    let mut bad = Vec::new();
    for check in &preflight.checks {
        tell(&format!("{}: {}", check.what, check.found));
        let remedy = check.remedy.as_deref().unwrap_or("see above");
        match check.rating {
            Rating::Bad => bad.push(format!("{}: {}\n\nhint: {remedy}", check.what, check.found)),
            _ => {
                if let Some(remedy) = &check.remedy {
                    tell(&format!("  {remedy}"));
                }
            }
        }
    }
    if bad.is_empty() { Ok(()) } else { bail!("{}", bad.join("\n\n")) }
}

/// Gives the links the rates that the lab file says; a node that boots anew has none. What an
/// experiment that goes on meanwhile has shaped stays as it is.
async fn shape(spec: &LabSpec, nodes: &[Node]) -> Result<()> {
    let nobody_measures = state::measuring_lock();
    for node in nodes {
        for link in Link::ALL {
            if nobody_measures.is_ok() || !node.is_shaped(link).await? {
                node.shape(link, spec.networks.of(link).link_rate).await?;
            }
        }
    }
    Ok(())
}

/// Connects to the nodes, whose cards and addresses are as the playbook gives them.
async fn reach(spec: &LabSpec, targets: Vec<SshNode>, observer: &Utf8Path) -> Result<Vec<Node>> {
    let targets: Vec<_> = targets
        .into_iter()
        .map(|SshNode { node, config, host }| {
            (node, SshTarget { config: Some(config), host, sudo: true })
        })
        .collect();
    let connections = machines::connect(&targets, observer).await?;
    let nodes = spec.nodes.iter().zip(connections).enumerate();
    Ok(nodes
        .map(|(index, (name, connection))| {
            let Devices { guest, migration, storage, .. } = Devices::of_vagrant();
            let networks = &spec.networks;
            let links = Links {
                guest_address: spec.networks.guest.node_address(index),
                guest_device: guest,
                migration_address: spec.networks.migration.node_address(index),
                migration_device: migration,
                storage: networks
                    .storage
                    .as_ref()
                    .and_then(|network| Some((network.node_address(index), storage?))),
            };
            machines::node(spec, name, connection, links)
        })
        .collect())
}
