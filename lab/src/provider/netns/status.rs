//! What labs there are, and what runs in them. Changes nothing, not even leftovers.

use super::{
    supervisor::SPEC_FILE,
    up::{holders, running},
};
use crate::{RunningLab, node::Node, state};
use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use std::{collections::HashMap, fs, time::Duration, time::SystemTime};

/// What a small command on a node may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(10);

/// The labs of this user.
#[derive(Debug, Default)]
pub struct Labs {
    /// Those that are up, by their folders' names.
    pub up: Vec<UpLab>,
    /// Folders without a supervisor: what killed commands left behind.
    pub leftovers: Vec<Utf8PathBuf>,
}

/// A lab that is up.
#[derive(Debug)]
pub struct UpLab {
    /// The lab. Dropping it does not take it down.
    pub lab: RunningLab,
    /// Number of the process that the lab ends with; `None` for one of `lab-up`.
    pub command: Option<u32>,
    /// Number of its supervisor, as this machine counts.
    pub supervisor: u32,
    /// Since when it is up.
    pub since: SystemTime,
}

/// A process on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeProcess {
    /// Name of the node.
    pub node: String,
    /// Its number, as this machine counts.
    pub pid: u32,
    /// Program and arguments.
    pub argv: Vec<String>,
}

/// Lists the labs of this user.
///
/// # Errors
/// When the state folder cannot be read.
pub fn labs() -> Result<Labs> {
    let root = state::root()?;
    // With the lock, no lab is just coming up or going down.
    let _alone = state::lock(&root.join("labs.lock"))?;
    let mut labs = Labs::default();
    for entry in root.read_dir_utf8().with_context(|| format!("failed to read {root}"))? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let folder = entry.path();
        let supervisor = holders(folder)?.into_iter().find(|holder| holder.supervises);
        match supervisor {
            Some(supervisor) => {
                let supervisor = supervisor.pid.as_raw_nonzero().get().unsigned_abs();
                labs.up.push(up_lab(folder, supervisor)?);
            }
            None => labs.leftovers.push(folder.to_owned()),
        }
    }
    labs.up.sort_by(|a, b| a.lab.folder.cmp(&b.lab.folder));
    labs.leftovers.sort();
    Ok(labs)
}

fn up_lab(folder: &Utf8Path, supervisor: u32) -> Result<UpLab> {
    let path = folder.join(SPEC_FILE);
    // Written once, just before the supervisor is started.
    let since = fs::metadata(&path).and_then(|file| file.modified());
    let since = since.with_context(|| format!("failed to look at {path}"))?;
    let text = fs::read(&path).with_context(|| format!("failed to read {path}"))?;
    let spec =
        serde_json::from_slice(&text).with_context(|| format!("failed to understand {path}"))?;
    // Names of labs have no dot.
    let command = folder.extension().and_then(|pid| pid.parse().ok());
    let lab = running(spec, folder.to_owned(), None)?;
    Ok(UpLab { lab, command, supervisor, since })
}

impl UpLab {
    /// What runs on its nodes: guests, observers, commands; ordered by node, then by number.
    ///
    /// # Errors
    /// When the lab is gone, or `/proc` does not show it.
    pub async fn processes(&self) -> Result<Vec<NodeProcess>> {
        let mut networks = HashMap::new();
        for (index, node) in self.lab.nodes.iter().enumerate() {
            networks.insert(network_of(node).await?, index);
        }
        let pids = pid_namespace(self.supervisor)
            .context("the lab's supervisor is gone, or not ours to look at")?;
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").context("failed to read /proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            if pid == self.supervisor || pid_namespace(pid).as_ref() != Some(&pids) {
                continue;
            }
            let network = fs::read_link(format!("/proc/{pid}/ns/net")).ok();
            let node = network.and_then(|network| networks.get(network.to_str()?));
            // One that has just ended has no arguments any more.
            let argv = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if let (Some(&node), false) = (node, argv.is_empty()) {
                found.push((node, pid, words(&argv)));
            }
        }
        found.sort();
        Ok(found
            .into_iter()
            .map(|(node, pid, argv)| NodeProcess {
                node: self.lab.nodes[node].name.clone(),
                pid,
                argv,
            })
            .collect())
    }
}

/// The kernel's name for a node's network namespace, `net:[N]`.
async fn network_of(node: &Node) -> Result<String> {
    let argv = ["readlink", "/proc/self/ns/net"].map(str::to_owned);
    Ok(node.run(&argv, COMMAND_DEADLINE).await?.trim().to_owned())
}

fn pid_namespace(pid: u32) -> Option<std::path::PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// The arguments in `/proc/PID/cmdline`: each ends with a zero byte.
fn words(cmdline: &[u8]) -> Vec<String> {
    let cmdline = cmdline.strip_suffix(b"\0").unwrap_or(cmdline);
    cmdline
        .split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_may_be_empty_but_the_end_is_none() {
        assert_eq!(words(b"sh\0-c\0\0"), ["sh", "-c", ""]);
        assert_eq!(words(b"init"), ["init"]);
    }
}
