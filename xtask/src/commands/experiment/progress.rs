//! Progress on stderr: a line that lives on a terminal, a line a trial everywhere else.

use crate::color::{ColorChoice, Paint};
use harness::{
    experiment::Experiment,
    metric,
    plan::Plan,
    record::{Metric, Outcome, Record},
    run::Happening,
    trial::Live,
};
use lab::units::BitRate;
use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

/// Shows how a run goes on.
pub struct Progress {
    terminal: bool,
    width: usize,
    paint: Paint,
    begun: Instant,
    /// Estimates of all trials, by their number in the plan.
    estimates: Vec<(u32, Duration)>,
    estimated_done: Duration,
    at: String,
    cell: String,
    stage: &'static str,
}

impl Progress {
    /// For this plan.
    pub fn new(
        plan: &Plan,
        experiment: &Experiment,
        lab_rate: Option<BitRate>,
        colors: ColorChoice,
    ) -> Self {
        let estimate = |trial| plan.estimate_trial(trial, experiment, lab_rate);
        Self {
            terminal: std::io::stderr().is_terminal(),
            width: crate::show::terminal_width(),
            paint: Paint::stderr(colors),
            begun: Instant::now(),
            estimates: plan.trials.iter().map(|trial| (trial.trial, estimate(trial))).collect(),
            estimated_done: Duration::ZERO,
            at: String::new(),
            cell: String::new(),
            stage: "",
        }
    }

    /// Shows what happens.
    pub fn show(&mut self, happening: &Happening<'_>) {
        match happening {
            Happening::Begins { done, of, cell, .. } => {
                let width = of.to_string().len();
                self.at = format!("[{:>width$}/{of}]", done + 1);
                (*cell).clone_into(&mut self.cell);
            }
            Happening::Live(Live::Stage(stage)) => {
                self.stage = stage;
                self.line("");
            }
            Happening::Live(Live::Sample(sample)) => {
                let ram = |key: &str| sample.raw["ram"][key].as_f64();
                if let (Some(left), Some(round)) = (ram("remaining"), ram("dirty-sync-count")) {
                    let mib = left / 1_048_576.0;
                    self.line(&format!(
                        " {:.1} s, round {round:.0}, {mib:.0} MiB remaining",
                        sample.at_s
                    ));
                }
            }
            Happening::Ends(record) => {
                self.clear();
                let left = self.left(record.trial);
                let text = format!("{} {} {}{left}", self.at, self.outcome(record), self.cell);
                say(&format!("{text}\n"));
            }
        }
    }

    /// Takes the living line away.
    pub fn clear(&self) {
        if self.terminal {
            say("\r\x1b[K");
        }
    }

    fn line(&self, detail: &str) {
        if self.terminal {
            let text = format!("{} {}: {}{detail}", self.at, self.cell, self.stage);
            let fits: String = text.chars().take(self.width.saturating_sub(1)).collect();
            say(&format!("\r\x1b[K{fits}"));
        }
    }

    fn outcome(&self, record: &Record) -> String {
        let ms = |name: &str| match record.metrics.get(name) {
            Some(Metric::Measured(measured)) => Some(measured.value),
            _ => None,
        };
        match record.outcome {
            Outcome::Completed => {
                let time_s = ms(metric::TOTAL_TIME).unwrap_or(0.0) / 1e3;
                let downtime_ms = ms(metric::DOWNTIME_REPORTED).unwrap_or(0.0);
                let text = format!("{time_s:.2} s, downtime {downtime_ms:.0} ms");
                format!("{} {text:<24}", self.paint.good("completed"))
            }
            Outcome::NotConverged => format!("{:<34}", "not converged"),
            Outcome::Cancelled => self.paint.warning(&format!("{:<34}", "cancelled")),
            Outcome::Invalid => self.paint.warning(&format!("{:<34}", "invalid")),
            Outcome::Failed => self.paint.error(&format!("{:<34}", "failed")),
            Outcome::Corrupt => self.paint.error(&format!("{:<34}", "corrupt")),
        }
    }

    /// How long the rest will take: its estimate, corrected by how true estimates were so far.
    fn left(&mut self, ended: u32) -> String {
        self.estimates.retain(|(trial, estimate)| {
            if *trial == ended {
                self.estimated_done += *estimate;
            }
            *trial > ended
        });
        let rest: Duration = self.estimates.iter().map(|(_, estimate)| *estimate).sum();
        if rest.is_zero() {
            return String::new();
        }
        let truth =
            self.begun.elapsed().as_secs_f64() / self.estimated_done.as_secs_f64().max(0.001);
        let seconds = rest.as_secs_f64() * truth;
        if seconds < 90.0 {
            format!(" ({seconds:.0} s left)")
        } else {
            format!(" ({:.0} min left)", seconds / 60.0)
        }
    }
}

/// Writes to stderr; with nobody there to read it, there is nothing to tell.
fn say(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _nobody_reads = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
