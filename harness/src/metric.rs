//! The metrics: names, units and definitions. Sources of the definitions: QEMU's QAPI
//! documentation of `query-migrate`, and DESIGN §6.

mod judged;

pub use judged::{JUDGED, Judged, NOT_JUDGED, Scale, Worse, judged, why_not_judged};

/// Version of the definitions below. It rises when a metric's values come to mean something else,
/// because runs before and after that cannot be compared.
pub const DEFINITIONS: u32 = 1;

/// A metric's name, unit and meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Name in records, YAML and on the command line.
    pub name: &'static str,
    /// Unit of its values; empty for a pure number.
    pub unit: &'static str,
    /// What it is.
    pub meaning: &'static str,
    /// Whether a value measured under TCG says something about KVM.
    pub carries_over_to_kvm: bool,
}

macro_rules! metrics {
    (
        $(#[$doc:meta])* $list:ident:
        $($constant:ident, $name:literal, $unit:literal, $carries:literal, $meaning:literal;)+
    ) => {
        $(#[doc = $meaning] pub const $constant: &str = $name;)+
        $(#[$doc])*
        pub const $list: &[Definition] = &[$(Definition {
            name: $name, unit: $unit, meaning: $meaning, carries_over_to_kvm: $carries,
        }),+];
    };
}

metrics! {
    /// The metrics that every record has, in the order in which reports show them.
    ALL:
    TOTAL_TIME, "total_time", "ms", false, "from the acceptance of `migrate` until QEMU says `completed`; includes setup and downtime";
    SETUP_TIME, "setup_time", "ms", false, "from the acceptance of `migrate` until the first round begins";
    DOWNTIME_REPORTED, "downtime_reported", "ms", false, "the downtime that QEMU's source reports (return path on: until the target has loaded everything and started the guest)";
    VCPU_PAUSE, "vcpu_pause", "ms", false, "from the source's STOP event to the target's RESUME event";
    SERVICE_GAP, "service_gap", "ms", false, "the outage the witness saw: from the last heartbeat before to the first after the move, less one heartbeat interval";
    HEARTBEAT_DELAY, "heartbeat_delay", "ms", false, "99th percentile of how much later than in the gate's window heartbeats came while the guest was migrated and running";
    HEARTBEATS_LOST, "heartbeats_lost", "%", false, "heartbeats of that time that did not come";
    STREAM_BYTES, "stream_bytes", "B", true, "bytes QEMU put on the migration stream (transferred size)";
    WIRE_BYTES, "wire_bytes", "B", true, "bytes the source's link that the guest was migrated over carried during the migration, as its counter has them: on a lab of namespaces a segment of up to 64 KiB counts one header";
    STOP_BYTES, "stop_bytes", "B", true, "bytes of memory sent while the guest was stopped";
    NORMAL_PAGES, "normal_pages", "pages", true, "non-zero pages sent, repeats included";
    ZERO_PAGES, "zero_pages", "pages", true, "zero pages sent (9 bytes each), repeats included";
    UNEXPLAINED_PAGES, "unexplained_pages", "pages", true, "pages that are zero by the guest's own account and that QEMU did not send as zero: the firmware's and the devices', a few dozen";
    AMPLIFICATION, "amplification", "", true, "stream bytes over the guest's non-zero memory";
    ROUNDS, "rounds", "", true, "live rounds: dirty bitmap readings less the first and the one at the stop, at least 1 where memory was sent live";
    SYNC_COUNT, "sync_count", "", true, "dirty bitmap readings (`dirty-sync-count`)";
    THROUGHPUT, "throughput", "B/s", true, "true migration speed: stream bytes over (total time − setup)";
    NOMINAL_SPEED, "nominal_speed", "B/s", false, "nominal migration speed: guest memory over total time, as Proxmox's task log prints it";
    EXPECTED_DOWNTIME, "expected_downtime", "ms", false, "the last downtime QEMU predicted before it stopped the guest";
    REMAINING, "remaining_bytes", "B", true, "dirty bytes left when a migration that did not converge was cancelled";
    TOUCH_RATE_SET, "touch_rate_set", "pages/s", true, "touch rate the workload was asked for";
    TOUCH_RATE_BEFORE, "touch_rate_before", "pages/s", true, "touch rate achieved during the gate";
    TOUCH_RATE_DURING, "touch_rate_during", "pages/s", false, "touch rate achieved while migrating, guest running";
    GUEST_SLOWDOWN, "guest_slowdown", "%", false, "touch rate lost while migrating, against the gate";
    DIRTY_RATE, "dirty_rate", "B/s", true, "distinct memory dirtied per second while migrating, from QEMU's dirty bitmap readings";
    HEARTBEAT_JITTER, "heartbeat_jitter", "ms", false, "99.9th percentile of heartbeat spacing during the gate, less the interval";
    PAGES_CHECKED, "pages_checked", "pages", true, "pages that verification compared with what they must hold";
    PAGES_WRONG, "pages_wrong", "pages", true, "pages that held something else";
    COUNTER_BEHIND, "counter_behind", "pages", true, "touches the witness had seen before the stop that the guest no longer knew of after the move";
    VERIFY_TIME, "verify_time", "ms", false, "time the guest took to check its memory, and its disk where it has one, by its own clock";
    DISK_WRITE_RATE_DURING, "disk_write_rate_during", "blocks/s", false, "disk writes acknowledged per second while migrating, guest running";
    DISK_GAP, "disk_gap", "ms", false, "the longest time without an acknowledged disk write around the move, as heartbeats tell it; the usual time between two writes is part of it";
    DISK_BLOCKS_CHECKED, "disk_blocks_checked", "blocks", true, "blocks of the disk that verification read and compared with what they must hold";
    DISK_BLOCKS_WRONG, "disk_blocks_wrong", "blocks", true, "blocks of the disk that held something else, or could not be read";
    STOP_OVER_THRESHOLD, "stop_over_threshold", "", true, "bytes sent while the guest was stopped over what the throughput carries within the downtime limit";
    PREDICTED_TOTAL_TIME, "predicted_total_time", "ms", false, "total time that the model expects at the throughput and touch rate measured";
    PREDICTED_STREAM_BYTES, "predicted_stream_bytes", "B", true, "stream bytes that the model expects so";
    PREDICTED_DOWNTIME, "predicted_downtime", "ms", false, "downtime that the model expects so";
    PREDICTED_ROUNDS, "predicted_rounds", "", true, "live rounds that the model expects so";
    MODEL_ERROR_TOTAL_TIME, "model_error_total_time", "%", false, "by how much the predicted total time is above the measured one";
    MODEL_ERROR_STREAM_BYTES, "model_error_stream_bytes", "%", true, "by how much the predicted stream bytes are above the measured ones";
    MODEL_ERROR_DOWNTIME, "model_error_downtime", "%", false, "by how much the predicted downtime is above the reported one";
}

metrics! {
    /// Those that records of trials on Proxmox VE have besides; others do not have them at all.
    OF_PROXMOX:
    PROXMOX_DOWNTIME, "proxmox_downtime", "ms", false, "what Proxmox's task log calls downtime: QEMU's figure, which ends before the guest runs again";
    PROXMOX_SPEED, "proxmox_speed", "B/s", false, "what Proxmox's task log calls the average migration speed: the guest's whole memory over whole seconds, which is no speed of anything";
    LAST_DOWNTIME_LIMIT, "last_downtime_limit", "ms", false, "the downtime limit in force when the migration ended: Proxmox doubles it while a migration does not converge";
    LIMIT_INCREASES, "limit_increases", "", false, "how often Proxmox doubled the downtime limit";
    BEGIN_DELAY, "begin_delay", "ms", false, "from asking Proxmox for the migration until QEMU began it: its checks, the target's QEMU, the tunnel";
    RESUME_DELAY, "resume_delay", "ms", false, "from when the source's QEMU was done until the guest ran on the target: until Proxmox has looked, moved the configuration and sent its word";
}

/// Every metric there is, in the order in which reports show them.
pub fn every() -> impl Iterator<Item = &'static Definition> {
    ALL.iter().chain(OF_PROXMOX)
}

/// The definition of a metric by its name.
#[must_use]
pub fn definition(name: &str) -> Option<&'static Definition> {
    every().find(|definition| definition.name == name)
}
