//! How long the rest of a run will take: pure arithmetic.

use std::time::Duration;

/// The estimates of what is left, corrected by how true they were so far.
#[derive(Debug)]
pub struct Eta {
    /// Estimates of the trials to come, the running one first.
    rest: Vec<(u32, Duration)>,
    estimated: Duration,
    took: Duration,
}

impl Eta {
    /// For these trials, in their order, each with its estimate.
    pub fn new(trials: impl Iterator<Item = (u32, Duration)>) -> Self {
        Self { rest: trials.collect(), estimated: Duration::ZERO, took: Duration::ZERO }
    }

    /// A trial has ended, and took so long.
    pub fn ended(&mut self, trial: u32, took: Duration) {
        if let Some(at) = self.rest.iter().position(|(number, _)| *number == trial) {
            self.estimated += self.rest.remove(at).1;
            self.took += took;
        }
    }

    /// What is left when the running trial (none: no trial runs) has run so long; `None` when
    /// nothing is.
    pub fn left(&self, running: Option<Duration>) -> Option<Duration> {
        let truth = match self.estimated.as_secs_f64() {
            estimated if estimated > 0.0 => self.took.as_secs_f64() / estimated,
            _ => 1.0,
        };
        let corrected = |estimate: &Duration| estimate.mul_f64(truth);
        let (first, others) = self.rest.split_first()?;
        let first = corrected(&first.1).saturating_sub(running.unwrap_or_default());
        Some(first + others.iter().map(|(_, estimate)| corrected(estimate)).sum())
    }
}

/// In words: `45 s left`, `12 min left`.
pub fn words(left: Duration) -> String {
    let seconds = left.as_secs_f64();
    if seconds < 90.0 {
        format!("{seconds:.0} s left")
    } else if seconds < 90.0 * 60.0 {
        format!("{:.0} min left", seconds / 60.0)
    } else {
        format!("{:.1} h left", seconds / 3600.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn estimates_are_corrected_by_what_was_true() {
        let mut eta = Eta::new([(3, s(10)), (4, s(10)), (7, s(20))].into_iter());
        assert_eq!(eta.left(None), Some(s(40)));
        assert_eq!(eta.left(Some(s(4))), Some(s(36)));
        assert_eq!(eta.left(Some(s(99))), Some(s(30)), "a late trial takes nothing from others");
        eta.ended(3, s(20));
        assert_eq!(eta.left(None), Some(s(60)));
        eta.ended(3, s(20));
        assert_eq!(eta.left(None), Some(s(60)), "a trial ends once");
        eta.ended(4, s(10));
        assert_eq!(eta.left(Some(s(5))), Some(s(25)));
        eta.ended(7, s(1));
        assert_eq!(eta.left(None), None);
    }

    #[test]
    fn the_unit_grows_with_the_time() {
        let said: Vec<String> = [0, 89, 90, 3600, 7200].map(|n| words(s(n))).into();
        assert_eq!(said, ["0 s left", "89 s left", "2 min left", "60 min left", "2.0 h left"]);
    }
}
