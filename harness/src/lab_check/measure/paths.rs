//! Ways between nodes: the largest packet, and round trips.

use super::{DEADLINE, Station, address, all};
use crate::lab_check::{Reading, RoundTrip, Way};
use anyhow::{Context, Result, bail};
use lab::{
    RunningLab,
    node::{Process, Spawn, Streams},
};
use std::collections::BTreeMap;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    time::timeout,
};

/// Where the observer answers, on a node's addresses in the lab's networks. Also the port of the
/// sink of a flood, by TCP.
pub const PORT: u16 = 49_150;
/// Round trips that are timed.
const PINGS: &str = "20";

/// The observers that answer, by the nodes' names; each ends when it is dropped.
pub type Echoes = BTreeMap<String, Result<Process>>;

/// Starts an answering observer on every node.
pub async fn echoes(lab: &RunningLab, stations: &[Station]) -> Echoes {
    let jobs = stations.iter().cloned().map(|station| {
        let networks = lab.spec.networks.all();
        let addresses: Vec<String> = networks
            .filter_map(|(name, _)| Some(format!("{}:{PORT}", address(&station, name)?)))
            .collect();
        async move {
            let echo = echo(&station, &addresses).await;
            (station.node.name, echo)
        }
    });
    all(jobs).await.into_iter().collect()
}

async fn echo(station: &Station, addresses: &[String]) -> Result<Process> {
    let mut arguments = vec!["echo"];
    arguments.extend(addresses.iter().map(String::as_str));
    let argv = station.observer(&arguments);
    let mut echo = station.node.spawn(Spawn { argv, cwd: None, streams: Streams::piped() }).await?;
    let mut lines =
        BufReader::new(echo.stdout.take().context("an observer without stdout")?).lines();
    let first = timeout(DEADLINE, lines.next_line())
        .await
        .with_context(|| format!("the observer on {} is silent", station.node.name))??;
    if first.as_deref() != Some("ready") {
        let mut words = String::new();
        if let Some(mut stderr) = echo.stderr.take() {
            timeout(DEADLINE, stderr.read_to_string(&mut words)).await.ok();
        }
        bail!("{}", words.trim().trim_start_matches("observer: "));
    }
    Ok(echo)
}

/// Every way of the ring of nodes, both directions, in every network: with three nodes these are
/// all ways there are. Each with the largest packet that it carries.
pub async fn ways(lab: &RunningLab, stations: &[Station], echoes: &Echoes) -> Vec<Way> {
    let mut jobs = Vec::new();
    for (name, network) in lab.spec.networks.all() {
        for (from, to) in ring(stations) {
            let Some(address) = address(to, name) else { continue };
            let echo = match echoes.get(&to.node.name) {
                Some(Err(error)) => Some(format!("{error:#}")),
                _ => None,
            };
            let device = match name {
                "guest" => Some(from.node.guest_device.clone()),
                "migration" => Some(from.node.migration_device.clone()),
                _ => None,
            };
            let way = Way {
                network: name.to_owned(),
                from: from.node.name.clone(),
                device,
                to: to.node.name.clone(),
                address: address.to_string(),
                mtu: Reading::Failed(String::new()),
                round_trip: None,
                carried_bits_per_s: None,
            };
            let (from, expected) = (from.clone(), network.mtu.to_string());
            jobs.push(async move {
                let mtu = match echo {
                    Some(why) => Reading::Failed(why),
                    None => {
                        let there = format!("{}:{PORT}", way.address);
                        let said = from.observe(&["mtu", &there, &expected]).await;
                        said.and_then(|said| Ok(numbers::<1>(&said, "mtu")?[0] as u32)).into()
                    }
                };
                Way { mtu, ..way }
            });
        }
    }
    all(jobs.into_iter()).await
}

/// Neighbours in the ring, both directions: `a→b`, `b→a`, `b→c`, …
fn ring(stations: &[Station]) -> impl Iterator<Item = (&Station, &Station)> {
    // Two are neighbours on one side only.
    let pairs = if stations.len() > 2 { stations.len() } else { stations.len().saturating_sub(1) };
    stations
        .iter()
        .zip(stations.iter().cycle().skip(1))
        .take(pairs)
        .flat_map(|(a, b)| [(a, b), (b, a)])
}

/// Adds round trips to the ways that have one direction's packets: one of both directions.
pub async fn round_trips(stations: &[Station], ways: &mut [Way]) {
    // Both directions of a pair are beside each other.
    for way in ways.iter_mut().step_by(2) {
        let Some(from) = stations.iter().find(|station| station.node.name == way.from) else {
            continue;
        };
        if matches!(way.mtu, Reading::Measured(1..)) {
            let there = format!("{}:{PORT}", way.address);
            let said = from.observe(&["ping", &there, PINGS]).await;
            way.round_trip = Some(said.and_then(|said| times(&said)).into());
        }
    }
}

fn times(said: &str) -> Result<RoundTrip> {
    let [sent, answered, min_ns, median_ns, max_ns] = numbers::<5>(said, "rtt")?;
    Ok(RoundTrip {
        sent: sent as u32,
        answered: answered as u32,
        min_ms: min_ns / 1e6,
        median_ms: median_ns / 1e6,
        max_ms: max_ns / 1e6,
    })
}

/// The numbers behind a word that the observer printed.
pub fn numbers<const N: usize>(said: &str, word: &str) -> Result<[f64; N]> {
    let parsed = || {
        let mut words = said.split_whitespace();
        if words.next() != Some(word) {
            return None;
        }
        let numbers: Vec<f64> = words.map_while(|word| word.parse().ok()).collect();
        <[f64; N]>::try_from(numbers).ok()
    };
    parsed().with_context(|| format!("the observer said `{}`", said.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_observer_says_is_understood() {
        assert_eq!(numbers::<1>("mtu 1500\n", "mtu").unwrap(), [1500.0]);
        assert!(numbers::<1>("mtu", "mtu").is_err() && numbers::<1>("rtt 1", "mtu").is_err());
        let times = times("rtt 20 19 41000 52500 1000000\n").unwrap();
        assert_eq!((times.sent, times.answered), (20, 19));
        assert_eq!([times.min_ms, times.median_ms, times.max_ms], [0.041, 0.0525, 1.0]);
    }
}
