//! Finding a QEMU on this machine.
//!
//! A machine may hold several: the distribution's, one in `/opt`, one that a test brings along.
//! Each is asked for its version. From [`GOOD_MAJOR`] on the first in the search order is taken;
//! an older one only where there is nothing better, with a warning, because under TCG it loses
//! memory. One that was asked for by name is taken as it is, or refused: never replaced in
//! silence.

mod hash;
mod version;

pub use hash::{HashError, file_sha256};
pub use version::Version;

use crate::process::{self, Command};
use serde::Serialize;
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// The first major version that is trusted under TCG. 7.2 is known to lose dirty pages there
/// (8 of 8 migrations with several rounds ended with wrong memory), 10.0 is not.
pub const GOOD_MAJOR: u32 = 10;

/// The environment variable that names a QEMU.
pub const VARIABLE: &str = "PRECOPY_QEMU";

/// What the binary is called.
pub const NAME: &str = "qemu-system-x86_64";

/// How long `--version` may take; a healthy one takes some 50 ms.
const PATIENCE: Duration = Duration::from_secs(10);

/// A QEMU that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Qemu {
    /// The binary as it was found, symbolic links not followed.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// Its version as it says it, with the packager's: `10.0.2 (Debian 1:10.0.2+ds-2)`.
    pub full_version: String,
}

impl Qemu {
    /// The SHA-256 of the binary in hex, read once and then remembered for this file as it is.
    ///
    /// # Errors
    /// When the binary cannot be read.
    pub fn sha256(&self) -> Result<String, HashError> {
        file_sha256(&self.path)
    }

    /// Whether it keeps memory intact under TCG, as far as known.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.version.major >= GOOD_MAJOR
    }
}

/// Who named a place to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The command line or the lab file.
    Explicit,
    /// [`VARIABLE`].
    Environment,
    /// The search of the usual places.
    Search,
}

/// A place where a QEMU is or should be, and what it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The binary.
    pub path: PathBuf,
    /// Why it was looked at.
    pub origin: Origin,
    /// What it is, or why it cannot be used.
    pub found: Result<Qemu, String>,
}

/// The QEMU to use, and what there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The QEMU.
    pub qemu: Qemu,
    /// Sentences for the user, such as that it is an old one.
    pub warnings: Vec<String>,
}

/// There is no QEMU that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// The one that was asked for cannot be used.
    #[error("the QEMU named by {} cannot be used: `{}`: {reason}", named_by(*.origin), .path.display())]
    Named {
        /// Who asked for it.
        origin: Origin,
        /// The path that was asked for.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// None was found, or none that answers.
    #[error(
        "no usable `{NAME}` was found{}\n\nhint: `cargo xtask setup` says how to get one; {VARIABLE} \
         names one that is elsewhere", listed(.broken)
    )]
    Nowhere {
        /// Those that were found but cannot be used, each with the reason.
        broken: Vec<(PathBuf, String)>,
    },
}

fn named_by(origin: Origin) -> &'static str {
    match origin {
        Origin::Explicit => "the command line or the lab file",
        Origin::Environment => VARIABLE,
        Origin::Search => "the search order",
    }
}

fn listed(broken: &[(PathBuf, String)]) -> String {
    broken.iter().map(|(path, reason)| format!("\n  `{}`: {reason}", path.display())).collect()
}

/// Every QEMU of this machine in the search order, the unusable ones with the reason; each is asked
/// only when it is wanted: an answer takes some 50 ms.
fn asked_in_turn(explicit: Option<&Path>) -> impl Iterator<Item = Candidate> {
    let env = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut seen = Vec::new();
    let places = places(explicit, env, &path, &opt_folders());
    places
        .into_iter()
        .filter(move |(path, origin)| match fs::canonicalize(path) {
            // `/bin` is `/usr/bin` on most systems.
            Ok(file) if seen.contains(&file) => false,
            Ok(file) => {
                seen.push(file);
                true
            }
            Err(_) => *origin != Origin::Search,
        })
        .map(|(path, origin)| Candidate { found: ask(&path), path, origin })
}

/// The QEMU to use on this machine. `explicit` is what the command line or the lab file names.
///
/// # Errors
/// When the one that was named cannot be used, or there is none at all.
pub fn choose(explicit: Option<&Path>) -> Result<Choice, NotFound> {
    choose_from(asked_in_turn(explicit))
}

/// The QEMU at this place and no other; `name` is what warnings call it.
///
/// # Errors
/// Why it cannot be used.
pub fn named(name: &str, path: &Path) -> Result<Choice, String> {
    let qemu = ask(path)?;
    if qemu.is_good() {
        return Ok(Choice { qemu, warnings: Vec::new() });
    }
    Ok(with_warning(qemu, name))
}

/// The first good candidate; else the newest of the old, with a warning. A named one is final.
///
/// # Errors
/// As [`choose`].
pub fn choose_from(candidates: impl IntoIterator<Item = Candidate>) -> Result<Choice, NotFound> {
    let mut broken = Vec::new();
    let mut old: Option<Qemu> = None;
    for Candidate { path, origin, found } in candidates {
        match found {
            Ok(qemu) if qemu.is_good() => return Ok(Choice { qemu, warnings: Vec::new() }),
            Ok(qemu) if origin != Origin::Search => return Ok(by_its_path(qemu)),
            Ok(qemu) => {
                if old.as_ref().is_none_or(|old| qemu.version > old.version) {
                    old = Some(qemu);
                }
            }
            Err(reason) if origin != Origin::Search => {
                return Err(NotFound::Named { origin, path, reason });
            }
            Err(reason) => broken.push((path, reason)),
        }
    }
    old.map(by_its_path).ok_or(NotFound::Nowhere { broken })
}

fn by_its_path(qemu: Qemu) -> Choice {
    let path = qemu.path.display().to_string();
    with_warning(qemu, &path)
}

fn with_warning(qemu: Qemu, name: &str) -> Choice {
    let warning = format!(
        "QEMU {} (`{name}`) is older than {GOOD_MAJOR}: under TCG such versions can lose dirty \
         pages, so guests may be corrupt after a migration",
        qemu.version
    );
    Choice { qemu, warnings: vec![warning] }
}

/// Where to look, in order, each place once.
fn places(
    explicit: Option<&Path>,
    env: Option<OsString>,
    path: &std::ffi::OsStr,
    opt: &[PathBuf],
) -> Vec<(PathBuf, Origin)> {
    let search = [PathBuf::from("/usr/bin")]
        .into_iter()
        .chain(std::env::split_paths(path).filter(|folder| folder.is_absolute()))
        .chain([PathBuf::from("/usr/local/bin")])
        .chain(opt.iter().cloned())
        .map(|folder| folder.join(NAME))
        // The name in the Red Hat family, which has no `qemu-system-x86_64` in PATH.
        .chain([PathBuf::from("/usr/libexec/qemu-kvm")]);
    let named = explicit
        .map(|path| (path.to_owned(), Origin::Explicit))
        .into_iter()
        .chain(env.map(|path| (PathBuf::from(path), Origin::Environment)));
    let mut places: Vec<(PathBuf, Origin)> = Vec::new();
    for place in named.chain(search.map(|path| (path, Origin::Search))) {
        if places.iter().all(|(known, _)| *known != place.0) {
            places.push(place);
        }
    }
    places
}

/// `/opt/*/bin`, sorted so that the order is the same everywhere.
fn opt_folders() -> Vec<PathBuf> {
    let entries = fs::read_dir("/opt").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders
}

fn ask(path: &Path) -> Result<Qemu, String> {
    if !path.exists() {
        return Err("there is no such file".to_owned());
    }
    if !process::is_executable(path) {
        return Err("it is not a program that this user may run".to_owned());
    }
    let command = Command::new(path).arg("--version").timeout(PATIENCE);
    let text = command.run().map_err(|error| error.to_string())?.text();
    let (version, full_version) = version::parse(&text)
        .ok_or_else(|| "it does not say `QEMU emulator version …`".to_owned())?;
    Ok(Qemu { path: path.to_owned(), version, full_version })
}

#[cfg(test)]
mod tests;
