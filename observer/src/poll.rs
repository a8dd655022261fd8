//! Waiting for any of several descriptors.

use std::io;

/// Waits until one of the descriptors has something to read, or has ended, for at most this many
/// milliseconds; -1 is for ever. Tells of each whether it has; a signal makes that none.
#[expect(unsafe_code, reason = "std has no binding for poll")]
pub fn readable<const N: usize>(fds: [i32; N], timeout_ms: i32) -> io::Result<[bool; N]> {
    let mut fds = fds.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    // SAFETY: `fds` is an array of N pollfd, alive for the call.
    let status = unsafe { libc::poll(fds.as_mut_ptr(), N as libc::nfds_t, timeout_ms) };
    if status < 0 {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::Interrupted => Ok([false; N]),
            _ => Err(error),
        };
    }
    Ok(fds.map(|fd| fd.revents != 0))
}

/// A time as [`readable`] takes it, rounded up.
pub fn milliseconds(ns: u64) -> i32 {
    i32::try_from(ns.div_ceil(1_000_000)).unwrap_or(i32::MAX)
}
