//! Progress on stderr: a line that lives on a terminal, a line a trial everywhere else.

mod eta;

use crate::{
    color::{ColorChoice, Paint},
    show,
};
use eta::Eta;
use harness::{
    experiment::Experiment,
    metric,
    plan::{Plan, PlannedTrial},
    record::{Metric, Outcome, Record},
    run::Happening,
    trial::Live,
};
use lab::units::BitRate;
use std::{
    collections::BTreeSet,
    io::IsTerminal,
    time::{Duration, Instant},
};

/// The living line is drawn at most this often: a faster one cannot be read, only flicker.
const DRAW_INTERVAL: Duration = Duration::from_millis(100);

/// Shows how a run goes on.
pub struct Progress {
    terminal: bool,
    paint: Paint,
    eta: Eta,
    /// When the running trial began.
    begun: Instant,
    /// Before a number of trials or a time that may come out smaller.
    at_most: &'static str,
    drawn: Option<Instant>,
    at: String,
    cell: String,
    stage: &'static str,
}

impl Progress {
    /// For the trials of this plan that are not `finished`.
    pub fn new(
        plan: &Plan,
        finished: &BTreeSet<u32>,
        experiment: &Experiment,
        lab_rate: Option<BitRate>,
        colors: ColorChoice,
    ) -> Self {
        let estimate =
            |trial: &PlannedTrial| (trial.trial, plan.estimate_trial(trial, experiment, lab_rate));
        Self {
            terminal: std::io::stderr().is_terminal()
                && std::env::var_os("TERM").is_none_or(|name| name != "dumb"),
            paint: Paint::stderr(colors),
            eta: Eta::new(plan.remaining(finished).map(estimate)),
            begun: Instant::now(),
            at_most: if experiment.replicates.rule().is_some() { "at most " } else { "" },
            drawn: None,
            at: String::new(),
            cell: String::new(),
            stage: "",
        }
    }

    /// Without a word on what is left: for trials that take no time.
    pub fn without_eta(mut self) -> Self {
        self.eta = Eta::new(std::iter::empty());
        self
    }

    /// Shows what happens.
    pub fn show(&mut self, happening: &Happening<'_>) {
        match happening {
            Happening::Begins { done, of, cell, .. } => {
                let width = of.to_string().len();
                let slash = if self.at_most.is_empty() { "/" } else { " of at most " };
                self.at = format!("[{:>width$}{slash}{of}]", done + 1);
                (*cell).clone_into(&mut self.cell);
                self.begun = Instant::now();
            }
            Happening::Live(Live::Stage(stage)) => {
                self.stage = stage;
                self.draw("");
            }
            Happening::Live(Live::Waiting { node, at_most }) => {
                let cleared = if self.terminal { "\r\x1b[K" } else { "" };
                let (at, most) = (&self.at, at_most.as_secs());
                show::tell_raw(&format!(
                    "{cleared}{at} {node} does not answer: waiting for it, at most {most} s\n"
                ));
            }
            Happening::Live(Live::Sample(sample)) => {
                if self.drawn.is_some_and(|drawn| drawn.elapsed() < DRAW_INTERVAL) {
                    return;
                }
                let ram = |key: &str| sample.raw["ram"][key].as_f64();
                if let (Some(left), Some(round)) = (ram("remaining"), ram("dirty-sync-count")) {
                    let mib = left / 1_048_576.0;
                    let detail =
                        format!(" {:.1} s, round {round:.0}, {mib:.0} MiB remaining", sample.at_s);
                    self.draw(&detail);
                }
            }
            Happening::Ends(record) => {
                self.eta.ended(record.trial, self.begun.elapsed());
                // A terminal's living line tells what is left.
                let left = self.eta.left(None).filter(|_| !self.terminal).map(eta::words);
                let at_most = self.at_most;
                let left = left.map(|left| format!(" ({at_most}{left})")).unwrap_or_default();
                let cleared = if self.terminal { "\r\x1b[K" } else { "" };
                let (at, outcome, cell) = (&self.at, self.outcome(record), &self.cell);
                show::tell_raw(&format!("{cleared}{at} {outcome} {cell}{left}\n"));
            }
            Happening::BlockEnds(stopping) => {
                let cleared = if self.terminal { "\r\x1b[K" } else { "" };
                show::tell_raw(&format!("{cleared}{}\n", stopping.progress()));
            }
        }
    }

    /// Takes the living line away.
    pub fn clear(&self) {
        if self.terminal {
            show::tell_raw("\r\x1b[K");
        }
    }

    /// Draws the living line over the last one, in one piece and without clearing first, so that
    /// it does not flicker; cut to the terminal's width of this moment, so that it does not wrap.
    fn draw(&mut self, detail: &str) {
        if !self.terminal {
            return;
        }
        self.drawn = Some(Instant::now());
        let left = self.eta.left(Some(self.begun.elapsed())).map(eta::words);
        let left = left.map(|left| format!(", {}{left}", self.at_most)).unwrap_or_default();
        let text = format!("{} {}{detail}{left} | {}", self.at, self.stage, self.cell);
        let line = fitting(&text, show::width_of(std::io::stderr()).unwrap_or(80));
        show::tell_raw(&format!("\r{line}\x1b[K"));
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
}

/// As much of the text as a line of this width holds, its last column left free.
fn fitting(text: &str, width: usize) -> String {
    text.chars().take(width.saturating_sub(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_leaves_the_last_column_free() {
        assert_eq!(fitting("abc", 10), "abc");
        assert_eq!(fitting("abcdef", 6), "abcde");
        assert_eq!(fitting("äöü", 3), "äö");
        assert_eq!(fitting("abc", 0), "");
    }
}
