//! Our files on machines that are not ours: written down before they are made, and removed again.

use crate::{
    journal::{self, Resource},
    provider::machines,
    shaping,
    ssh::{Connection, SshTarget},
};
use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use std::{fs, time::Duration};

/// Ends the name of such a folder; no lab's name has a dot.
const SUFFIX: &str = ".files";

/// Our static program, by which the machines are reached; who finds the lab later uses the same.
const OBSERVER_FILE: &str = "observer";

/// Removing some files.
const REMOVING: Duration = Duration::from_secs(30);

/// Takes our shaping of links away and removes our files from a node; `$2` begins the line in which
/// `tc` tells of such a shaping. Where we log in as another and become root, our program lies in
/// the other's home; it is found as the parent of this shell.
const REMOVE: &str = r#"set -eu
if command -v tc >/dev/null; then
  tc qdisc show | while read -r line; do
    case $line in "$2 dev "*) ;; *) continue ;; esac
    rest=${line#"$2 dev "}
    case ${rest#* } in "root "*) tc qdisc del dev "${rest%% *}" root ;; esac
  done
fi
rm -rf -- "$1/files"
program=$(readlink "/proc/$PPID/exe")
program=${program% (deleted)}
case $program in
*/precopy-lab/files/*/observer) rm -rf -- "${program%/*/*}" ;;
esac
"#;

/// What labs of one name have put on machines: a folder with a journal.
#[derive(Debug)]
pub(super) struct Files(Utf8PathBuf);

impl Files {
    /// Of labs of this name.
    pub fn of(root: &Utf8Path, name: &str) -> Self {
        Self(root.join(format!("{name}{SUFFIX}")))
    }

    /// Whether a folder is one of these.
    pub fn is(folder: &Utf8Path) -> bool {
        folder.as_str().ends_with(SUFFIX)
    }

    /// The folder.
    pub fn folder(&self) -> &Utf8Path {
        &self.0
    }

    /// Our program.
    pub fn observer(&self) -> Utf8PathBuf {
        self.0.join(OBSERVER_FILE)
    }

    /// Writes down that files will be on these machines.
    pub fn will_be_on(&self, targets: &[(String, SshTarget)], observer: &Utf8Path) -> Result<()> {
        fs::create_dir_all(&self.0).with_context(|| format!("failed to make {}", self.0))?;
        let known = journal::read(&self.0)?;
        for (_, SshTarget { config, host, .. }) in targets {
            let files = Resource::FilesOn { host: host.clone(), ssh_config: config.clone() };
            if !known.contains(&files) {
                journal::will_make(&self.0, &files)?;
            }
        }
        // Another lab of this name may be using the old one: it is replaced, not overwritten.
        let new = self.0.join(format!("{OBSERVER_FILE}.{}", std::process::id()));
        fs::copy(observer, &new)
            .and_then(|_| fs::rename(&new, self.observer()))
            .with_context(|| format!("failed to copy {observer} to {}", self.0))
    }

    /// Removes them from every machine, then what is written down.
    pub async fn remove(&self) -> Result<()> {
        let targets = journal::read(&self.0)?.into_iter().filter_map(|resource| match resource {
            Resource::FilesOn { host, ssh_config } => {
                Some((host.clone(), SshTarget { config: ssh_config, host, sudo: true }))
            }
            _ => None,
        });
        let targets: Vec<(String, SshTarget)> = targets.collect();
        let connections = machines::connect(&targets, &self.observer()).await?;
        for ((host, _), connection) in targets.iter().zip(&connections) {
            remove_from(connection).await.with_context(|| format!("failed to clean up {host}"))?;
        }
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("failed to remove {}", self.0))
            }
            _ => Ok(()),
        }
    }
}

async fn remove_from(connection: &Connection) -> Result<()> {
    let agent = connection.agent();
    let folder = agent.about().folder.clone();
    let argv = ["sh", "-c", REMOVE, "remove", &folder, shaping::OURS].map(str::to_owned);
    crate::node::run(&agent, &argv, REMOVING).await.map(drop)
}
