//! Auto-converge: how far QEMU throttles a guest that dirties faster than is sent.

/// The first step, percent (`cpu-throttle-initial`).
pub const INITIAL_PERCENT: u32 = 20;
/// Each further step adds this, percent (`cpu-throttle-increment`).
pub const INCREMENT_PERCENT: u32 = 10;
/// No step goes beyond this, percent (`max-cpu-throttle`).
pub const MOST_PERCENT: u32 = 99;

/// The throttle after so many steps, percent of its time that the guest sleeps. QEMU's defaults.
#[must_use]
pub const fn percent_after(steps: u32) -> u32 {
    if steps == 0 {
        return 0;
    }
    let percent = INITIAL_PERCENT.saturating_add(INCREMENT_PERCENT.saturating_mul(steps - 1));
    if percent < MOST_PERCENT { percent } else { MOST_PERCENT }
}
