//! Measuring a lab, by commands and the observer on its nodes.
//!
//! What does not disturb each other goes on at the same time; round trips and rates come after it,
//! one at a time.

mod addresses;
mod machines;
mod paths;
pub mod rate;
mod stolen;
mod storage;

use super::{Asked, Clock, Measured, Offset, Reading};
use anyhow::{Result, anyhow};
use camino::Utf8PathBuf;
use lab::{RunningLab, node::Node};
use std::{
    future::Future,
    net::Ipv4Addr,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Nothing that a node is asked takes as long, even on an emulated one whose machine is busy with
/// others, or something is wrong.
pub const DEADLINE: Duration = Duration::from_secs(40);

/// A node that answers, with the observer on it.
#[derive(Clone, Debug)]
pub struct Station {
    node: Node,
    /// Its place in the lab file, from 0.
    index: usize,
    observer: Utf8PathBuf,
}

impl Station {
    /// Arguments that start the observer here.
    fn observer(&self, arguments: &[&str]) -> Vec<String> {
        let program = std::iter::once(self.observer.as_str());
        program.chain(arguments.iter().copied()).map(str::to_owned).collect()
    }

    /// Runs the observer to its end and gives what it printed; where it complains, its own words
    /// are the error.
    async fn observe(&self, arguments: &[&str]) -> Result<String> {
        let said = self.node.run(&self.observer(arguments), DEADLINE).await;
        said.map_err(|error| {
            let text = format!("{error:#}");
            match text.rsplit_once("observer: ") {
                Some((_, words)) => anyhow!("{}", words.to_owned()),
                None => error,
            }
        })
    }
}

/// Measures everything.
pub async fn measure(lab: &RunningLab, asked: &Asked<'_>) -> Measured {
    let (mut machines, stations) = machines::look(lab, asked).await;
    let before = stolen::ticks(&machines, &stations).await;
    let clocks_at = Instant::now();
    let first = clocks(&stations).await;
    let echoes = paths::echoes(lab, &stations).await;
    let (mut ways, storage, addresses) = tokio::join!(
        paths::ways(lab, &stations, &echoes),
        storage::look(&stations),
        addresses::look(lab, &stations)
    );
    paths::round_trips(&stations, &mut ways).await;
    drop(echoes);
    rate::of_ways(lab, &stations, &mut ways, asked.rates).await;
    let apart_s = clocks_at.elapsed().as_secs_f64();
    let last = clocks(&stations).await;
    let after = stolen::ticks(&machines, &stations).await;
    for (machine, (before, after)) in machines.iter_mut().zip(before.into_iter().zip(after)) {
        machine.stolen = before.zip(after).and_then(|(before, after)| before.stolen_until(after));
    }
    let clocks = first.into_iter().zip(last).map(|((node, first), (_, last))| Clock {
        node,
        first,
        last,
        apart_s,
    });
    Measured { machines, ways, storage, addresses, clocks: clocks.collect(), proxmox: None }
}

/// Offsets of the clocks that are not this machine's.
async fn clocks(stations: &[Station]) -> Vec<(String, Reading<Offset>)> {
    let others = stations.iter().filter(|station| !station.node.is_this_machine()).cloned();
    all(others.map(|station| async move {
        #[expect(clippy::cast_precision_loss, reason = "shown in milliseconds")]
        let offset = station.node.clock_offset().await.map(|clock| Offset {
            offset_ms: clock.offset_ns as f64 / 1e6,
            error_ms: clock.error_ns as f64 / 1e6,
        });
        (station.node.name, offset.into())
    }))
    .await
}

/// Runs jobs side by side; what they give comes in their order. They end with this.
async fn all<T, F>(jobs: impl Iterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut set = JoinSet::new();
    for (index, job) in jobs.enumerate() {
        set.spawn(async move { (index, job.await) });
    }
    let mut done = set.join_all().await;
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, given)| given).collect()
}

/// A station's address in the network of this name; `None` where it has none.
fn address(station: &Station, network: &str) -> Option<Ipv4Addr> {
    match network {
        "guest" => Some(station.node.guest_address),
        "migration" => Some(station.node.migration_address),
        _ => station.node.storage_address,
    }
}
