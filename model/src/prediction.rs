//! What is predicted: the median over the cases that cannot be told apart beforehand.

use crate::{Course, Scenario, Sync, ring::Ring, sender};

/// Cases over which a prediction is the median.
pub const CASES: usize = 9;
/// Cases of a quick one.
pub const QUICK_CASES: usize = 3;
/// The length of a step is not known better than to this share.
const STEP_SPREAD: f64 = 0.02;

/// What is not known of a migration beforehand: where in its step the sender is at the end of the
/// first round, how long a step really takes, how far its estimate of the bandwidth is off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Case {
    /// The share of a step that the first one is cut to, 0 to 1.
    pub phase: f64,
    /// Steps take this share longer.
    pub step: f64,
    /// −1 to 1: from the lowest to the highest estimate of the bandwidth that the uneven filling
    /// of the socket leads to.
    pub estimate: f64,
}

impl Case {
    /// Steps as the scenario has them and an estimate that is exact.
    pub const PLAIN: Self = Self { phase: 1.0, step: 0.0, estimate: 0.0 };

    /// The `index`th of `of` cases that are spread evenly over all there are (a lattice; `of` is
    /// odd).
    #[must_use]
    pub fn spread(index: usize, of: usize) -> Self {
        let at = |stride: usize| ((index * stride % of) as f64 + 0.5) / of as f64;
        Self { phase: at(1), step: (2.0 * at(2) - 1.0) * STEP_SPREAD, estimate: 2.0 * at(4) - 1.0 }
    }
}

/// From the least to the greatest over the cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}

/// What is predicted of a migration: medians over the cases that end as most of them do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Whether it converges within its time, in most cases.
    pub converged: bool,
    /// The share of cases in which it does.
    pub converging_share: f64,
    /// Live rounds.
    pub rounds: u32,
    /// From the first byte to the stop, or until it is given up, seconds.
    pub live_time_s: f64,
    /// Sent while the guest is stopped, bytes. Where it does not converge: what stopping the
    /// guest in the end would have to send.
    pub stop_bytes: f64,
    /// How long the guest is stopped, seconds. Where it does not converge: what stopping it in
    /// the end would take.
    pub downtime_s: f64,
    /// Setup, live time and downtime, seconds; or until it is given up.
    pub total_time_s: f64,
    /// Everything that is sent, bytes.
    pub stream_bytes: f64,
    /// The greatest rest with which the guest is stopped, bytes.
    pub threshold_bytes: f64,
    /// Downtime over the cases, seconds.
    pub downtime_band_s: Band,
    /// Total time over the cases, seconds.
    pub total_time_band_s: Band,
    /// Bytes over the cases.
    pub stream_band_bytes: Band,
    /// How many times the downtime limit in the end is what it was (policy `proxmox` doubles it).
    pub limit_factor: f64,
    /// How far the guest was throttled in the end, percent.
    pub throttle_percent: u32,
}

/// By insertion, which is fastest for so few.
fn sort(values: &mut [f64]) {
    for end in 1..values.len() {
        let (value, mut at) = (values[end], end);
        while at > 0 && values[at - 1] > value {
            values[at] = values[at - 1];
            at -= 1;
        }
        values[at] = value;
    }
}

impl Scenario {
    /// How the migration goes in one case.
    #[must_use]
    pub fn course(&self, case: Case) -> Course {
        sender::course::<true>(self, Ring::new(self), case, |_| {})
    }

    /// The same, without leaps over steps and rounds that decide nothing, so that every reading
    /// of the dirty bitmap is shown.
    pub fn course_seen(&self, case: Case, see: impl FnMut(&Sync)) -> Course {
        sender::course::<false>(self, Ring::new(self), case, see)
    }

    /// The median over [`CASES`] cases.
    #[must_use]
    pub fn predict(&self) -> Prediction {
        self.predict_over::<CASES>()
    }

    /// The median over [`QUICK_CASES`]: about as near, with a band that is too narrow, in a third
    /// of the time.
    #[must_use]
    pub fn predict_quickly(&self) -> Prediction {
        self.predict_over::<QUICK_CASES>()
    }

    fn predict_over<const N: usize>(&self) -> Prediction {
        let ring = Ring::new(self);
        let courses: [Course; N] = std::array::from_fn(|case| {
            sender::course::<true>(self, ring, Case::spread(case, N), |_| {})
        });
        let converging = courses.iter().filter(|course| course.converged).count();
        let converged = converging * 2 > N;
        let of = |value: fn(&Course) -> f64| {
            let mut values = [f64::INFINITY; N];
            let mut n = 0;
            for course in courses.iter().filter(|course| course.converged == converged) {
                values[n] = value(course);
                n += 1;
            }
            sort(&mut values[..n]);
            let middle = f64::midpoint(values[(n - 1) / 2], values[n / 2]);
            (middle, Band { low: values[0], high: values[n - 1] })
        };
        let (downtime_s, downtime_band_s) = of(|course| course.downtime_s);
        let (total_time_s, total_time_band_s) = of(|course| course.total_time_s);
        let (stream_bytes, stream_band_bytes) = of(|course| course.stream_bytes);
        let rounds = of(|course| f64::from(course.rounds)).0.round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a median of u32 is one, and the cases are few"
        )]
        let (rounds, converging_share) = (rounds as u32, converging as f64 / N as f64);
        Prediction {
            converged,
            converging_share,
            rounds,
            live_time_s: of(|course| course.live_time_s).0,
            stop_bytes: of(|course| course.stop_bytes).0,
            downtime_s,
            total_time_s,
            stream_bytes,
            threshold_bytes: of(|course| course.threshold_bytes).0,
            downtime_band_s,
            total_time_band_s,
            stream_band_bytes,
            limit_factor: of(|course| course.limit_factor).0,
            throttle_percent: of(|course| f64::from(course.throttle_percent)).0 as u32,
        }
    }
}
