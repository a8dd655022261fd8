//! An order for a trial, as a run gives it.

use harness::{experiment::Experiment, plan::Plan, trial::Order};

/// The order of a plan's trial with this index. The run is called as the experiment.
pub fn order(experiment: &Experiment, plan: &Plan, index: usize) -> Order {
    let planned = &plan.trials[index];
    let cell = plan.cell_of(planned);
    Order {
        run: experiment.name.clone(),
        trial: planned.trial,
        block: planned.block,
        cell: cell.id.clone(),
        settings: cell.settings.clone(),
        policy: experiment.policy.to_string(),
        source: planned.source,
        target: planned.target,
        witness: planned.witness,
        guest_seed: planned.guest_seed,
        heartbeat_interval: experiment.heartbeat_interval.duration(),
        gate: experiment.gate,
        max_time: experiment.max_time.duration(),
    }
}
