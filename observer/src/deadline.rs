//! An end for what nobody ends: whoever started it may be gone, and a file server may not answer.

/// No measurement takes as long.
const SECONDS: u32 = 60;

/// Has the kernel end this process (SIGALRM) after [`SECONDS`].
#[expect(unsafe_code, reason = "std has no binding for alarm")]
pub fn set() {
    // SAFETY: alarm takes a number and has no memory to spoil.
    unsafe { libc::alarm(SECONDS) };
}
