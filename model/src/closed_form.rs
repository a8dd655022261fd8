//! What the textbook model comes to without a loop, where it does.

use crate::Course;

/// The textbook model of a writer that never touches a page twice and is slower than the link:
/// each round is `ρ = rate / bandwidth` times the one before.
///
/// No zero pages, no headers, no fixed costs. `None` unless `0 < ρ < 1`.
#[must_use]
pub fn linear(
    memory_bytes: f64,
    bandwidth_bytes_per_s: f64,
    downtime_limit_s: f64,
    touch_bytes_per_s: f64,
) -> Option<Course> {
    let ratio = touch_bytes_per_s / bandwidth_bytes_per_s;
    if !(0.0 < ratio && ratio < 1.0) {
        return None;
    }
    let threshold_bytes = bandwidth_bytes_per_s * downtime_limit_s;
    let exact = (threshold_bytes / memory_bytes).ln() / ratio.ln();
    // The guard keeps a whole number whole that rounding put just above itself.
    let rounds = (exact - 1e-12).ceil().max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and a saturating cast is what a limit of 0 asks for"
    )]
    let count = rounds as u32;
    let (first_s, left) = (memory_bytes / bandwidth_bytes_per_s, ratio.powf(rounds));
    let stop_bytes = memory_bytes * left;
    Some(Course {
        converged: true,
        rounds: count,
        sync_count: count.saturating_add(2),
        threshold_bytes,
        live_time_s: first_s * (1.0 - left) / (1.0 - ratio),
        stop_bytes,
        downtime_s: stop_bytes / bandwidth_bytes_per_s,
        total_time_s: first_s * (1.0 - left * ratio) / (1.0 - ratio),
        stream_bytes: memory_bytes * (1.0 - left * ratio) / (1.0 - ratio),
        limit_factor: 1.0,
        throttle_percent: 0,
    })
}

/// The dirty set that the rounds of a uniform writer tend to, bytes: the greatest solution of
/// `V = W (1 − e^(−ρV/W))`. 0 when the writer is no faster than the link: then every set shrinks.
///
/// It converges exactly when this is at most the threshold.
#[must_use]
pub fn steady_uniform_bytes(
    bandwidth_bytes_per_s: f64,
    touch_bytes_per_s: f64,
    working_set_bytes: f64,
) -> f64 {
    let ratio = touch_bytes_per_s / bandwidth_bytes_per_s;
    if ratio <= 1.0 {
        return 0.0;
    }
    // Newton's method on f(x) = x − 1 + e^(−ρx) from above: f is convex there, so that every step
    // lands above the root, and nearer.
    let mut share = 1.0_f64;
    for _ in 0..100 {
        let decay = (-ratio * share).exp();
        let next = share - (share - 1.0 + decay) / (1.0 - ratio * decay);
        if next >= share || next.is_nan() {
            break;
        }
        share = next;
    }
    share * working_set_bytes
}
