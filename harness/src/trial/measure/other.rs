//! What is known, and not, of a guest that does not work as it is told.

use crate::{metric, record::OtherGuest, trial::observed::Observed};

/// Metrics of a workload of ours, and of what it says.
pub(super) const OF_WORKLOAD: [&str; 17] = [
    metric::HEARTBEAT_DELAY,
    metric::HEARTBEATS_LOST,
    metric::UNEXPLAINED_PAGES,
    metric::AMPLIFICATION,
    metric::TOUCH_RATE_SET,
    metric::TOUCH_RATE_BEFORE,
    metric::TOUCH_RATE_DURING,
    metric::GUEST_SLOWDOWN,
    metric::HEARTBEAT_JITTER,
    metric::PAGES_CHECKED,
    metric::PAGES_WRONG,
    metric::COUNTER_BEHIND,
    metric::VERIFY_TIME,
    metric::DISK_WRITE_RATE_DURING,
    metric::DISK_GAP,
    metric::DISK_BLOCKS_CHECKED,
    metric::DISK_BLOCKS_WRONG,
];

/// The guest's memory.
pub(super) fn memory_bytes(observed: &Observed) -> Result<u64, String> {
    match &observed.guest {
        None | Some(OtherGuest::Idle) => Ok(observed.settings.memory.0),
        Some(OtherGuest::Existing { memory_bytes, .. }) => {
            memory_bytes.ok_or_else(|| "Proxmox does not say how much memory it has".to_owned())
        }
    }
}
