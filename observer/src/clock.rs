//! The clocks of this node, in nanoseconds.

/// Now, by `CLOCK_MONOTONIC`: the clock all outages are timed by.
pub fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Now, by `CLOCK_REALTIME`: to convert the kernel's arrival stamps, and to find
/// events that others stamped by their wall clock.
pub fn realtime_ns() -> u64 {
    read(libc::CLOCK_REALTIME)
}

#[expect(unsafe_code, reason = "clock_gettime has no safe binding in std for these clocks")]
fn read(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec to write to, and both clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}
