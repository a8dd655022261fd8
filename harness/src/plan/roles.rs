//! Which node is source, target and witness in which trial.

use super::draw::{Purpose, shuffle, stream};

/// The rotation of roles over the nodes.
///
/// The ways to give three roles to `n` nodes fall into groups of `n`: the members of a group
/// come from one another by moving every role one node on. Within `n` blocks a cell goes once
/// through a group, so that each node has each role once; after every group it has had every
/// way once. In each block the cells are spread evenly over groups and members, in an order
/// drawn once, so that no factor is tied to a node.
pub(super) struct Roles {
    /// The nodes, in a random order.
    nodes: Vec<usize>,
    /// Distance from source to target and to witness, one pair a group.
    groups: Vec<[usize; 2]>,
    /// Where each cell begins.
    starts: Vec<usize>,
}

impl Roles {
    pub(super) fn new(seed: u64, cells: usize, nodes: usize) -> Self {
        let mut draw = stream(seed, Purpose::Roles, 0);
        let mut order: Vec<usize> = (0..nodes).collect();
        shuffle(&mut order, &mut draw);
        let mut groups: Vec<[usize; 2]> = (1..nodes)
            .flat_map(|target| (1..nodes).map(move |witness| [target, witness]))
            .filter(|[target, witness]| target != witness)
            .collect();
        shuffle(&mut groups, &mut draw);
        let mut starts: Vec<usize> = (0..cells).collect();
        shuffle(&mut starts, &mut draw);
        Self { nodes: order, groups, starts }
    }

    /// Source, target and witness of a cell's trial in a block.
    pub(super) fn of(&self, cell: usize, block: u32) -> [usize; 3] {
        let (count, block, start) = (self.nodes.len(), block as usize, self.starts[cell]);
        if self.groups.is_empty() {
            // Fewer than three nodes: the lab's own check refuses them; nothing to rotate.
            return [0, 1, 2];
        }
        let [target, witness] = self.groups[(block / count + start / count) % self.groups.len()];
        let source = (block + start) % count;
        [source, source + target, source + witness].map(|at| self.nodes[at % count])
    }
}
