//! What a link really carries: one TCP stream, timed by who receives it.

use super::{DEADLINE, Station, paths::PORT, paths::numbers};
use crate::lab_check::{
    Rates, Reading, Way,
    judge::{Carries, carries},
};
use anyhow::{Context, Result, bail};
use camino::Utf8Path;
use lab::{
    RunningLab,
    node::{Node, Spawn, Stream, Streams},
    units::BitRate,
};
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

/// How long a shaped link is flooded, milliseconds.
const SHAPED_MS: u64 = 250;
/// How long one is flooded that has no rate to be held to, milliseconds.
const UNLIMITED_MS: u64 = 100;
/// A flood takes no longer than this, or something is wrong: what lies in the sender's socket has
/// to go over the slowest link.
const FLOOD_DEADLINE: Duration = Duration::from_secs(60);
/// Times that a link is flooded whose rate is not what it should be: a machine that is busy for a
/// moment is no fault of the link.
const TRIES: u32 = 3;

/// One end of a link, with the observer's path there.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// The node.
    pub node: &'a Node,
    /// The observer's path there.
    pub observer: &'a Utf8Path,
}

/// What reaches `address` at `to`, bits of payload per second; of several tries the first that is
/// as `set`, or else the nearest.
///
/// # Errors
/// When the nodes cannot do it.
pub async fn carried(
    from: End<'_>,
    to: End<'_>,
    address: &str,
    set: Option<BitRate>,
) -> Result<f64> {
    let Some(set) = set else { return flood(from, to, address, UNLIMITED_MS).await };
    #[expect(clippy::cast_precision_loss, reason = "a link's bits per second are far below 2^53")]
    let off = |carried: f64| (carried / set.0 as f64 - 1.0).abs();
    let mut best = flood(from, to, address, SHAPED_MS).await?;
    for _ in 1..TRIES {
        if carries(set, best) == Carries::Enough {
            break;
        }
        let again = flood(from, to, address, SHAPED_MS).await?;
        if off(again) < off(best) {
            best = again;
        }
    }
    Ok(best)
}

async fn flood(from: End<'_>, to: End<'_>, address: &str, ms: u64) -> Result<f64> {
    let there = format!("{address}:{PORT}");
    let argv = vec![to.observer.to_string(), "sink".to_owned(), there.clone()];
    let streams = Streams { stdin: Stream::Null, ..Streams::piped() };
    let mut sink = to.node.spawn(Spawn { argv, cwd: None, streams }).await?;
    let mut lines = BufReader::new(sink.stdout.take().context("a sink without stdout")?).lines();
    let measuring = async {
        if lines.next_line().await?.as_deref() != Some("ready") {
            let words = sink.last_words().await;
            bail!("the sink on {} did not come up: {words}", to.node.name);
        }
        let flood = vec![from.observer.to_string(), "flood".to_owned(), there, ms.to_string()];
        from.node.run(&flood, DEADLINE).await?;
        let said = lines.next_line().await?.context("the sink said nothing")?;
        // The next one listens on the same port.
        let _whatever_its_exit = sink.wait().await;
        anyhow::Ok(said)
    };
    let said = timeout(FLOOD_DEADLINE, measuring)
        .await
        .with_context(|| format!("the flood of {address} did not end"))??;
    let [bytes, ns] = numbers(&said, "carried")?;
    Ok(bytes * 8.0 / (ns / 1e9))
}

/// Measures the rates that are asked for, one after the other.
pub async fn of_ways(lab: &RunningLab, stations: &[Station], ways: &mut [Way], rates: Rates) {
    let station = |name: &str| stations.iter().find(|station| station.node.name == *name);
    for (index, way) in ways.iter_mut().enumerate() {
        let networks = lab.spec.networks.all();
        let set =
            networks.filter(|(name, _)| *name == way.network).find_map(|(_, it)| it.link_rate);
        // Both directions of a pair are beside each other: every second way leaves each node once
        // and reaches each node once.
        let wanted = rates == Rates::All || (set.is_some() && index % 2 == 0);
        let (Some(from), Some(to)) = (station(&way.from), station(&way.to)) else { continue };
        if !wanted || !matches!(way.mtu, Reading::Measured(1..)) {
            continue;
        }
        let carried = carried(from.end(), to.end(), &way.address, set).await;
        way.carried_bits_per_s = Some(carried.into());
    }
}

impl Station {
    /// One end of a link.
    fn end(&self) -> End<'_> {
        End { node: &self.node, observer: &self.observer }
    }
}
