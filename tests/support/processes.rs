//! The processes of a lab, seen from the host.

use super::program::ends_within;
use camino::Utf8Path;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::{collections::BTreeMap, fs, os::fd::OwnedFd, time::Duration};

/// A process, held so that it cannot come to mean another one.
#[derive(Debug)]
pub struct Found {
    /// Its number.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// Its arguments.
    pub argv: Vec<String>,
    /// Its environment, as the kernel shows it.
    environment: Vec<u8>,
    /// For signals and for its end.
    pub handle: OwnedFd,
}

impl Found {
    /// Whether its arguments or environment name this folder.
    pub fn mentions(&self, folder: &Utf8Path) -> bool {
        let environment = String::from_utf8_lossy(&self.environment);
        let mut all = self.argv.iter().map(String::as_str).chain([&*environment]);
        all.any(|text| text.contains(folder.as_str()))
    }

    /// Kills it; `false` when it has ended already.
    pub fn kill(&self) -> bool {
        pidfd_send_signal(&self.handle, Signal::KILL).is_ok()
    }
}

/// All processes but this one, and but zombies.
pub fn all() -> Vec<Found> {
    let entries = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let own = rustix::process::getpid().as_raw_nonzero().get();
    pids.filter(|pid| *pid != own).filter_map(find).collect()
}

fn find(pid: i32) -> Option<Found> {
    let handle = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}"));
    let argv: Vec<String> = read("cmdline")
        .ok()?
        .split(|byte| *byte == 0)
        .map(|argument| String::from_utf8_lossy(argument).into_owned())
        .collect();
    let stat = String::from_utf8_lossy(&read("stat").ok()?).into_owned();
    // After the name, which may hold anything: state, then the parent.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let environment = read("environ").unwrap_or_default();
    (state != "Z").then_some(Found { pid, parent, argv, environment, handle })
}

/// What was killed, or told to end, is gone by then on a machine that others take the processors of.
const DYING: Duration = Duration::from_secs(20);

/// Asserts that no process has this folder in its arguments or environment, but for those that end.
pub fn assert_none_mentions(folder: &Utf8Path) {
    let own = all().into_iter().filter(|found| found.mentions(folder));
    let left: Vec<_> = own.filter(|found| !ends_within(&found.handle, DYING)).collect();
    assert!(left.is_empty(), "processes are left: {left:#?}");
}

/// Who takes part in a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Process 1 of the lab.
    Supervisor,
    /// The QEMU that the guest leaves.
    Source,
    /// The QEMU that waits for it.
    Target,
    /// The observer on the witness.
    Observer,
}

/// Those who are there now, of the labs with state in this folder.
pub fn parts(state: &Utf8Path) -> BTreeMap<Part, Found> {
    let all = all();
    let holds = |found: &Found| {
        let folder = found.argv.get(2).is_some_and(|folder| folder.starts_with(state.as_str()));
        folder && found.argv.get(1).is_some_and(|role| role == "__supervise")
    };
    let Some(supervisor) = all.iter().find(|found| holds(found)).map(|found| found.pid) else {
        return BTreeMap::new();
    };
    all.into_iter()
        .filter_map(|found| {
            let has = |argument: &str| found.argv.iter().any(|known| known == argument);
            let part = match found.parent {
                _ if found.pid == supervisor => Part::Supervisor,
                parent if parent != supervisor => return None,
                _ if has("witness") => Part::Observer,
                _ if has("-incoming") => Part::Target,
                _ if has("-kernel") => Part::Source,
                _ => return None,
            };
            Some((part, found))
        })
        .collect()
}

/// Those of a trial whose migration is under way: the source's QEMU has a connection to the
/// target's.
pub fn migrating(state: &Utf8Path) -> Option<BTreeMap<Part, Found>> {
    let parts = parts(state);
    let pid = parts.get(&Part::Source)?.pid;
    (parts.len() == 4 && sends_a_guest(pid)).then_some(parts)
}

/// Whether this QEMU has a connection to one that waits for a guest.
pub fn sends_a_guest(pid: i32) -> bool {
    let connections = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    // Port 49152 as the kernel writes it, and the state ESTABLISHED.
    let established = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(2).is_some_and(|remote| remote.ends_with(":C000"))
            && fields.get(3) == Some(&"01")
    };
    connections.lines().any(established)
}
