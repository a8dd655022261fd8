//! How long an address was silent that is asked for answers at a steady pace: pure arithmetic.
//!
//! Between two answers the guest may have been there all the time, or not at all: what is known is
//! that it was there when it sent each of them, and was not while a request lay unanswered.

use std::time::Duration;

/// The quiet window spans this at least, and [`LEAST_REQUESTS`] intervals.
const LEAST_SPAN: Duration = Duration::from_secs(1);
/// Requests in the quiet window at least.
const LEAST_REQUESTS: u32 = 20;
/// An answer that takes longer is as good as lost; what was asked since then is not judged yet.
const ON_ITS_WAY_NS: u64 = 200_000_000;
/// Share of the window's requests that may be lost, unless more is asked for: a network that loses
/// more says nothing of outages.
const MOST_LOST: f64 = 0.05;

/// A request or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The request's number; they rise.
    pub number: u64,
    /// When it was sent or arrived, nanoseconds of the witness's monotonic clock.
    pub at_ns: u64,
}

/// All that was asked and answered, each in the order of its time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    /// The requests.
    pub sent: Vec<Probe>,
    /// The answers.
    pub answers: Vec<Probe>,
}

/// How the guest answered while nothing was done to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quiet {
    /// Longest time between two answers, less the interval, nanoseconds.
    pub jitter_ns: u64,
    /// Longest time from a request to its answer, nanoseconds.
    pub round_trip_ns: u64,
}

/// The longest silence of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// From one answer to the next, nanoseconds: it was not longer.
    pub longest_ns: u64,
    /// For so long requests lay unanswered, nanoseconds: it was not shorter.
    pub surely_ns: u64,
}

impl Probes {
    /// The newest quiet window. Of its requests 5 % may be lost, or `lost` of them (as a part of one)
    /// where that is more.
    ///
    /// # Errors
    /// Why there is none yet.
    #[expect(clippy::cast_precision_loss, reason = "requests of a trial are few")]
    pub fn quiet(&self, interval: Duration, lost: f64) -> Result<Quiet, String> {
        let span = LEAST_SPAN.max(interval * LEAST_REQUESTS);
        let span_ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let early = || "too few requests were sent".to_owned();
        let (first, last) =
            (self.sent.first().ok_or_else(early)?, self.sent.last().ok_or_else(early)?);
        let end_ns = last.at_ns.saturating_sub(ON_ITS_WAY_NS);
        let begin_ns = end_ns.checked_sub(span_ns).filter(|begin| first.at_ns <= *begin);
        let begin_ns = begin_ns.ok_or_else(early)?;
        let window: Vec<&Probe> = self
            .sent
            .iter()
            .filter(|request| (begin_ns..=end_ns).contains(&request.at_ns))
            .collect();
        let answer = |request: &Probe| self.answers.iter().find(|it| it.number == request.number);
        let trips: Vec<(u64, u64)> = window
            .iter()
            .filter_map(|request| Some((request.at_ns, answer(request)?.at_ns)))
            .collect();
        let least = (1.0 - lost.max(MOST_LOST)) * window.len() as f64;
        if trips.is_empty() || (trips.len() as f64) < least {
            return Err(format!("it answered {} of {} requests", trips.len(), window.len()));
        }
        let mut arrivals: Vec<u64> = trips.iter().map(|(_, arrived)| *arrived).collect();
        arrivals.sort_unstable();
        let longest = arrivals.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        let interval_ns = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        let trip = |(sent, arrived): &(u64, u64)| arrived.saturating_sub(*sent);
        Ok(Quiet {
            jitter_ns: longest.saturating_sub(interval_ns),
            round_trip_ns: trips.iter().map(trip).max().unwrap_or(0),
        })
    }

    /// The longest silence that began or ended between two times of the witness's clock; `None`
    /// where there are no two answers around it.
    #[must_use]
    pub fn longest_silence(&self, from_ns: u64, to_ns: u64, quiet: &Quiet) -> Option<Silence> {
        let mut answers = self.answers.clone();
        answers.sort_by_key(|answer| answer.at_ns);
        let around = answers
            .windows(2)
            .filter(|pair| pair[1].at_ns >= from_ns && pair[0].at_ns <= to_ns)
            .max_by_key(|pair| pair[1].at_ns - pair[0].at_ns)?;
        let (before, after) = (around[0], around[1]);
        Some(Silence {
            longest_ns: after.at_ns - before.at_ns,
            surely_ns: self.surely_ns(before, after, quiet),
        })
    }

    /// How long requests lay unanswered between two answers that follow each other.
    fn surely_ns(&self, before: Probe, after: Probe, quiet: &Quiet) -> u64 {
        let unanswered_then = |request: &&Probe| {
            request.number > before.number
                && request.at_ns < after.at_ns
                && !self
                    .answers
                    .iter()
                    .any(|it| it.number == request.number && it.at_ns < after.at_ns)
        };
        let lying: Vec<&Probe> = self.sent.iter().filter(unanswered_then).collect();
        let Some(first) = lying.first() else { return 0 };
        // One that is answered at last lay there until then; one that never is, when it was sent.
        let until = lying.iter().map(|request| {
            match self.answers.iter().find(|it| it.number == request.number) {
                Some(answer) if answer.at_ns - request.at_ns > quiet.round_trip_ns => {
                    after.at_ns.saturating_sub(quiet.round_trip_ns)
                }
                Some(_) => 0,
                None => request.at_ns,
            }
        });
        let until = until.max().unwrap_or(0);
        until.saturating_sub(first.at_ns.saturating_add(quiet.round_trip_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;
    const INTERVAL: Duration = Duration::from_millis(5);

    /// A guest that is asked every 5 ms, answers within 1 ms, and is away for a time; what arrives
    /// meanwhile is lost, or kept for it.
    fn probes(away: std::ops::Range<u64>, keeps: bool, seconds: u64) -> Probes {
        let mut probes = Probes::default();
        for number in 1..=seconds * 200 {
            let at_ns = number * 5 * MS;
            probes.sent.push(Probe { number, at_ns });
            let there_ns = at_ns + MS / 2;
            let answered_ns = match away.contains(&there_ns) {
                false => Some(there_ns),
                true => keeps.then_some(away.end),
            };
            probes.answers.extend(answered_ns.map(|ns| Probe { number, at_ns: ns + MS / 2 }));
        }
        probes
    }

    #[test]
    fn a_guest_that_answers_is_quiet_and_one_that_does_not_is_said() {
        let quiet = probes(0..0, false, 2).quiet(INTERVAL, 0.01).expect("it answers");
        assert_eq!(quiet, Quiet { jitter_ns: 0, round_trip_ns: MS });
        let quiet = |probes: Probes| probes.quiet(INTERVAL, 0.01);
        assert_eq!(
            quiet(probes(0..u64::MAX, false, 2)),
            Err("it answered 0 of 201 requests".to_owned())
        );
        let half = probes(1000 * MS..1400 * MS, false, 2);
        assert_eq!(quiet(half), Err("it answered 121 of 201 requests".to_owned()));
        assert_eq!(quiet(probes(0..0, false, 1)), Err("too few requests were sent".to_owned()));
        assert_eq!(quiet(Probes::default()), Err("too few requests were sent".to_owned()));
    }

    #[test]
    fn a_time_without_an_outage_has_none() {
        let probes = probes(0..0, false, 3);
        let quiet = probes.quiet(INTERVAL, 0.01).expect("quiet");
        let found = probes.longest_silence(0, u64::MAX, &quiet);
        assert_eq!(found, Some(Silence { longest_ns: 5 * MS, surely_ns: 0 }));
        assert_eq!(probes.longest_silence(9000 * MS, 9001 * MS, &quiet), None);
    }

    #[test]
    fn a_silence_elsewhere_does_not_count() {
        let probes = probes(500 * MS..800 * MS, false, 4);
        let quiet = Quiet { jitter_ns: 0, round_trip_ns: MS };
        let found = probes.longest_silence(2000 * MS, 3000 * MS, &quiet).expect("answers");
        assert_eq!(found.longest_ns, 5 * MS);
    }

    proptest! {
        /// Whatever becomes of requests meanwhile, the true outage lies within what is said.
        #[test]
        fn the_outage_lies_within(begin in 2_000_000..2_500_000_u64, length in 0..900_000_u64, keeps in any::<bool>()) {
            let (begin, length) = (begin * 1000, length * 1000);
            let probes = probes(begin..begin + length, keeps, 5);
            let quiet = Quiet { jitter_ns: 0, round_trip_ns: MS };
            let found = probes.longest_silence(1900 * MS, 4000 * MS, &quiet).expect("answers");
            prop_assert!(found.surely_ns <= length && length <= found.longest_ns, "{found:?} {length}");
            // And what is said is no wider than it must be.
            let width = found.longest_ns - found.surely_ns;
            prop_assert!(width <= 12 * MS, "{found:?} {length}");
        }
    }
}
