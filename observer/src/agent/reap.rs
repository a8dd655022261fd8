//! Children that have ended, and the end of all of them.

use super::{descriptor, signals::Signals};
use crate::clock;
use std::io;

/// How long the agent waits for what it has killed. Only a process that the kernel cannot end
/// (stuck in a dead disk, say) takes longer.
const END_NS: u64 = 5_000_000_000;

/// How a process ended.
#[derive(Clone, Copy)]
pub enum End {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// Makes processes whose parent has ended children of ours, so that none escapes.
#[expect(unsafe_code, reason = "std has no binding for prctl")]
pub fn adopt_orphans() -> io::Result<()> {
    // SAFETY: prctl with this command touches no memory.
    let status = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The next child that has ended, if one has: its number and its end.
#[expect(unsafe_code, reason = "std waits only for children that it knows, not for orphans")]
pub fn next() -> Option<(i32, End)> {
    let mut status = 0;
    // SAFETY: `status` is an integer to write to, alive for the call.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    if pid <= 0 {
        return None;
    }
    let end = if libc::WIFEXITED(status) {
        End::Code(libc::WEXITSTATUS(status))
    } else {
        End::Signal(libc::WTERMSIG(status))
    };
    Some((pid, end))
}

/// Kills a process and all of its group.
#[expect(unsafe_code, reason = "std kills no groups")]
pub fn kill_group(leader: i32) {
    // SAFETY: killpg touches no memory. That the group is gone already is no fault.
    unsafe { libc::killpg(leader, libc::SIGKILL) };
}

/// Kills every descendant, and waits for its end. Whoever has left its group is an orphan, and so
/// a child of ours, as soon as those above it have ended.
#[expect(unsafe_code, reason = "std kills only children that it knows")]
pub fn kill_everything(signals: &Signals) {
    let end_ns = clock::monotonic_ns() + END_NS;
    loop {
        while next().is_some() {}
        let children = children();
        let left_ns = end_ns.saturating_sub(clock::monotonic_ns());
        if children.is_empty() || left_ns == 0 {
            return;
        }
        for child in children {
            kill_group(child);
            // SAFETY: kill touches no memory. The child is not reaped yet, so the number is its own.
            unsafe { libc::kill(child, libc::SIGKILL) };
        }
        let mut polled = [descriptor::watched(signals.raw_fd(), libc::POLLIN)];
        if descriptor::poll(&mut polled, left_ns).is_err() || signals.asked_to_end().is_err() {
            return;
        }
    }
}

/// Our children, as the kernel lists them.
fn children() -> Vec<i32> {
    let ours = std::process::id().to_string();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter(|pid: &i32| parent(*pid).is_some_and(|parent| parent == ours)).collect()
}

/// The parent of a process, from `/proc/N/stat`: `N (name) state parent …`, where the name may hold
/// anything.
fn parent(pid: i32) -> Option<String> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, after_name) = stat.rsplit_once(") ")?;
    after_name.split(' ').nth(1).map(str::to_owned)
}
