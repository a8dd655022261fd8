//! Shifts and margins as people read them.

use crate::judge::{MetricJudgement, OpenInterval, ShiftScale, Sides};

/// How the numbers of one metric are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number<'a> {
    scale: ShiftScale,
    unit: &'a str,
}

impl<'a> Number<'a> {
    pub(super) fn of(metric: &'a MetricJudgement) -> Self {
        Self { scale: metric.scale, unit: &metric.unit }
    }

    /// In the unit that is shown: percent of ratios, points of percents.
    fn shown(self, value: f64) -> f64 {
        match self.scale {
            ShiftScale::Fraction => value * 100.0,
            ShiftScale::Unit => value,
        }
    }

    pub(super) fn unit(self) -> &'a str {
        match (self.scale, self.unit) {
            (ShiftScale::Fraction, _) => "%",
            (ShiftScale::Unit, "%" | "") => "points",
            (ShiftScale::Unit, unit) => unit,
        }
    }

    /// `+0.4`, with as many digits as matter.
    fn plain(self, value: f64) -> String {
        let value = self.shown(value);
        let decimals = usize::from(value.abs() < 99.95);
        let text = format!("{value:+.decimals$}");
        // A rounded zero has no sign.
        if text.bytes().all(|byte| !byte.is_ascii_digit() || byte == b'0') {
            return text[1..].to_owned();
        }
        text.replace('-', "−")
    }

    /// `+0.4 %`.
    pub(super) fn signed(self, value: f64) -> String {
        format!("{} {}", self.plain(value), self.unit())
    }

    /// `[−0.3, +1.1]`.
    pub(super) fn interval(self, interval: OpenInterval) -> String {
        let end = |end: Option<f64>| end.map_or_else(|| "?".to_owned(), |end| self.plain(end));
        format!("[{}, {}]", end(interval.low), end(interval.high))
    }

    /// A margin or another size without sign, `5 %`.
    pub(super) fn size(self, value: f64) -> String {
        format!("{} {}", short(self.shown(value)), self.unit())
    }
}

/// At most three significant digits, without zeros at the end.
fn short(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 99.5 => 0,
        size if size >= 9.95 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// The declared margin, and how wide it is where the measurement cannot show as little.
pub(super) fn margin(metric: &MetricJudgement) -> String {
    let number = Number::of(metric);
    let (declared, widest) = (number.size(metric.margin), number.size(metric.widest_margin));
    if declared == widest { declared } else { format!("{declared} (≤ {widest} by resolution)") }
}

/// `15+15`.
pub(super) fn of(n: Sides<u32>) -> String {
    format!("{}+{}", n.baseline, n.candidate)
}
