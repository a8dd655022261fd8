//! Signals as something to poll: that a child has ended, that the agent is to end.

use super::descriptor;
use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

/// Signals that ask the agent to end.
const ENDING: [i32; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// A signalfd; the signals are blocked.
pub struct Signals(OwnedFd);

impl Signals {
    /// Takes over the signals of this process. Children must [`unblock`] them.
    #[expect(unsafe_code, reason = "std has no binding for signals")]
    pub fn block() -> io::Result<Self> {
        // SAFETY: the set is initialised by sigemptyset before use, and lives for the calls; a
        // descriptor that signalfd gives is ours alone.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGCHLD);
            for signal in ENDING {
                libc::sigaddset(&raw mut set, signal);
            }
            if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) < 0 {
                return Err(io::Error::last_os_error());
            }
            let descriptor =
                libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if descriptor < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Self(OwnedFd::from_raw_fd(descriptor)))
        }
    }

    /// For `poll`.
    pub fn raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Takes the signals that have come; whether one of them asks the agent to end.
    pub fn asked_to_end(&self) -> io::Result<bool> {
        let mut asked = false;
        let mut one = [0; size_of::<libc::signalfd_siginfo>()];
        while let Some(length) = descriptor::read(self.raw_fd(), &mut one)? {
            // The number comes first in the structure.
            let number = one.first_chunk::<4>().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
            asked |= length > 0 && ENDING.contains(&number);
        }
        Ok(asked)
    }
}

/// Lets signals through again, in a child between fork and exec.
#[expect(unsafe_code, reason = "std has no binding for signals")]
pub fn unblock() -> io::Result<()> {
    // SAFETY: the set is initialised by sigemptyset, and lives for the call; both calls are
    // async-signal-safe.
    let status = unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut())
    };
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
