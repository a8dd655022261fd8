//! How a trial spends its own time.

use crate::{
    metric,
    record::{Metric, Phases},
};
use std::{collections::BTreeMap, time::Instant};

/// Measures one phase after the other; their sum is the whole.
#[derive(Debug)]
pub struct Stopwatch {
    begun: Instant,
    lap_begun: Instant,
    phases: Phases,
}

impl Stopwatch {
    /// Begins now.
    pub fn start() -> Self {
        let now = Instant::now();
        Self { begun: now, lap_begun: now, phases: Phases::default() }
    }

    /// Ends a phase: all time since the last one ended is its own.
    pub fn lap(&mut self, phase: impl Fn(&mut Phases) -> &mut f64) {
        let now = Instant::now();
        *phase(&mut self.phases) += now.duration_since(self.lap_begun).as_secs_f64();
        self.lap_begun = now;
    }

    /// The phases with their sum, and what of it the harness itself has added: all that is not
    /// migration by QEMU's own account, gate or verification.
    pub fn close(&self, metrics: &BTreeMap<String, Metric>, migration_s: f64) -> Phases {
        let wall_s = self.lap_begun.duration_since(self.begun).as_secs_f64();
        let total_s = match metrics.get(metric::TOTAL_TIME) {
            Some(Metric::Measured(total)) => total.value / 1e3,
            _ => migration_s,
        };
        let overhead_s = wall_s - total_s - self.phases.gate_s - self.phases.verify_s;
        Phases { wall_s, overhead_s, ..self.phases }
    }
}
