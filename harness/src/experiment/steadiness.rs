//! How steady a guest must be before it is migrated: the gate of a trial.

use super::Percent;
use lab::units::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// What a trial's gate asks of the newest window of heartbeats. What is not said is as strict as
/// a measurement wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a mapping such as `{ touch_rate: 5 %, patience: 2 min }`"
)]
pub struct Steadiness {
    /// How far the achieved touch rate may be off the asked one. Default: 2 %.
    pub touch_rate: Percent,
    /// How far the achieved rate of disk writes may be off. Default: 5 %.
    pub disk_write_rate: Percent,
    /// Heartbeats that may be missing. Default: 1 %.
    pub heartbeats_lost: Percent,
    /// Spacing of the heartbeats at the 99th percentile at most, 2 to 1000 intervals. Default: 5.
    #[schemars(range(min = 2, max = 1000))]
    pub spacing: u32,
    /// How long steadiness is waited for, beyond the length of the window, 1 s to 1 h.
    /// Default: 30 s.
    pub patience: Millis,
}

impl Default for Steadiness {
    /// Rates are off by more than this only where a guest is not given its time. A storage answers
    /// when it does, and of the fewest writes of a window those in flight are 2 %. Outages are known
    /// to about the spacing. A shared machine is busy with others for seconds at a time, and waiting
    /// costs less than a trial without a measurement.
    fn default() -> Self {
        Self {
            touch_rate: Percent(2_000),
            disk_write_rate: Percent(5_000),
            heartbeats_lost: Percent(1_000),
            spacing: 5,
            patience: Millis(30_000),
        }
    }
}

impl fmt::Display for Steadiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { touch_rate, disk_write_rate, heartbeats_lost, spacing, patience } = self;
        write!(
            f,
            "the touch rate within ±{touch_rate} and disk writes within ±{disk_write_rate}, heartbeats at \
             most {spacing} intervals apart, {heartbeats_lost} of them lost, within {patience}"
        )
    }
}

impl Steadiness {
    /// Whether it is what it is when nothing is said.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// How long it is waited for, beyond the length of the window.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.patience.duration()
    }
}
