//! The figures that every table shows: the four of the reference study under their names, and
//! what tells whether to believe them.

use super::number::{self, MIB};
use crate::metric;
use crate::record::Outcome;
use crate::summary::CellSummary;

/// A column of a table.
pub(super) struct Figure {
    /// Which metric.
    pub metric: &'static str,
    /// Its name, in the words of its head.
    pub head: &'static [&'static str],
    /// The same, narrower.
    pub narrow_head: &'static [&'static str],
    /// The unit it is shown in; empty for a pure number.
    pub unit: &'static str,
    /// What its values are divided by for that unit.
    pub divisor: f64,
    /// Whether it still grew when a migration was cancelled, so that its value is a lower bound.
    pub grows: bool,
}

/// All of them, in their order.
pub(super) const FIGURES: [Figure; 7] = [
    Figure {
        metric: metric::DOWNTIME_REPORTED,
        head: &["downtime"],
        narrow_head: &["downtime"],
        unit: "ms",
        divisor: 1.0,
        grows: false,
    },
    Figure {
        metric: metric::TOTAL_TIME,
        head: &["migration", "time"],
        narrow_head: &["migra-", "tion", "time"],
        unit: "s",
        divisor: 1000.0,
        grows: false,
    },
    Figure {
        metric: metric::STREAM_BYTES,
        head: &["transferred", "size"],
        narrow_head: &["trans-", "ferred", "size"],
        unit: "MiB",
        divisor: MIB,
        grows: true,
    },
    Figure {
        metric: metric::NOMINAL_SPEED,
        head: &["nominal", "speed"],
        narrow_head: &["nominal", "speed"],
        unit: "MiB/s",
        divisor: MIB,
        grows: false,
    },
    Figure {
        metric: metric::THROUGHPUT,
        head: &["true", "speed"],
        narrow_head: &["true", "speed"],
        unit: "MiB/s",
        divisor: MIB,
        grows: false,
    },
    Figure {
        metric: metric::SERVICE_GAP,
        head: &["service", "gap"],
        narrow_head: &["service", "gap"],
        unit: "ms",
        divisor: 1.0,
        grows: false,
    },
    Figure {
        metric: metric::ROUNDS,
        head: &["rounds"],
        narrow_head: &["rounds"],
        unit: "",
        divisor: 1.0,
        grows: true,
    },
];

/// What a table shows of a figure in a cell, in the figure's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shown {
    /// Median over the completed trials; or, where none completed, of a rate that has a meaning
    /// all the same.
    Value(f64),
    /// Where none completed: median of what had been reached when they were cancelled.
    AtLeast(f64),
    /// Nothing is known.
    Nothing,
}

impl Figure {
    /// Name in one line.
    pub fn name(&self) -> String {
        self.head.join(" ")
    }

    /// The figure in a cell.
    pub fn of(&self, cell: &CellSummary) -> Shown {
        let median = |outcome| {
            let spread = cell.metric(outcome, self.metric)?.spread?;
            Some(spread.median / self.divisor)
        };
        if cell.count(Outcome::Completed) > 0 {
            return median(Outcome::Completed).map_or(Shown::Nothing, Shown::Value);
        }
        match median(Outcome::NotConverged) {
            Some(value) if self.grows => Shown::AtLeast(value),
            Some(value) => Shown::Value(value),
            None => Shown::Nothing,
        }
    }

    /// The figure in all cells, as text with the same digits after the point.
    pub fn column(&self, cells: &[CellSummary]) -> Vec<String> {
        let shown: Vec<Shown> = cells.iter().map(|cell| self.of(cell)).collect();
        let resolution = cells
            .iter()
            .flat_map(|cell| cell.metrics.values())
            .filter_map(|metrics| metrics.get(self.metric))
            .map(|metric| metric.resolution / self.divisor)
            .fold(0.0, f64::max);
        let values = shown.iter().filter_map(|shown| match shown {
            Shown::Value(value) | Shown::AtLeast(value) => Some(*value),
            Shown::Nothing => None,
        });
        let decimals = number::decimals(values, resolution);
        shown
            .into_iter()
            .map(|shown| match shown {
                Shown::Value(value) => number::fixed(value, decimals),
                Shown::AtLeast(value) => format!("≥{}", number::fixed(value, decimals)),
                Shown::Nothing => "–".to_owned(),
            })
            .collect()
    }
}

/// An outcome in the words of a table, and shorter.
pub(super) const fn outcome_words(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Completed => ("ok", "ok"),
        Outcome::NotConverged => ("not converged", "not conv."),
        Outcome::Failed => ("failed", "failed"),
        Outcome::Cancelled => ("cancelled", "cancelled"),
        Outcome::Corrupt => ("corrupt", "corrupt"),
        Outcome::Invalid => ("invalid", "invalid"),
    }
}
