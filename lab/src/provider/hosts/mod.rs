//! The provider `hosts`: the nodes are machines that one already has, reached by SSH.
//!
//! It makes nothing on them but a folder of files of ours (our own program, and what is delivered);
//! setting machines up is a playbook's work, and only where the lab file allows it. On this machine
//! a lab is a folder. What lies on the machines is in a journal beside it, which outlasts the lab
//! until `lab-down` has removed the files.

mod files;

use super::machines;
use crate::{
    node::Node,
    running::{self, Lifetime, RunningLab},
    spec::LabSpec,
    ssh::SshTarget,
    state::{self, Lock},
};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use files::Files;
use std::fs;

/// The resolved lab file, in the lab's folder.
const SPEC_FILE: &str = "lab.json";
/// Held by the process that an ephemeral lab belongs to.
const LOCK_FILE: &str = "lock";

/// What a lab of hosts lives by: its folder.
#[derive(Debug)]
pub struct Keeper {
    folder: Utf8PathBuf,
    /// Of an ephemeral lab, which goes with this.
    alone: Option<Lock>,
}

impl Keeper {
    /// Whether the lab has not been taken down. A node that is gone may come back.
    pub(crate) fn is_alive(&self) -> bool {
        self.folder.is_dir()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.alone.is_some() {
            // A failure leaves a folder that the next command removes.
            let _left_for_the_next_command = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Connects to all machines. `observer` is our static program.
///
/// # Errors
/// When a lab of this name is up already, or a machine cannot be reached or is not as the lab file
/// says.
pub async fn up(spec: LabSpec, lifetime: Lifetime, observer: &Utf8Path) -> Result<RunningLab> {
    let root = root()?;
    let targets = targets(&spec)?;
    let (keeper, files) = begin(&root, &spec, lifetime, observer, &targets)?;
    let folder = keeper.folder.clone();
    match nodes(&spec, &targets, &files).await {
        Ok(nodes) => {
            let keeper = running::Keeper::Hosts(keeper);
            Ok(RunningLab { spec, folder, nodes, keeper })
        }
        Err(error) => {
            drop(keeper);
            if folder.exists() {
                fs::remove_dir_all(&folder)
                    .with_context(|| format!("failed to remove {folder}"))?;
            }
            Err(error)
        }
    }
}

/// Makes what a lab is on this machine.
fn begin(
    root: &Utf8Path,
    spec: &LabSpec,
    lifetime: Lifetime,
    observer: &Utf8Path,
    targets: &[(String, SshTarget)],
) -> Result<(Keeper, Files)> {
    let _alone = state::lock(&root.join("labs.lock"))?;
    sweep(root)?;
    let name = match lifetime {
        Lifetime::Persistent => spec.name.clone(),
        Lifetime::Ephemeral => format!("{}.{}", spec.name, std::process::id()),
    };
    let folder = root.join(name);
    if folder.exists() {
        bail!(
            "the lab `{}` is up already\n\nhint: `cargo xtask lab-down` takes it down",
            spec.name
        );
    }
    fs::create_dir(&folder).with_context(|| format!("failed to make {folder}"))?;
    let alone = match lifetime {
        Lifetime::Persistent => None,
        Lifetime::Ephemeral => Some(state::lock(&folder.join(LOCK_FILE))?),
    };
    let keeper = Keeper { folder, alone };
    let files = Files::of(root, &spec.name);
    files.will_be_on(targets, observer)?;
    let path = keeper.folder.join(SPEC_FILE);
    fs::write(&path, serde_json::to_vec_pretty(spec)?)
        .with_context(|| format!("failed to write {path}"))?;
    Ok((keeper, files))
}

/// Finds the lab of this name that [`up`] brought up to stay, and connects to its machines; `None`
/// when there is none.
///
/// # Errors
/// When its folder cannot be read or a machine cannot be reached.
pub async fn find(name: &str) -> Result<Option<RunningLab>> {
    let root = root()?;
    let folder = root.join(name);
    let Some(spec) = spec_of(&folder)? else { return Ok(None) };
    let nodes = nodes(&spec, &targets(&spec)?, &Files::of(&root, name)).await?;
    let keeper = running::Keeper::Hosts(Keeper { folder: folder.clone(), alone: None });
    Ok(Some(RunningLab { spec, folder, nodes, keeper }))
}

/// Removes the folder of the lab of this name, and our files from every machine that labs of this
/// name have used. Gives whether there was such a lab.
///
/// # Errors
/// When a machine cannot be reached, or something cannot be removed; then it can be tried again.
pub async fn down(name: &str) -> Result<bool> {
    let root = root()?;
    {
        let _alone = state::lock(&root.join("labs.lock"))?;
        sweep(&root)?;
    }
    let folder = root.join(name);
    let was_up = folder.exists();
    Files::of(&root, name).remove().await?;
    if was_up {
        fs::remove_dir_all(&folder).with_context(|| format!("failed to remove {folder}"))?;
    }
    Ok(was_up)
}

async fn nodes(
    spec: &LabSpec,
    targets: &[(String, SshTarget)],
    files: &Files,
) -> Result<Vec<Node>> {
    let connections = machines::connect(targets, &files.observer()).await?;
    machines::nodes(spec, connections).await
}

/// Where labs of machines have their folders.
fn root() -> Result<Utf8PathBuf> {
    let root = state::data_root()?.join("hosts");
    fs::create_dir_all(&root).with_context(|| format!("failed to make {root}"))?;
    Ok(root)
}

/// The lab file of a folder; `None` when no lab is there.
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

/// Removes the folders of ephemeral labs whose process is gone, and such as never became a lab. The
/// caller holds the lock, so none is just being made.
fn sweep(root: &Utf8Path) -> Result<()> {
    for entry in root.read_dir_utf8().with_context(|| format!("failed to read {root}"))? {
        let entry = entry?;
        let folder = entry.path();
        if !entry.file_type()?.is_dir() || Files::is(folder) {
            continue;
        }
        let lock = folder.join(LOCK_FILE);
        let left = lock.exists() && state::try_lock(&lock)?.is_some();
        if left || !folder.join(SPEC_FILE).exists() {
            fs::remove_dir_all(folder).with_context(|| format!("failed to remove {folder}"))?;
        }
    }
    Ok(())
}

/// The machines, in the order of the lab's nodes.
fn targets(spec: &LabSpec) -> Result<Vec<(String, SshTarget)>> {
    let hosts = spec.hosts.as_ref().filter(|_| spec.has_ssh()).context(
        "the lab's machines are not reached by SSH, and only so can they be used\n\nhint: give \
         every node `ssh` in the lab file; `cargo xtask lab-check` needs none",
    )?;
    spec.nodes
        .iter()
        .map(|node| {
            let host = hosts.get(node).with_context(|| format!("{node} has no machine"))?;
            // Labs need root: they make devices, mount file systems and shape links.
            let place =
                host.ssh.clone().with_context(|| format!("{node} is not reached by SSH"))?;
            let (config, host, sudo) = (host.ssh_config.clone(), place, true);
            Ok((node.clone(), SshTarget { config, host, sudo }))
        })
        .collect()
}
