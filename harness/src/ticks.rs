//! How a machine's processors spent their time, and what of it their host gave to others.

/// The processors' time since the machine started, in ticks of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    all: u64,
    stolen: u64,
}

impl Ticks {
    /// From the first line of `/proc/stat`: `cpu`, then user, nice, system, idle, iowait, irq,
    /// softirq and steal (proc(5)). What guests take, which follows, is in user and nice already.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let ticks: Vec<u64> = line
            .strip_prefix("cpu ")?
            .split_whitespace()
            .take(8)
            .map(|ticks| ticks.parse().ok())
            .collect::<Option<_>>()?;
        let stolen = *ticks.get(7)?;
        Some(Self { all: ticks.iter().sum(), stolen })
    }

    /// The share of the time until `later` that was stolen; `None` where there was no such time.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "ticks of seconds are far below 2^53")]
    pub fn stolen_until(self, later: Self) -> Option<f64> {
        let all = later.all.checked_sub(self.all).filter(|ticks| *ticks > 0)?;
        let stolen = later.stolen.checked_sub(self.stolen)?;
        Some(stolen as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stolen_share_is_of_the_time_between() {
        let at = |line: &str| Ticks::parse(line).expect("ticks");
        let before = at("cpu  5599905 438216 570627 2387073 10665 0 50012 246432 2 0\n");
        // 387 + 88 at work, 768 idle, 5 waiting, 1129 stolen; what guests took is not added.
        let after = at("cpu  5600292 438216 570715 2387841 10668 0 50014 247561 90 9\n");
        let share = before.stolen_until(after).expect("a share");
        assert!((share - 1129.0 / 2377.0).abs() < 1e-9, "{share}");
        assert_eq!(before.stolen_until(before), None);
        assert_eq!(after.stolen_until(before), None, "restarted between");
        for other in ["", "cpu0 1 2 3 4 5 6 7 8 9 10", "cpu 1 2 3 4 5 6 7", "cpu a b c d e f g h"] {
            assert_eq!(Ticks::parse(other), None, "{other}");
        }
    }
}
