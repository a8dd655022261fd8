//! The plan of a run: every trial, its cell, its roles and its seed, in their order.
//!
//! A plan follows from the experiment and the number of nodes alone, and must stay what it is:
//! a run that is taken up again next year is planned anew and has to come out the same.

mod chain;
pub(crate) mod draw;
mod estimate;
mod roles;
mod select;
mod show;

pub use estimate::migration_time;
pub use select::SelectError;
pub use show::render_plan;

use crate::experiment::{Cell, Experiment};
use chain::Chain;
use draw::{Purpose, shuffle, stream};
use roles::Roles;
use serde::Serialize;

/// All that a run will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The cells, in the order of the experiment.
    pub cells: Vec<Cell>,
    /// The trials, in the order in which they are run. After a selection they are fewer, but
    /// keep their numbers.
    pub trials: Vec<PlannedTrial>,
    /// The factors in which the cells differ.
    pub varying: Vec<&'static str>,
}

/// One trial to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedTrial {
    /// Its number in the whole plan, from 0.
    pub trial: u32,
    /// Its block, from 0.
    pub block: u32,
    /// Index of its cell in [`Plan::cells`].
    pub cell: usize,
    /// Index of the node where the guest starts.
    pub source: usize,
    /// Index of the node that it is migrated to.
    pub target: usize,
    /// Index of the node where the observer runs.
    pub witness: usize,
    /// Seed of the guest's pattern and content.
    pub guest_seed: u64,
}

impl Plan {
    /// Plans an experiment on a lab of `nodes` nodes (three or more). Where its number of blocks
    /// is open, all that there may be are planned.
    ///
    /// Each block holds every cell once, in an order drawn by ChaCha8 from the experiment's seed
    /// and the block's number.
    #[must_use]
    pub fn new(experiment: &Experiment, nodes: usize) -> Self {
        let cells = experiment.cells();
        let roles = Roles::new(experiment.seed, cells.len(), nodes);
        let mut trials = Vec::new();
        for block in 0..experiment.replicates.most() {
            let mut order: Vec<usize> = (0..cells.len()).collect();
            shuffle(&mut order, &mut stream(experiment.seed, Purpose::Order, u64::from(block)));
            let mut seeds = stream(experiment.seed, Purpose::Guest, u64::from(block));
            // A cell's seed does not depend on its place in the block.
            let seeds: Vec<u64> = cells.iter().map(|_| seeds.next()).collect();
            for cell in order {
                let [source, target, witness] = roles.of(cell, block);
                trials.push(PlannedTrial {
                    trial: u32::try_from(trials.len()).unwrap_or(u32::MAX),
                    block,
                    cell,
                    source,
                    target,
                    witness,
                    guest_seed: seeds[cell],
                });
            }
        }
        Self { cells, trials, varying: experiment.varying() }
    }

    /// Likewise, where all trials migrate the same guest: each begins on the node where the one
    /// before it ended, so that nothing is migrated but in trials.
    #[must_use]
    pub fn of_one_guest(experiment: &Experiment, nodes: usize) -> Self {
        let mut plan = Self::new(experiment, nodes);
        let chain = Chain::new(experiment.seed, nodes);
        for trial in &mut plan.trials {
            [trial.source, trial.target, trial.witness] = chain.of(trial.trial);
        }
        plan
    }

    /// The cell of a trial.
    #[must_use]
    pub fn cell_of(&self, trial: &PlannedTrial) -> &Cell {
        &self.cells[trial.cell]
    }
}

#[cfg(test)]
mod tests;
