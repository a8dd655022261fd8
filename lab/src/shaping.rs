//! The shaping of a link as arguments for `tc`.

use crate::units::BitRate;

/// The handle of our token buckets: what has another was put there by somebody else, and stays.
const HANDLE: &str = "7063:";

/// How a line begins in which `tc` tells of a shaping of ours, on any device.
pub const OURS: &str = "qdisc tbf 7063:";

/// Arguments for `tc` that shape what leaves through `device`.
///
/// A token bucket: the bucket holds 2 ms of the rate, so that a burst passes no faster than the
/// rate on any scale that a migration shows, yet at high rates whole TCP segments of 64 KiB pass
/// unsplit; the queue holds 20 ms, what a switch port would.
#[must_use]
pub fn arguments(device: &str, rate: BitRate) -> Vec<String> {
    let BitRate(bits_per_s) = rate;
    let bytes_in_ms = |ms: u64| bits_per_s / 8 * ms / 1000;
    let burst = bytes_in_ms(2).max(16 << 10);
    let limit = bytes_in_ms(20).max(4 * burst);
    format!(
        "qdisc replace dev {device} root handle {HANDLE} \
         tbf rate {bits_per_s}bit burst {burst}b limit {limit}b"
    )
    .split_whitespace()
    .map(str::to_owned)
    .collect()
}

/// Arguments for `tc` that show what shapes `device`, for [`is_ours`].
#[must_use]
pub fn question(device: &str) -> Vec<String> {
    ["qdisc", "show", "dev", device, "root"].map(str::to_owned).into()
}

/// Whether the answer to [`question`] shows a shaping of ours.
#[must_use]
pub fn is_ours(answer: &str) -> bool {
    let ours = format!("{OURS} root ");
    answer.lines().any(|line| line.starts_with(&ours))
}

/// Arguments for `tc` that take a shaping away, so that the kernel's own queue is there again.
#[must_use]
pub fn removal(device: &str) -> Vec<String> {
    ["qdisc", "del", "dev", device, "root"].map(str::to_owned).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_and_queue_follow_the_rate() {
        let fast = arguments("mig0", BitRate(1_000_000_000)).join(" ");
        assert_eq!(
            fast,
            "qdisc replace dev mig0 root handle 7063: tbf rate 1000000000bit burst 250000b limit 2500000b"
        );
        assert!(OURS.ends_with(HANDLE));
        let slow = arguments("mig0", BitRate(1_000_000)).join(" ");
        assert_eq!(
            slow,
            "qdisc replace dev mig0 root handle 7063: tbf rate 1000000bit burst 16384b limit 65536b"
        );
    }

    #[test]
    fn only_our_own_bucket_is_ours() {
        assert!(is_ours("qdisc tbf 7063: root refcnt 2 rate 400Mbit burst 100000b lat 22.7ms \n"));
        for other in [
            "",
            "qdisc noqueue 0: root refcnt 2 \n",
            "qdisc tbf 8001: root refcnt 2 rate 400Mbit burst 100000b lat 22.7ms \n",
            "qdisc fq_codel 7063: root refcnt 2 limit 10240p\n",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
