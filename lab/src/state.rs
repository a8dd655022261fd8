//! Where labs keep what they must remember: a folder of this user's, one folder in it per lab.
//!
//! A lab that `lab-up` made is called by its name; one that belongs to a running command by its
//! name and that command's process number.

use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use rustix::{
    fs::{FlockOperation, flock},
    process::getuid,
};
use std::{
    fs::{self, DirBuilder, File},
    os::unix::fs::{DirBuilderExt, MetadataExt},
};

/// Environment variable that names another root, for tests and for odd machines.
const ROOT_VARIABLE: &str = "PRECOPY_LAB_STATE";

/// The folder that holds the folders of all labs of this user; made when it is not there.
///
/// Short on purpose: sockets lie in it, whose paths may have 107 bytes.
///
/// # Errors
/// When it cannot be made, or belongs to somebody else.
pub fn root() -> Result<Utf8PathBuf> {
    let root = match (std::env::var(ROOT_VARIABLE), std::env::var("XDG_RUNTIME_DIR")) {
        (Ok(root), _) if !root.is_empty() => Utf8PathBuf::from(root),
        (_, Ok(runtime)) if Utf8Path::new(&runtime).is_dir() => {
            Utf8PathBuf::from(runtime).join("precopy-lab")
        }
        _ => Utf8PathBuf::from(format!("/tmp/precopy-lab-{}", getuid().as_raw())),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&root)
        .with_context(|| format!("failed to make the state folder {root}"))?;
    let owner =
        fs::symlink_metadata(&root).with_context(|| format!("failed to look at {root}"))?.uid();
    if owner != getuid().as_raw() {
        bail!(
            "the state folder {root} belongs to another user\n\nhint: set {ROOT_VARIABLE} to a folder of your own"
        );
    }
    Ok(root)
}

/// Environment variable that names another folder for what must outlast a reboot.
const DATA_VARIABLE: &str = "PRECOPY_LAB_DATA";

/// The folder for what is large or must outlast a reboot: disks of nodes, boxes, fetched packages,
/// folders that nodes share; made when it is not there.
///
/// # Errors
/// When it cannot be made, or there is no home to make it in.
pub fn data_root() -> Result<Utf8PathBuf> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let root = match (variable(DATA_VARIABLE), variable("XDG_DATA_HOME"), variable("HOME")) {
        (Some(root), _, _) => Utf8PathBuf::from(root),
        (None, Some(data), _) => Utf8PathBuf::from(data).join("precopy-lab"),
        (None, None, Some(home)) => Utf8PathBuf::from(home).join(".local/share/precopy-lab"),
        (None, None, None) => bail!(
            "there is no home folder to keep a lab's data in\n\nhint: set {DATA_VARIABLE} to a folder of your own"
        ),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&root)
        .with_context(|| format!("failed to make the data folder {root}"))?;
    Ok(root)
}

/// A held lock; freed when dropped, or when the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Tries to lock a file, which is made when it is not there. `None`: somebody else holds it.
///
/// # Errors
/// When the file cannot be opened.
pub fn try_lock(path: &Utf8Path) -> Result<Option<Lock>> {
    let file = open_lock(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("failed to lock {path}")),
    }
}

/// Waits for a lock; for sections of a second at most.
///
/// # Errors
/// When the file cannot be opened.
pub fn lock(path: &Utf8Path) -> Result<Lock> {
    let file = open_lock(path)?;
    flock(&file, FlockOperation::LockExclusive)
        .with_context(|| format!("failed to lock {path}"))?;
    Ok(Lock { _file: file })
}

fn open_lock(path: &Utf8Path) -> Result<File> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("failed to open the lock {path}"))
}

/// The lock that lets one experiment or benchmark at a time measure on this machine: two side by
/// side would measure each other.
///
/// # Errors
/// When another holds it, or it cannot be made.
pub fn measuring_lock() -> Result<Lock> {
    let path = root()?.join("measuring.lock");
    try_lock(&path)?.with_context(|| {
        format!("another experiment is measuring on this machine ({path} is locked)\n\nhint: wait for it, or end it")
    })
}
