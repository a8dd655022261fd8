//! The nodes of a trial: whether they answer, how busy they are, what their clocks say.

use super::{Live, Lost, Order, back::back, clocks::Reading};
use anyhow::{Context, Result};
use lab::{
    RunningLab, facts,
    node::{ClockOffset, Node},
};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Source, target and witness.
pub fn of<'a>(lab: &'a RunningLab, order: &Order) -> Result<[&'a Node; 3]> {
    let node =
        |index: usize| lab.nodes.get(index).context("a role on a node that the lab does not have");
    Ok([node(order.source)?, node(order.target)?, node(order.witness)?])
}

/// Makes sure that all nodes of a trial answer, and waits for those that do not, all in all as long
/// as `patience`. Gives the load of this machine, or the highest of theirs where they are others.
///
/// # Errors
/// When a node does not come back in time.
pub async fn ready(
    lab: &RunningLab,
    order: &Order,
    patience: Duration,
    live: &mut (dyn FnMut(Live<'_>) + Send),
) -> Result<f64, Lost> {
    let begun = Instant::now();
    let mut highest: Option<f64> = None;
    let others = |node: &&Node| !node.is_this_machine() && node.has_shell();
    for node in of(lab, order).into_iter().flatten().filter(others) {
        let load = match facts::load(node).await {
            Ok(load) => load,
            Err(_) => {
                let left = patience.saturating_sub(begun.elapsed());
                live(Live::Waiting { node: &node.name, at_most: left });
                back(lab, node, left).await.map_err(|error| Lost::Node {
                    node: node.name.clone(),
                    waited: begun.elapsed(),
                    reason: format!("{error:#}"),
                    trial: order.trial,
                })?
            }
        };
        highest = Some(highest.map_or(load, |highest| highest.max(load)));
    }
    Ok(highest.unwrap_or_else(load_here))
}

/// This machine's one-minute load average; 0 where there is none to read.
fn load_here() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

/// Reads the clocks of source, target and witness.
///
/// # Errors
/// When one of them does not answer.
pub async fn clocks(lab: &RunningLab, order: &Order) -> Result<[Reading; 3]> {
    let [source, target, witness] = of(lab, order)?;
    let readings = tokio::try_join!(clock(source), clock(target), clock(witness))?;
    Ok(readings.into())
}

async fn clock(node: &Node) -> Result<Reading> {
    // Nothing is timed by the clock of a node on which nothing can be run.
    let offset = match node.has_shell() {
        true => node.clock_offset().await?,
        false => ClockOffset::NONE,
    };
    let at_ns = i128::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?;
    Ok(Reading { at_ns, offset })
}
