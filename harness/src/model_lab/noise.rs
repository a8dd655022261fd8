//! The deviations of real trials, drawn for virtual ones.
//!
//! A block of the virtual run takes one block of one real A/A run, drawn by the seed; each of its
//! cells takes the trial of the real cell that is most like it. What a real machine does to a
//! whole block at once stays together, and so does what it does to all metrics of a trial.

use crate::{
    aa_pool,
    plan::draw::{Purpose, stream},
    prediction::payload_bytes_per_s,
    record::Outcome,
    statistics::median,
};
use lab::units::{BitRate, PageRate};
use model::{PAGE_BYTES, Scenario};
use std::collections::{BTreeMap, BTreeSet};

/// A cell of the real trials.
struct RealCell {
    id: &'static str,
    /// Bytes touched per byte sent: what it is compared by.
    load: f64,
    completes: bool,
    medians: BTreeMap<&'static str, f64>,
}

/// A real trial's metrics, each with the median of its cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Deviation {
    real: BTreeMap<&'static str, f64>,
    medians: BTreeMap<&'static str, f64>,
}

impl Deviation {
    /// The trial's value over its cell's median; `None` where that trial had no value.
    pub(super) fn ratio(&self, metric: &str) -> Option<f64> {
        let ratio = self.real.get(metric)? / self.medians.get(metric)?;
        ratio.is_finite().then_some(ratio)
    }

    /// The trial's value less its cell's median; `None` where that trial had no value.
    pub(super) fn difference(&self, metric: &str) -> Option<f64> {
        Some(self.real.get(metric)? - self.medians.get(metric)?)
    }

    /// By how much the medians of two metrics of the cell differ.
    pub(super) fn between(&self, metric: &str, other: &str) -> f64 {
        let median = |metric| self.medians.get(metric).copied().unwrap_or(0.0);
        median(metric) - median(other)
    }
}

impl RealCell {
    fn of(id: &'static str, trials: &[&aa_pool::PoolTrial]) -> Self {
        let mut values: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
        for (name, value) in trials.iter().flat_map(|trial| &trial.values) {
            values.entry(name).or_default().push(*value);
        }
        let median = |(name, values): (_, Vec<f64>)| Some((name, median::median(&values)?));
        let completed = trials.iter().filter(|trial| trial.outcome == Outcome::Completed).count();
        Self {
            id,
            load: load_of(id).unwrap_or(1.0),
            completes: 2 * completed >= trials.len(),
            medians: values.into_iter().filter_map(median).collect(),
        }
    }
}

/// Load of a real cell, from its identity: `touch_rate=1000 pages/s, link_rate=1 Gbit/s`.
fn load_of(id: &str) -> Option<f64> {
    let level =
        |name: &str| id.split(", ").find_map(|term| term.strip_prefix(name)?.strip_prefix('='));
    let touches: PageRate = level("touch_rate")?.parse().ok()?;
    let link: BitRate = level("link_rate")?.parse().ok()?;
    Some(load(f64::from(touches.0) * PAGE_BYTES, payload_bytes_per_s(link)))
}

/// Draws deviations.
pub(super) struct Noise {
    seed: u64,
    cells: Vec<RealCell>,
    /// Run and block of every real block.
    blocks: Vec<(u32, u32)>,
    trials: BTreeMap<(u32, u32, &'static str), BTreeMap<&'static str, f64>>,
}

impl std::fmt::Debug for Noise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Noise of {} real blocks, seed {}", self.blocks.len(), self.seed)
    }
}

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        let pool = aa_pool::trials();
        let blocks: BTreeSet<(u32, u32)> =
            pool.iter().map(|trial| (trial.run, trial.block)).collect();
        let mut by_cell: BTreeMap<&'static str, Vec<&aa_pool::PoolTrial>> = BTreeMap::new();
        for trial in &pool {
            by_cell.entry(trial.cell).or_default().push(trial);
        }
        let cells = by_cell.iter().map(|(id, trials)| RealCell::of(id, trials)).collect();
        let trials = pool
            .iter()
            .map(|trial| ((trial.run, trial.block, trial.cell), trial.values.clone()))
            .collect();
        Self { seed, cells, blocks: blocks.into_iter().collect(), trials }
    }

    /// The deviation of a trial in this block, with this scenario, that completes or not.
    pub(super) fn of(&self, block: u32, scenario: &Scenario, completes: bool) -> Deviation {
        let Some(cell) = self.like(scenario, completes) else {
            return Deviation::default();
        };
        let real =
            self.block(block).and_then(|(run, block)| self.trials.get(&(run, block, cell.id)));
        Deviation { real: real.cloned().unwrap_or_default(), medians: cell.medians.clone() }
    }

    /// Run and block of the real block that a virtual one takes its deviations from.
    pub(super) fn block(&self, block: u32) -> Option<(u32, u32)> {
        let mut draw = stream(self.seed, Purpose::Noise, u64::from(block));
        let at = draw.below(self.blocks.len() as u64);
        self.blocks.get(usize::try_from(at).ok()?).copied()
    }

    /// The real cell with the same end whose load is the nearest, as a ratio.
    fn like(&self, scenario: &Scenario, completes: bool) -> Option<&RealCell> {
        let load = load(scenario.writer.touch_bytes_per_s(), scenario.live_bytes_per_s());
        self.cells
            .iter()
            .filter(|cell| cell.completes == completes)
            .min_by(|a, b| distance(a.load, load).total_cmp(&distance(b.load, load)))
    }
}

/// Never 0, so that an idle guest is like the calmest real one.
fn load(touch_bytes_per_s: f64, sent_bytes_per_s: f64) -> f64 {
    (touch_bytes_per_s / sent_bytes_per_s).max(1e-6)
}

fn distance(one: f64, other: f64) -> f64 {
    (one / other).ln().abs()
}
