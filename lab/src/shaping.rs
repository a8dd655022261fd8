//! The shaping of a link as arguments for `tc`.

use crate::units::BitRate;

/// Arguments for `tc` that shape what leaves through `device`; `None` takes a shaping away.
///
/// A token bucket: the bucket holds 2 ms of the rate, so that a burst passes no faster than the
/// rate on any scale that a migration shows, yet at high rates whole TCP segments of 64 KiB pass
/// unsplit; the queue holds 20 ms, what a switch port would.
#[must_use]
pub fn arguments(device: &str, rate: Option<BitRate>) -> Vec<String> {
    let Some(BitRate(bits_per_s)) = rate else {
        return ["qdisc", "replace", "dev", device, "root", "pfifo_fast"].map(str::to_owned).into();
    };
    let bytes_in_ms = |ms: u64| bits_per_s / 8 * ms / 1000;
    let burst = bytes_in_ms(2).max(16 << 10);
    let limit = bytes_in_ms(20).max(4 * burst);
    let mut arguments =
        ["qdisc", "replace", "dev", device, "root", "tbf"].map(str::to_owned).to_vec();
    arguments.extend(["rate".to_owned(), format!("{bits_per_s}bit")]);
    arguments.extend([
        "burst".to_owned(),
        format!("{burst}b"),
        "limit".to_owned(),
        format!("{limit}b"),
    ]);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_and_queue_follow_the_rate() {
        let fast = arguments("mig0", Some(BitRate(1_000_000_000))).join(" ");
        assert_eq!(
            fast,
            "qdisc replace dev mig0 root tbf rate 1000000000bit burst 250000b limit 2500000b"
        );
        let slow = arguments("mig0", Some(BitRate(1_000_000))).join(" ");
        assert_eq!(
            slow,
            "qdisc replace dev mig0 root tbf rate 1000000bit burst 16384b limit 65536b"
        );
        assert_eq!(arguments("mig0", None).join(" "), "qdisc replace dev mig0 root pfifo_fast");
    }
}
