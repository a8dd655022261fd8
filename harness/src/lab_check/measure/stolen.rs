//! Time that a machine's processors did not get from their host.

use super::{DEADLINE, Station, all};
use crate::{lab_check::Machine, ticks::Ticks};

/// Of each machine, which is asked on the first of its nodes.
pub(super) async fn ticks(machines: &[Machine], stations: &[Station]) -> Vec<Option<Ticks>> {
    all(machines.iter().map(|machine| {
        let first = stations.iter().find(|it| machine.nodes.first() == Some(&it.node.name));
        let node = first.map(|station| station.node.clone());
        async move {
            let argv = ["head", "-n", "1", "/proc/stat"].map(str::to_owned);
            Ticks::parse(&node?.run(&argv, DEADLINE).await.ok()?)
        }
    }))
    .await
}
