//! Brings a lab of namespaces up, finds one that is up, and takes one down.
//!
//! A lab is taken down by ending its supervisor, which is found by the folder in its arguments;
//! the kernel does the rest. Only then is its folder removed. A folder without a supervisor is
//! what a killed command left behind, and the next command removes it.

use super::{
    client::Supervisor,
    network,
    supervisor::{HOLD_ARGUMENT, SOCKET_FILE, SPEC_FILE, SUPERVISE_ARGUMENT},
};
use crate::{
    journal::{self, Resource},
    node::{GUEST_TAP, Node, Shell},
    running::{self, Lifetime, RunningLab},
    spec::LabSpec,
    state,
};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use std::{
    fs,
    io::{BufRead, BufReader, PipeWriter},
    os::fd::OwnedFd,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How long a lab may take to come up or go down before that is an error.
const DEADLINE: Duration = Duration::from_secs(20);

/// The process that a lab lives by, and how it is ended.
#[derive(Debug)]
pub struct Keeper {
    folder: Utf8PathBuf,
    /// The supervisor of an ephemeral lab ends when this is closed.
    lifeline: Option<PipeWriter>,
}

/// The lab of this folder, which is up.
pub(super) fn running(
    spec: LabSpec,
    folder: Utf8PathBuf,
    lifeline: Option<PipeWriter>,
) -> Result<RunningLab> {
    let supervisor = Supervisor::at(folder.join(SOCKET_FILE));
    let storage = shared_folder(&spec, &folder)?;
    let nodes = spec.nodes.iter().enumerate().map(|(index, name)| Node {
        name: name.clone(),
        guest_address: spec.networks.guest.node_address(index),
        migration_address: spec.networks.migration.node_address(index),
        storage_address: None,
        guest_device: network::GUEST_UPLINK.to_owned(),
        migration_device: network::MIGRATION_UPLINK.to_owned(),
        tap: GUEST_TAP.to_owned(),
        storage: Some(storage.clone()),
        shell: Shell::Namespace(supervisor.clone()),
    });
    Ok(RunningLab {
        nodes: nodes.collect(),
        spec,
        folder: folder.clone(),
        keeper: running::Keeper::Namespaces(Keeper { folder, lifeline }),
    })
}

/// The folder that the nodes share: the lab file's, or one of the lab's own. Not in the state
/// folder, which often is memory.
fn shared_folder(spec: &LabSpec, folder: &Utf8Path) -> Result<Utf8PathBuf> {
    match spec.storage.as_ref().and_then(|storage| storage.directory.clone()) {
        Some(directory) => Ok(directory),
        None => Ok(state::data_root()?.join("shared").join(folder.file_name().unwrap_or_default())),
    }
}

impl Keeper {
    /// Whether its supervisor answers.
    pub(crate) async fn is_alive(&self) -> bool {
        Supervisor::at(self.folder.join(SOCKET_FILE)).is_alive().await
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.lifeline.take().is_some() {
            // A failure leaves a folder that the next command removes.
            let _left_for_the_next_command = state::root()
                .and_then(|root| state::lock(&root.join("labs.lock")))
                .and_then(|_alone| take_down(&self.folder));
        }
    }
}

/// Brings a lab up. `program` is one that calls [`super::hold`] and [`super::supervise`] when its
/// first argument asks for it, as `xtask` does.
///
/// # Errors
/// When a lab of this name is up already, or something cannot be made; then nothing is left.
pub fn up(spec: LabSpec, lifetime: Lifetime, program: &Utf8Path) -> Result<RunningLab> {
    let root = state::root()?;
    let _alone = state::lock(&root.join("labs.lock"))?;
    sweep(&root)?;
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
    match start(&spec, &folder, lifetime, program) {
        Ok(lifeline) => running(spec, folder, lifeline),
        Err(error) => {
            take_down(&folder).context("failed to clean up after a lab that did not come up")?;
            Err(error)
        }
    }
}

/// Finds the lab of this name that `lab-up` brought up; `None` when there is none.
///
/// # Errors
/// When its folder cannot be read.
pub fn find(name: &str) -> Result<Option<RunningLab>> {
    let root = state::root()?;
    let _alone = state::lock(&root.join("labs.lock"))?;
    sweep(&root)?;
    let folder = root.join(name);
    if !folder.exists() {
        return Ok(None);
    }
    let path = folder.join(SPEC_FILE);
    let text = fs::read(&path).with_context(|| format!("failed to read {path}"))?;
    let spec =
        serde_json::from_slice(&text).with_context(|| format!("failed to understand {path}"))?;
    running(spec, folder, None).map(Some)
}

/// Takes down the lab of this name that `lab-up` brought up, and every leftover of killed
/// commands. Gives whether there was such a lab.
///
/// # Errors
/// When something cannot be removed.
pub fn down(name: &str) -> Result<bool> {
    let root = state::root()?;
    let _alone = state::lock(&root.join("labs.lock"))?;
    sweep(&root)?;
    let folder = root.join(name);
    let was_up = folder.exists();
    if was_up {
        take_down(&folder)?;
    }
    Ok(was_up)
}

/// Writes the journal, starts the supervisor and waits until it is ready.
fn start(
    spec: &LabSpec,
    folder: &Utf8Path,
    lifetime: Lifetime,
    program: &Utf8Path,
) -> Result<Option<PipeWriter>> {
    journal::will_make(folder, &Resource::Folder(folder.to_owned()))?;
    fs::write(folder.join(SPEC_FILE), serde_json::to_vec_pretty(spec)?)?;
    make_shared_folder(spec, folder)?;
    let (stdin, lifeline) = match lifetime {
        Lifetime::Ephemeral => {
            let (reader, writer) = std::io::pipe()?;
            (Stdio::from(reader), Some(writer))
        }
        Lifetime::Persistent => (Stdio::null(), None),
    };
    let lifetime = if lifeline.is_some() { "ephemeral" } else { "persistent" };
    start_supervisor(folder, lifetime, stdin, program)?;
    Ok(lifeline)
}

/// Writes down and starts the process that holds what is in this folder, and waits until it is
/// ready. `what` tells it what to hold.
pub(in crate::provider) fn start_supervisor(
    folder: &Utf8Path,
    what: &str,
    stdin: Stdio,
    program: &Utf8Path,
) -> Result<()> {
    journal::will_make(folder, &Resource::Supervisor { folder: folder.to_owned() })?;
    let (reader, stdout) = std::io::pipe()?;
    let log = fs::File::create(folder.join("supervisor.log"))?;
    #[expect(clippy::disallowed_methods, reason = "the supervisor, which starts everything else")]
    let mut holder = Command::new(program)
        .args([HOLD_ARGUMENT, folder.as_str(), what])
        .stdin(stdin)
        .stdout(stdout)
        .stderr(log)
        .spawn()
        .context("failed to start the lab's supervisor")?;
    // The pipe ends with the supervisor, so this cannot wait for one that has died.
    let ready = BufReader::new(reader).lines().map_while(Result::ok).any(|line| line == "ready");
    holder.wait().context("failed to wait for the lab's holder")?;
    if !ready {
        let words = fs::read_to_string(folder.join("supervisor.log")).unwrap_or_default();
        let words = words.trim();
        bail!("{}", words.strip_prefix("Error: ").unwrap_or(words));
    }
    Ok(())
}

/// Makes the folder that the nodes share, unless it is one of the lab file's own.
fn make_shared_folder(spec: &LabSpec, folder: &Utf8Path) -> Result<()> {
    let shared = shared_folder(spec, folder)?;
    if spec.storage.as_ref().is_some_and(|storage| storage.directory.is_some()) {
        if !shared.is_dir() {
            bail!(
                "the folder {shared}, which the lab file names as storage, is not there\n\nhint: make it, or leave `storage` out"
            );
        }
        return Ok(());
    }
    journal::will_make(folder, &Resource::Folder(shared.clone()))?;
    fs::create_dir_all(&shared).with_context(|| format!("failed to make {shared}"))
}

/// Ends what the journal of this folder names, then removes the folder.
fn take_down(folder: &Utf8Path) -> Result<()> {
    for resource in journal::read(folder)?.iter().rev() {
        match resource {
            Resource::Supervisor { folder } => end_supervisor(folder)?,
            Resource::Folder(folder) => remove(folder)?,
            Resource::FilesOn { .. }
            | Resource::Domain(_)
            | Resource::Network(_)
            | Resource::Volume(_) => bail!("{resource:?} is not of a lab of namespaces"),
        }
    }
    // A folder made just before its first line was written.
    if folder.exists() {
        fs::remove_dir(folder).with_context(|| format!("failed to remove {folder}"))?;
    }
    Ok(())
}

/// Removes a folder that may never have come to be.
pub(in crate::provider) fn remove(folder: &Utf8Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove {folder}"))
        }
        _ => Ok(()),
    }
}

/// Removes a file that may not be there.
pub(in crate::provider) fn remove_file(file: &Utf8Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove {file}"))
        }
        _ => Ok(()),
    }
}

/// Removes the folders of labs whose supervisor is gone. The caller holds the lock, so no lab is
/// just coming up.
fn sweep(root: &Utf8Path) -> Result<()> {
    for entry in root.read_dir_utf8().with_context(|| format!("failed to read {root}"))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && holders(entry.path())?.is_empty() {
            take_down(entry.path())?;
        }
    }
    Ok(())
}

/// A process that holds a lab.
pub(in crate::provider) struct Holder {
    /// Its number on this machine.
    pub pid: Pid,
    /// Whether it is process 1 of the lab, and not the one that starts it.
    pub supervises: bool,
    /// An open handle, which cannot come to mean another process.
    handle: OwnedFd,
}

/// The processes that hold the lab of this folder.
pub(in crate::provider) fn holders(folder: &Utf8Path) -> Result<Vec<Holder>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("failed to read /proc")? {
        let entry = entry?;
        let Some(pid) =
            entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        // Opened first: what is read afterwards is of this process or of none.
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        let Ok(arguments) = fs::read(entry.path().join("cmdline")) else { continue };
        let mut arguments = arguments.split(|byte| *byte == 0).skip(1);
        let role = arguments.next().unwrap_or_default();
        let supervises = role == SUPERVISE_ARGUMENT.as_bytes();
        let holds = supervises || role == HOLD_ARGUMENT.as_bytes();
        if holds && arguments.next() == Some(folder.as_str().as_bytes()) {
            found.push(Holder { pid, supervises, handle });
        }
    }
    Ok(found)
}

/// Ends the process that holds what is in this folder, and waits until it is gone.
pub(in crate::provider) fn end_supervisor(folder: &Utf8Path) -> Result<()> {
    let begin = Instant::now();
    loop {
        // Again until there is none: a holder may be about to start its supervisor.
        let processes = holders(folder)?;
        if processes.is_empty() {
            return Ok(());
        }
        for process in &processes {
            let _gone_already = pidfd_send_signal(&process.handle, Signal::KILL);
        }
        for process in &processes {
            let left = DEADLINE
                .checked_sub(begin.elapsed())
                .context("the lab's supervisor does not end")?;
            let timeout = Timespec::try_from(left)?;
            poll(&mut [PollFd::new(&process.handle, PollFlags::IN)], Some(&timeout))?;
        }
    }
}
