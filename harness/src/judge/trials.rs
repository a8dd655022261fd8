//! What it would take to decide, and what could have been seen.

use super::effect::Effect;
use super::{ALPHA, GATE_ALPHA, POWER};
use crate::statistics::{Interval, normal};

/// The most trials of a cell that an experiment takes: its `replicates`.
const MOST: f64 = 1000.0;

/// What would decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// So many more trials per cell on both sides.
    More(u32),
    /// The shift lies on the margin.
    OnTheMargin,
    /// Nothing is known of the shift.
    Unknown,
}

impl Need {
    pub(super) fn words(self) -> String {
        match self {
            Self::More(1) => {
                "about 1 more trial per cell on both sides would decide it, if the shift stays"
                    .to_owned()
            }
            Self::More(more) => format!(
                "about {more} more trials per cell on both sides would decide it, if the shift stays"
            ),
            Self::OnTheMargin => {
                "the shift lies on the margin: at this margin no number of trials would decide it"
                    .to_owned()
            }
            Self::Unknown => "there are too few trials to say anything".to_owned(),
        }
    }
}

/// Standard errors at which a one-sided test at this level rejects.
fn z(level: f64) -> f64 {
    normal::quantile(1.0 - level)
}

/// The level at which the first of a family is called (Holm).
fn first_level(family: usize) -> f64 {
    GATE_ALPHA / family.max(1) as f64
}

/// The standard error of the shift, from its interval.
fn standard_error(interval: Interval) -> f64 {
    (interval.high - interval.low) / 2.0 / z((1.0 - interval.confidence) / 2.0)
}

/// How many more trials decide, if the estimate stays where it is and each arm of its interval
/// shrinks with the square root of the trials.
pub(super) fn need(
    effect: &Effect,
    estimate: f64,
    interval: Option<Interval>,
    family: usize,
) -> Need {
    let per_cell = trials_per_cell(effect);
    let Some(interval) = interval.filter(|ends| ends.low.is_finite() && ends.high.is_finite())
    else {
        return least(effect, per_cell, family);
    };
    let margin = effect.mean_margin();
    let (below, above) = (estimate - interval.low, interval.high - estimate);
    // How often too long an arm is. Inside of the margins both must stay inside, for equivalence;
    // outside of them the one towards the margin, for a change, and among the family.
    let too_long = if estimate.abs() <= margin {
        (above / (margin - estimate)).max(below / (margin + estimate))
    } else {
        let towards = if estimate > 0.0 { below } else { above };
        towards / (estimate.abs() - margin) * z(first_level(family)) / z(ALPHA)
    };
    let wanted = per_cell * too_long.powi(2);
    if !wanted.is_finite() || wanted > MOST {
        return Need::OnTheMargin;
    }
    Need::More(((wanted - per_cell).ceil() as u32).max(1))
}

/// Trials of a cell on each side: the harmonic mean of the sides, which is what the interval's
/// width goes by, over the cells.
fn trials_per_cell(effect: &Effect) -> f64 {
    let harmonic = |a: u32, b: u32| 2.0 / (1.0 / f64::from(a) + 1.0 / f64::from(b));
    let sum: f64 =
        effect.cells.iter().map(|cell| harmonic(cell.n().baseline, cell.n().candidate)).sum();
    sum / effect.cells.len().max(1) as f64
}

/// The least number of trials at which the rank test can say anything at all: until then even
/// values that are wholly apart are no evidence.
fn least(effect: &Effect, per_cell: f64, family: usize) -> Need {
    let wanted = (1.0 / first_level(family)).ln();
    let cells = effect.cells.len() as f64;
    let enough = (1..=MOST as u32).find(|&n| {
        let ways = if effect.is_paired() {
            f64::from(n) * 2f64.ln()
        } else {
            // ln C(2n, n)
            (1..=n).map(|i| (f64::from(n + i) / f64::from(i)).ln()).sum()
        };
        ways * cells >= wanted
    });
    match enough {
        Some(n) => Need::More(((f64::from(n) - per_cell).ceil() as u32).max(1)),
        None => Need::Unknown,
    }
}

/// The least true shift for the worse that is called in [`POWER`] of such comparisons, on the
/// scale of the judgement.
pub(super) fn detectable(effect: &Effect, interval: Interval, family: usize) -> f64 {
    let errors = z(first_level(family)) + normal::quantile(POWER);
    effect.mean_margin() + errors * standard_error(interval)
}
