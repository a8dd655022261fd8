//! How long a million predictions take.

use crate::build;
use anyhow::{Context, Result};
use harness::{
    experiment::{Experiment, Qemus},
    prediction::{self, Known},
};
use model::{Costs, Policy, Scenario};
use std::{hint::black_box, thread, time::Instant};

/// Predictions of one measurement.
const PREDICTIONS: u32 = 1_000_000;
/// Threads that share them.
const THREADS: u32 = 2;
/// Touch rates are spread over this many values below those of the cells.
const RATES: u32 = 1000;

/// Seconds, `n` times.
///
/// # Errors
/// When the shipped experiment cannot be read.
pub fn measure(n: usize) -> Result<Vec<f64>> {
    let cells = cells()?;
    Ok((0..n).map(|_| once(&cells)).collect())
}

/// The cells of the shipped matrix, as the model is asked of them.
fn cells() -> Result<Vec<Scenario>> {
    let path = build::repository().join("experiments/precopy.yaml");
    let experiment = Experiment::read(&path, &Qemus::default())?;
    let scenario = |settings: harness::settings::Settings| {
        let link_rate = settings.link_rate.context("a cell without a link rate")?;
        let known = Known {
            link_bytes_per_s: prediction::payload_bytes_per_s(link_rate),
            cap_bytes_per_s: prediction::cap_bytes_per_s(settings.bandwidth_limit),
            touch_pages_per_s: f64::from(settings.touch_rate.0),
            max_time_s: experiment.max_time.duration().as_secs_f64(),
            costs: Costs::LOCAL_LAB,
        };
        Ok(prediction::scenario(&settings, Policy::Qemu, &known))
    };
    experiment.cells().into_iter().map(|cell| scenario(cell.settings)).collect()
}

fn once(cells: &[Scenario]) -> f64 {
    let begun = Instant::now();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let share = PREDICTIONS / THREADS;
                for (number, cell) in
                    (thread * share..(thread + 1) * share).zip(cells.iter().cycle())
                {
                    // No two alike: every one has a touch rate of its own.
                    let slower = 1.0 - 0.1 * f64::from(number % RATES) / f64::from(RATES);
                    let asked = Scenario { writer: cell.writer.slowed_to(slower), ..*cell };
                    black_box(asked.predict_quickly());
                }
            });
        }
    });
    begun.elapsed().as_secs_f64()
}
