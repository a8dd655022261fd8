//! The provider `hosts`: the nodes are machines that one already has, reached by SSH.
//!
//! It makes nothing on them but a folder of files of ours (our own program, and what is delivered);
//! setting machines up is a playbook's work, and only where the lab file allows it. On this machine
//! a lab is a folder. What lies on the machines is in a journal beside it, which outlasts the lab
//! until `lab-down` has removed the files.

mod files;
mod prepare;
mod targets;

pub use targets::by_api;

use super::machines::{self, Glance, Links};
use crate::{
    node::Node,
    running::{self, Lifetime, RunningLab},
    spec::LabSpec,
    ssh::{Connection, SshTarget},
    state::{self, Lock},
};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use files::Files;
use std::{fs, time::Duration};
use targets::{targets, targets_if_any};

/// The resolved lab file, in the lab's folder.
const SPEC_FILE: &str = "lab.json";
/// Held by the process that an ephemeral lab belongs to.
const LOCK_FILE: &str = "lock";
/// Held by who sets the machines up.
const SET_UP_LOCK_FILE: &str = "set-up.lock";
/// Reading devices and routes.
const LOOKING: Duration = Duration::from_secs(30);

/// What a lab of hosts lives by: its folder.
#[derive(Debug)]
pub struct Keeper {
    folder: Utf8PathBuf,
    /// Of an ephemeral lab, which goes with this.
    alone: Option<Lock>,
}

impl Keeper {
    /// Whether the lab ends with who brought it up.
    pub(crate) const fn is_ephemeral(&self) -> bool {
        self.alone.is_some()
    }

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

/// A lab that is being brought up: what it is on this machine is there.
#[derive(Debug)]
pub struct Begun {
    keeper: Keeper,
    files: Files,
    targets: Vec<(String, SshTarget)>,
    /// Whether it was up before; then it stays so, whatever comes.
    was_up: bool,
}

/// Begins to bring a lab up. `observer` is our static program. One that is to be set up may be up
/// already, as it is here: then it is gone on with.
///
/// # Errors
/// When a lab of this name is up already.
pub fn begin(spec: &LabSpec, lifetime: Lifetime, observer: &Utf8Path) -> Result<Begun> {
    let root = root()?;
    let targets = targets_if_any(spec)?;
    let _alone = state::lock(&root.join("labs.lock"))?;
    sweep(&root)?;
    let name = match lifetime {
        Lifetime::Persistent => spec.name.clone(),
        Lifetime::Ephemeral => format!("{}.{}", spec.name, std::process::id()),
    };
    let folder = root.join(name);
    let was_up = folder.exists();
    if was_up && !(spec.sets_up_hosts() && spec_of(&folder)?.as_ref() == Some(spec)) {
        let but =
            if spec.sets_up_hosts() { "up, but not as its file says now" } else { "up already" };
        bail!("the lab `{}` is {but}\n\nhint: `cargo xtask lab-down` takes it down", spec.name);
    }
    let files = Files::of(&root, &spec.name);
    if was_up {
        files.will_be_on(&targets, observer)?;
        return Ok(Begun { keeper: Keeper { folder, alone: None }, files, targets, was_up });
    }
    fs::create_dir(&folder).with_context(|| format!("failed to make {folder}"))?;
    let alone = match lifetime {
        Lifetime::Persistent => None,
        Lifetime::Ephemeral => Some(state::lock(&folder.join(LOCK_FILE))?),
    };
    let keeper = Keeper { folder, alone };
    files.will_be_on(&targets, observer)?;
    let path = keeper.folder.join(SPEC_FILE);
    fs::write(&path, serde_json::to_vec_pretty(spec)?)
        .with_context(|| format!("failed to write {path}"))?;
    Ok(Begun { keeper, files, targets, was_up })
}

impl Begun {
    /// Connects to all machines, in the order of the lab's nodes.
    ///
    /// # Errors
    /// When one cannot be reached.
    pub async fn connect(&self) -> Result<Vec<Connection>> {
        machines::connect(&self.targets, &self.files.observer()).await
    }

    /// The lab's folder.
    #[must_use]
    pub fn folder(&self) -> &Utf8Path {
        &self.keeper.folder
    }

    /// A folder that outlasts the lab, until `lab-down` has removed our files everywhere: for what
    /// was said while the machines were set up. One process at a time has it.
    ///
    /// # Errors
    /// While another sets them up.
    pub fn set_up_folder(&self) -> Result<(Utf8PathBuf, Lock)> {
        let folder = self.files.folder();
        let alone = state::try_lock(&folder.join(SET_UP_LOCK_FILE))?
            .context("another command is setting these machines up\n\nhint: wait for it")?;
        Ok((folder.to_owned(), alone))
    }

    /// What the lab lives by, now that it is up.
    #[must_use]
    pub fn finish(self) -> Keeper {
        self.keeper
    }

    /// Gives the lab up, unless it was up before. What is on machines stays in its journal.
    ///
    /// # Errors
    /// When its folder cannot be removed.
    pub fn abandon(self) -> Result<()> {
        let Self { keeper, was_up, .. } = self;
        if was_up {
            return Ok(());
        }
        let folder = keeper.folder.clone();
        drop(keeper);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("failed to remove {folder}"))
            }
            _ => Ok(()),
        }
    }
}

/// The links of each machine as a playbook is to make them, in the order of the lab's nodes;
/// `bridge` is the one that it makes for guests.
///
/// # Errors
/// When a card is not known, or changing it would cost a machine something.
pub async fn links_to_set_up(
    spec: &LabSpec,
    connections: &[Connection],
    bridge: &str,
) -> Result<Vec<Links>> {
    let (mut all, mut failures) = (Vec::<Links>::new(), Vec::new());
    for (index, (name, connection)) in spec.nodes.iter().zip(connections).enumerate() {
        let argv = ["sh", "-c", prepare::LOOK].map(str::to_owned);
        let said = crate::node::run(&connection.agent(), &argv, LOOKING).await;
        let links = said
            .and_then(|said| prepare::Machine::parse(&said))
            .and_then(|machine| machine.links(spec, index, bridge));
        match links {
            Ok(links) => {
                let same = |other: &&Links| {
                    other.guest_address == links.guest_address
                        || other.migration_address == links.migration_address
                };
                if let Some(at) = all.iter().position(|other| same(&other)) {
                    let other = &spec.nodes[at];
                    failures.push(format!("{name} would have an address of {other}"));
                }
                all.push(links);
            }
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
    }
    machines::all_well(failures)?;
    Ok(all)
}

/// Puts our program on machines of which no lab of this name is up and connects to them, to look
/// at them; [`Looking::end`] removes it again.
///
/// # Errors
/// When one cannot be reached.
pub async fn begin_to_look(
    spec: &LabSpec,
    observer: &Utf8Path,
) -> Result<(Looking, Vec<Connection>)> {
    let root = root()?;
    let files = Files::of(&root, &spec.name);
    let had_files = files.folder().exists();
    let targets = targets(spec)?;
    {
        let _alone = state::lock(&root.join("labs.lock"))?;
        files.will_be_on(&targets, observer)?;
    }
    let looking = Looking { files, had_files };
    match machines::connect(&targets, &looking.files.observer()).await {
        Ok(connections) => Ok((looking, connections)),
        Err(error) => {
            // The journal is left, should a machine that has our program not answer now.
            let _lab_down_removes_it = looking.end().await;
            Err(error)
        }
    }
}

/// A look at machines of which no lab is up.
#[derive(Debug)]
pub struct Looking {
    files: Files,
    had_files: bool,
}

impl Looking {
    /// Removes our program again, unless it was there before.
    ///
    /// # Errors
    /// When a machine cannot be reached.
    pub async fn end(self) -> Result<()> {
        if self.had_files { Ok(()) } else { self.files.remove().await }
    }
}

/// A lab that is up, looked at whether or not its machines can be reached.
#[derive(Debug)]
pub struct Looked {
    /// What it was made from.
    pub spec: LabSpec,
    /// Its folder.
    pub folder: Utf8PathBuf,
    /// Its nodes in their order, each with its name and what is wrong with it otherwise.
    pub nodes: Vec<(String, Result<Node>)>,
}

/// Asks every machine of a lab file what it is, in the lab's order: each with its node's name and
/// where SSH finds it. Puts nothing onto them.
///
/// # Errors
/// When an attempt is cut off.
pub async fn glance(spec: &LabSpec) -> Result<Vec<(String, String, Result<Glance>)>> {
    let attempts: Vec<_> = targets(spec)?
        .into_iter()
        .map(|(name, target)| {
            let (spec, node) = (spec.clone(), name.clone());
            let host = target.host.clone();
            let asked = tokio::spawn(async move { machines::glance(&spec, &node, &target).await });
            (name, host, asked)
        })
        .collect();
    let mut glances = Vec::new();
    for (name, host, asked) in attempts {
        glances.push((name, host, asked.await.context("an attempt to connect ended early")?));
    }
    Ok(glances)
}

/// Looks at the lab of this name that `lab-up` left up; `None` when there is none.
///
/// # Errors
/// When its folder cannot be read.
pub async fn look(name: &str) -> Result<Option<Looked>> {
    let root = root()?;
    let folder = root.join(name);
    let Some(spec) = spec_of(&folder)? else { return Ok(None) };
    let files = Files::of(&root, name);
    let mut nodes = Vec::new();
    for (name, connection) in machines::reach(&targets(&spec)?, &files.observer()).await? {
        let node = match connection {
            Ok(connection) => machines::look(&spec, &name, connection).await,
            Err(error) => Err(error),
        };
        nodes.push((name, node));
    }
    Ok(Some(Looked { spec, folder, nodes }))
}

/// Finds the lab of this name that was brought up to stay, and connects to its machines; `None`
/// when there is none.
///
/// # Errors
/// When its folder cannot be read or a machine cannot be reached.
pub async fn find(name: &str) -> Result<Option<RunningLab>> {
    let root = root()?;
    let folder = root.join(name);
    let Some(spec) = spec_of(&folder)? else { return Ok(None) };
    let nodes = nodes(&spec, &targets_if_any(&spec)?, &Files::of(&root, name)).await?;
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
    if targets.is_empty() {
        return Ok(by_api(spec));
    }
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
