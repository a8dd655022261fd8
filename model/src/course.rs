//! How one migration goes.

/// How one migration goes, by any of the models.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Course {
    /// Whether the guest was stopped because the rest fitted the downtime limit. Where not, the
    /// times and bytes are those of stopping it when the model gave up.
    pub converged: bool,
    /// Live rounds.
    pub rounds: u32,
    /// Readings of the dirty bitmap, with the first and the one after the stop
    /// (`dirty-sync-count`).
    pub sync_count: u32,
    /// The greatest rest with which the guest is stopped, bytes, as the sender reckons in the end.
    pub threshold_bytes: f64,
    /// From the first byte to the stop, seconds.
    pub live_time_s: f64,
    /// Sent while the guest is stopped, bytes.
    pub stop_bytes: f64,
    /// How long the guest is stopped, seconds.
    pub downtime_s: f64,
    /// Setup, live time and downtime, seconds.
    pub total_time_s: f64,
    /// Everything that was sent, bytes.
    pub stream_bytes: f64,
    /// How many times the downtime limit in the end is what it was at first.
    pub limit_factor: f64,
    /// How far the guest was throttled in the end, percent of its time.
    pub throttle_percent: u32,
}
