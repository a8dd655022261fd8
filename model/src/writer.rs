//! How much distinct memory a workload dirties in a given time.

/// A workload that writes whole pages at a steady rate. Rates are bytes of pages touched per
/// second: touches per second times [`PAGE_BYTES`](crate::PAGE_BYTES).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Writer {
    /// Never touches a page twice. For closed forms only; no workload does that for long.
    Linear {
        /// Bytes of pages touched per second.
        touch_bytes_per_s: f64,
    },
    /// Around and around, in the order of addresses.
    Sweep(Part),
    /// Each touch goes to any page of the working set alike, whatever went before.
    Uniform(Part),
    /// Two parts that lie one behind the other, each touched uniformly at a rate of its own.
    TwoSpeed([Part; 2]),
}

/// A part of memory, and how fast it is touched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Its size, bytes.
    pub bytes: f64,
    /// Bytes of pages touched in it per second.
    pub touch_bytes_per_s: f64,
}

impl Part {
    /// The share of it that is touched at least once within `seconds` by a uniform writer:
    /// `1 − e^(−rt/W)`.
    #[must_use]
    pub fn touched_share(&self, seconds: f64) -> f64 {
        if self.bytes > 0.0 {
            -(-self.touch_bytes_per_s * seconds / self.bytes).exp_m1()
        } else {
            0.0
        }
    }

    /// The share of it that a sweep touches within `seconds`: `rt/W`, at most 1.
    #[must_use]
    pub fn swept_share(&self, seconds: f64) -> f64 {
        if self.bytes > 0.0 {
            (self.touch_bytes_per_s * seconds / self.bytes).min(1.0)
        } else {
            0.0
        }
    }

    /// The same part, touched at `share` of its rate.
    #[must_use]
    pub fn slowed_to(self, share: f64) -> Self {
        Self { touch_bytes_per_s: self.touch_bytes_per_s * share, ..self }
    }
}

impl Writer {
    /// A workload that touches nothing.
    pub const IDLE: Self = Self::Linear { touch_bytes_per_s: 0.0 };

    /// The hotspot: nine touches of ten go to the first tenth of the working set.
    #[must_use]
    pub fn hotspot(working_set_bytes: f64, touch_bytes_per_s: f64) -> Self {
        let hot =
            Part { bytes: 0.1 * working_set_bytes, touch_bytes_per_s: 0.9 * touch_bytes_per_s };
        let cold =
            Part { bytes: 0.9 * working_set_bytes, touch_bytes_per_s: 0.1 * touch_bytes_per_s };
        Self::TwoSpeed([hot, cold])
    }

    /// Distinct bytes that are dirtied at least once within `seconds`.
    #[must_use]
    pub fn dirtied_bytes(&self, seconds: f64) -> f64 {
        match self {
            Self::Linear { touch_bytes_per_s } => touch_bytes_per_s * seconds,
            Self::Sweep(part) => part.bytes * part.swept_share(seconds),
            Self::Uniform(part) => part.bytes * part.touched_share(seconds),
            Self::TwoSpeed(parts) => {
                parts.iter().map(|part| part.bytes * part.touched_share(seconds)).sum()
            }
        }
    }

    /// Bytes of pages touched per second, repeats included.
    #[must_use]
    pub fn touch_bytes_per_s(&self) -> f64 {
        match self {
            Self::Linear { touch_bytes_per_s } => *touch_bytes_per_s,
            Self::Sweep(part) | Self::Uniform(part) => part.touch_bytes_per_s,
            Self::TwoSpeed(parts) => parts.iter().map(|part| part.touch_bytes_per_s).sum(),
        }
    }

    /// The memory that it touches, bytes; none for [`Writer::Linear`], whose memory has no end.
    #[must_use]
    pub fn working_set_bytes(&self) -> f64 {
        match self {
            Self::Linear { .. } => 0.0,
            Self::Sweep(part) | Self::Uniform(part) => part.bytes,
            Self::TwoSpeed(parts) => parts.iter().map(|part| part.bytes).sum(),
        }
    }

    /// The same writer at `share` of its rate, as a throttled guest has it.
    #[must_use]
    pub fn slowed_to(self, share: f64) -> Self {
        match self {
            Self::Linear { touch_bytes_per_s } => {
                Self::Linear { touch_bytes_per_s: touch_bytes_per_s * share }
            }
            Self::Sweep(part) => Self::Sweep(part.slowed_to(share)),
            Self::Uniform(part) => Self::Uniform(part.slowed_to(share)),
            Self::TwoSpeed(parts) => Self::TwoSpeed(parts.map(|part| part.slowed_to(share))),
        }
    }
}
