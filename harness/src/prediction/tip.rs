//! Where a prediction tips over: by bisection, all else held.

use super::{Known, scenario};
use crate::settings::{Pattern, Settings};
use model::{Policy, Prediction};

/// Halvings of the range: the answer is exact to far less than what the model knows.
const HALVINGS: u32 = 40;
/// Rates that are looked at, pages per second.
const MOST_TOUCHES: f64 = 1e7;
/// Links that are looked at, bytes of payload per second.
const LINKS: (f64, f64) = (1e4, 1e11);

/// Where something stops to hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tip {
    /// It holds over the whole range that was looked at.
    Never,
    /// It holds nowhere in it.
    Always,
    /// It holds up to about this value of a rate of touches, or from this value of a link on;
    /// this is what is expected just beyond.
    At {
        /// Pages per second, or bytes of payload per second.
        value: f64,
        /// 5 % beyond.
        beyond: Prediction,
    },
}

/// The touch rate, pages per second, up to which `holds` does. `None` for an idle guest.
#[must_use]
pub fn touch_rate(
    settings: &Settings,
    policy: Policy,
    known: &Known,
    holds: fn(&Prediction) -> bool,
) -> Option<Tip> {
    if settings.pattern == Pattern::Idle {
        return None;
    }
    let predict = |touch_pages_per_s: f64| {
        scenario(settings, policy, &Known { touch_pages_per_s, ..*known }).predict()
    };
    Some(between(1.0, MOST_TOUCHES, 1.05, predict, holds))
}

/// The payload of a link, bytes per second, from which on `holds` does.
#[must_use]
pub fn link(
    settings: &Settings,
    policy: Policy,
    known: &Known,
    holds: fn(&Prediction) -> bool,
) -> Tip {
    let predict = |link_bytes_per_s: f64| {
        scenario(settings, policy, &Known { link_bytes_per_s, ..*known }).predict()
    };
    between(LINKS.1, LINKS.0, 1.0 / 1.05, predict, holds)
}

/// Between a value at which it should hold and one at which it should not; `beyond` is the factor
/// that leads past the tip.
pub fn between(
    good: f64,
    bad: f64,
    beyond: f64,
    predict: impl Fn(f64) -> Prediction,
    holds: fn(&Prediction) -> bool,
) -> Tip {
    if !holds(&predict(good)) {
        return Tip::Always;
    }
    if holds(&predict(bad)) {
        return Tip::Never;
    }
    let (mut good, mut bad) = (good.ln(), bad.ln());
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(good, bad);
        if holds(&predict(middle.exp())) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    let value = good.exp();
    Tip::At { value, beyond: predict(value * beyond) }
}
