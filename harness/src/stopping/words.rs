//! Why a run goes on or has ended, in words.

use super::{Imprecise, LEAST_FOR_AN_INTERVAL, NotWaitedFor, State, Stopping};

impl Stopping {
    /// In words, for a report: `precise after 7 of at most 20 blocks: …`.
    #[must_use]
    pub fn words(&self) -> String {
        let blocks = |n: u32| format!("{n} block{}", if n == 1 { "" } else { "s" });
        let mut words = match self.state {
            State::Precise => {
                let asked: Vec<String> = self
                    .precision
                    .iter()
                    .map(|(name, percent)| format!("{name} to ±{}", per_cent(*percent)))
                    .collect();
                format!(
                    "precise after {} of at most {}: every cell's median is known (95 % interval): {}",
                    self.blocks,
                    blocks(self.most),
                    asked.join(", ")
                )
            }
            State::NotPrecise => format!("not precise after {}", blocks(self.blocks)),
            State::GoesOn => {
                format!("{} of at most {} so far", self.blocks, blocks(self.most))
            }
        };
        words.push_str(&self.worst());
        if let Some(first) = self.not_waited_for.first() {
            words.push_str(&format!("; not waited for: {}", first.words()));
            if let others @ 1.. = self.not_waited_for.len() - 1 {
                words.push_str(&format!(", and {others} more"));
            }
        }
        words
    }
}

impl Stopping {
    /// The same in short, for a run that goes on: `6 of at most 20 blocks: …`, the worst alone.
    #[must_use]
    pub fn progress(&self) -> String {
        let precise = if self.state == State::Precise { ": precise" } else { "" };
        format!("{} of at most {} blocks{}{precise}", self.blocks, self.most, self.worst())
    }

    /// `: CELL: total_time ±8 %, asked for ±5 %, and 2 more`; nothing when all is precise.
    fn worst(&self) -> String {
        let Some(worst) = self.imprecise.first() else { return String::new() };
        match self.imprecise.len() - 1 {
            0 => format!(": {}", worst.words()),
            others => format!(": {}, and {others} more", worst.words()),
        }
    }
}

impl Imprecise {
    /// `CELL: total_time ±8 % of 5 %`.
    fn words(&self) -> String {
        let Self { cell, metric, n, half_width_percent, wanted_percent } = self;
        let wanted = per_cent(*wanted_percent);
        match half_width_percent {
            Some(width) => format!("{cell}: {metric} ±{}, asked for ±{wanted}", per_cent(*width)),
            None if *n < LEAST_FOR_AN_INTERVAL => {
                let values = if *n == 1 { "value has" } else { "values have" };
                format!("{cell}: {n} {values} no 95 % interval ({metric})")
            }
            None => format!("{cell}: the median of {metric} is 0"),
        }
    }
}

impl NotWaitedFor {
    fn words(&self) -> String {
        let Self { cell, metric, n, of } = self;
        format!("{cell}: {metric} in {n} of {of} trials")
    }
}

/// Two figures of what is below ten.
fn per_cent(percent: f64) -> String {
    let text = if percent < 10.0 { format!("{percent:.1}") } else { format!("{percent:.0}") };
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}
