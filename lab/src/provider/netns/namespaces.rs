//! The system calls that make namespaces. The only unsafe code of the provider is here and in
//! [`super::supervisor`]'s `start`.

use anyhow::{Context, Result};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{Mode, OFlags, open},
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    process::{getegid, geteuid},
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space},
};
use std::fs;

/// Moves this process into namespaces of its own; its next child is process 1 of a PID namespace.
/// An ordinary user becomes root in a user namespace of its own first.
///
/// # Errors
/// When the system forbids it; the error names what was tried.
pub fn isolate() -> Result<()> {
    let (user, group) = (geteuid(), getegid());
    if !user.is_root() {
        unshare(UnshareFlags::NEWUSER).context(
            "failed to make a user namespace: this system does not let ordinary users make one \
             (see `cargo xtask setup`)",
        )?;
        // Without this the kernel does not let an ordinary user map a group.
        fs::write("/proc/self/setgroups", "deny").context("failed to write setgroups")?;
        fs::write("/proc/self/uid_map", format!("0 {} 1", user.as_raw()))
            .context("failed to map the user")?;
        fs::write("/proc/self/gid_map", format!("0 {} 1", group.as_raw()))
            .context("failed to map the group")?;
    }
    unshare(UnshareFlags::NEWNS | UnshareFlags::NEWNET | UnshareFlags::NEWPID)
        .context("failed to make mount, network and PID namespaces")
}

/// Makes the mount namespace private and shows the PID namespace's own processes in `/proc`.
///
/// # Errors
/// When mounts cannot be made private. A `/proc` that cannot be mounted (some containers forbid
/// it) is no error: nothing but convenience is lost.
pub fn settle_mounts() -> Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .context("failed to make mounts private")?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let _only_convenience = mount("proc", "/proc", "proc", flags, None);
    Ok(())
}

/// The network namespace this thread is in.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn current_network() -> Result<OwnedFd> {
    open("/proc/thread-self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .context("failed to open this network namespace")
}

/// A new network namespace, without IPv6, whose neighbour discovery would be noise in the
/// counters. This thread is back in `home` afterwards.
///
/// # Errors
/// When the system forbids it.
pub fn new_network(home: &OwnedFd) -> Result<OwnedFd> {
    unshare(UnshareFlags::NEWNET).context("failed to make a network namespace")?;
    without_ipv6();
    let made = current_network();
    enter_network(home).context("failed to return to the first network namespace")?;
    made
}

/// Switches IPv6 off in this network namespace, where the kernel has it.
pub fn without_ipv6() {
    for scope in ["all", "default"] {
        let _no_ipv6_at_all =
            fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6"), "1");
    }
}

/// Moves this thread into a network namespace.
///
/// # Errors
/// When the system forbids it.
pub fn enter_network(namespace: impl AsFd) -> rustix::io::Result<()> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
}

#[expect(unsafe_code, reason = "unshare is unsafe only with CLONE_FILES, which is not used here")]
fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: no flag used here takes file descriptors away from other threads.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}
