//! Roles where every trial migrates the same guest: each begins where the one before it ended.

use super::draw::{Purpose, shuffle, stream};

/// A way along which every node is left for every other one equally often.
pub(super) struct Chain {
    /// The nodes in the order in which they are visited; the last one is the first again.
    visits: Vec<usize>,
    nodes: usize,
}

impl Chain {
    /// Over `nodes` nodes, their order drawn once from the experiment's seed.
    pub(super) fn new(seed: u64, nodes: usize) -> Self {
        let mut order: Vec<usize> = (0..nodes).collect();
        shuffle(&mut order, &mut stream(seed, Purpose::Roles, 0));
        Self { visits: circuit(nodes).into_iter().map(|at| order[at]).collect(), nodes }
    }

    /// Source, target and witness of a trial, by its number. Witnesses take turns.
    pub(super) fn of(&self, trial: u32) -> [usize; 3] {
        let steps = self.visits.len().saturating_sub(1);
        if steps == 0 || self.nodes < 3 {
            // The lab's own check refuses fewer than three nodes; nothing to rotate.
            return [0, 1, 2];
        }
        let (trial, around) = (trial as usize, trial as usize / steps);
        let (source, target) = (self.visits[trial % steps], self.visits[trial % steps + 1]);
        let others: Vec<usize> =
            (0..self.nodes).filter(|node| *node != source && *node != target).collect();
        [source, target, others[(trial + around) % others.len()]]
    }
}

/// A closed walk that goes each way between two of `nodes` nodes once (Hierholzer): there is one, for
/// every node is left as often as it is come to.
fn circuit(nodes: usize) -> Vec<usize> {
    let mut left: Vec<Vec<usize>> =
        (0..nodes).map(|from| (0..nodes).rev().filter(|to| *to != from).collect()).collect();
    let (mut walk, mut circuit) = (vec![0], Vec::new());
    while let Some(&at) = walk.last() {
        match left.get_mut(at).and_then(Vec::pop) {
            Some(next) => walk.push(next),
            None => circuit.extend(walk.pop()),
        }
    }
    circuit.reverse();
    circuit
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn each_trial_begins_where_the_last_one_ended(seed in any::<u64>(), nodes in 3_usize..8, trials in 1_u32..200) {
            let chain = Chain::new(seed, nodes);
            for trial in 0..trials {
                let [source, target, witness] = chain.of(trial);
                prop_assert_eq!(BTreeSet::from([source, target, witness]).len(), 3);
                prop_assert!(source.max(target).max(witness) < nodes);
                prop_assert_eq!(chain.of(trial + 1)[0], target);
            }
        }

        #[test]
        fn each_way_is_gone_equally_often(seed in any::<u64>(), nodes in 3_usize..8) {
            let chain = Chain::new(seed, nodes);
            let around = u32::try_from(nodes * (nodes - 1)).expect("few");
            let ways: BTreeSet<[usize; 2]> =
                (0..around).map(|trial| { let [a, b, _] = chain.of(trial); [a, b] }).collect();
            prop_assert_eq!(ways.len(), nodes * (nodes - 1));
        }
    }
}
