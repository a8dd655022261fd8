//! What a lab is about to make, written down before it is made: the only thing a tear-down goes
//! by, so that nothing is ever removed that this lab did not make.

use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use std::{fs, io::Write};

const FILE: &str = "journal.jsonl";

/// A thing that a lab makes and must take down again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Resource {
    /// The lab's own state folder, with everything in it.
    Folder(Utf8PathBuf),
    /// The process that holds the lab's namespaces, known by its first argument and the folder
    /// in its second: a number could be reused by somebody else's process.
    Supervisor {
        /// The lab's state folder.
        folder: Utf8PathBuf,
    },
    /// Our own files on a machine that is a node: in our folder there, and nowhere else.
    FilesOn {
        /// The machine, as `ssh` is told.
        host: String,
        /// Configuration file for `ssh`, if not the user's own.
        ssh_config: Option<Utf8PathBuf>,
    },
    /// A virtual machine of libvirt, with its disk.
    Domain(String),
    /// A network of libvirt.
    Network(String),
    /// Volumes in libvirt's pool `default` whose names begin so: with that of a box of ours.
    Volume(String),
}

/// Writes down, durably, what will be made next.
///
/// # Errors
/// When the journal cannot be written.
pub fn will_make(folder: &Utf8Path, resource: &Resource) -> Result<()> {
    let path = folder.join(FILE);
    let mut line = serde_json::to_vec(resource)?;
    line.push(b'\n');
    let mut file = fs::File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("failed to open {path}"))?;
    file.write_all(&line)
        .and_then(|()| file.sync_data())
        .with_context(|| format!("failed to write {path}"))
}

/// Everything written down, in order. A torn last line was never acted on.
///
/// # Errors
/// When the journal is there and cannot be read.
pub fn read(folder: &Utf8Path) -> Result<Vec<Resource>> {
    let path = folder.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("failed to read {path}")),
    };
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}
