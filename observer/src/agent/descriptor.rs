//! System calls on descriptors that std has no binding for.

use std::io;

/// Lets reads and writes return at once when they would have to wait.
#[expect(unsafe_code, reason = "std has no binding for fcntl")]
pub fn set_nonblocking(descriptor: i32) -> io::Result<()> {
    // SAFETY: fcntl with these commands touches no memory of ours.
    let status = unsafe {
        let flags = libc::fcntl(descriptor, libc::F_GETFL);
        if flags < 0 {
            flags
        } else {
            libc::fcntl(descriptor, libc::F_SETFL, flags | libc::O_NONBLOCK)
        }
    };
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Reads what is there: 0 at the end, `None` when one would have to wait.
#[expect(unsafe_code, reason = "std reads only from descriptors that it owns")]
pub fn read(descriptor: i32, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    // SAFETY: pointer and length describe `buffer`.
    now(unsafe { libc::read(descriptor, buffer.as_mut_ptr().cast(), buffer.len()) })
}

/// Writes what fits: `None` when one would have to wait.
#[expect(unsafe_code, reason = "std writes only to descriptors that it owns")]
pub fn write(descriptor: i32, bytes: &[u8]) -> io::Result<Option<usize>> {
    // SAFETY: pointer and length describe `bytes`.
    now(unsafe { libc::write(descriptor, bytes.as_ptr().cast(), bytes.len()) })
}

fn now(result: isize) -> io::Result<Option<usize>> {
    if let Ok(length) = usize::try_from(result) {
        return Ok(Some(length));
    }
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
        _ => Err(error),
    }
}

/// An entry for [`poll`]; a negative descriptor is passed over.
pub const fn watched(descriptor: i32, events: i16) -> libc::pollfd {
    libc::pollfd { fd: descriptor, events, revents: 0 }
}

/// Waits until one of them is ready, at most for so long.
#[expect(unsafe_code, reason = "std has no binding for poll")]
pub fn poll(watched: &mut [libc::pollfd], timeout_ns: u64) -> io::Result<()> {
    let timeout_ms = i32::try_from(timeout_ns.div_ceil(1_000_000)).unwrap_or(i32::MAX);
    let count = watched.len() as libc::nfds_t;
    // SAFETY: pointer and count describe the slice.
    let status = unsafe { libc::poll(watched.as_mut_ptr(), count, timeout_ms) };
    if status >= 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

/// Whether there is something to be read now; the mere end is not something.
pub fn has_data(descriptor: i32) -> bool {
    let mut entry = [watched(descriptor, libc::POLLIN)];
    poll(&mut entry, 0).is_ok() && entry[0].revents & libc::POLLIN != 0
}

/// The user that this program runs as.
#[expect(unsafe_code, reason = "std has no binding for geteuid")]
pub fn uid() -> u32 {
    // SAFETY: geteuid always succeeds and touches no memory.
    unsafe { libc::geteuid() }
}
