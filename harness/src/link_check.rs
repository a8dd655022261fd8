//! What the links that guests are migrated over really carry at each rate of an experiment, measured before its
//! first trial: a shaping that does not shape would make every number of the run wrong.

use crate::settings::MigrationNetwork;
use anyhow::{Context, Result, bail};
use camino::Utf8Path;
use lab::{
    node::{Node, Spawn, Stream, Streams},
    units::BitRate,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

/// How long a link is flooded, milliseconds.
const FLOOD_MS: u64 = 250;
/// Where the sink listens, in a namespace of the lab's own.
const PORT: u16 = 49_150;
/// A whole check takes no longer than this, or something is wrong.
const DEADLINE: Duration = Duration::from_secs(20);
/// A link that carries more than its rate by this share is not shaped.
const OVER: f64 = 1.10;
/// A link that carries less than its rate by this share is slower than the experiment says:
/// TCP and its headers take some 5 %.
const UNDER: f64 = 0.85;

/// What one link carried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkCheck {
    /// Where the flood came from.
    pub from: String,
    /// Where it went.
    pub to: String,
    /// Which network's link it was. Not written where it is the migration network's.
    #[serde(default, skip_serializing_if = "MigrationNetwork::is_dedicated")]
    pub network: MigrationNetwork,
    /// The rate the link was shaped to; none when it was not.
    pub set: Option<BitRate>,
    /// What it carried, bits per second of payload.
    pub carried_bits_per_s: f64,
}

impl LinkCheck {
    /// What a user must know of this link; `None` when it does what it should.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let set = self.set?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a link's bits per second are far below 2^53"
        )]
        let share = self.carried_bits_per_s / set.0 as f64;
        (share < UNDER).then(|| {
            format!(
                "the {} link set to {set} carried {:.0} Mbit/s: this machine cannot do more",
                self.network.link(),
                self.carried_bits_per_s / 1e6
            )
        })
    }
}

/// Shapes the link of this network that leaves `from` to `set` and measures what reaches `to`.
///
/// # Errors
/// When the nodes cannot do it, or the link carries more than it was shaped to.
pub async fn check(
    from: &Node,
    to: &Node,
    network: MigrationNetwork,
    set: Option<BitRate>,
    observer: &Utf8Path,
) -> Result<LinkCheck> {
    let link = network.link();
    from.shape(link, set).await?;
    let (flooder, receiver) = tokio::try_join!(from.deliver(observer), to.deliver(observer))?;
    let address = format!("{}:{PORT}", to.address(link));
    let sink = vec![receiver.to_string(), "sink".to_owned(), address.clone()];
    let streams = Streams { stdin: Stream::Null, ..Streams::piped() };
    let mut sink = to.spawn(Spawn { argv: sink, cwd: None, streams }).await?;
    let mut lines = BufReader::new(sink.stdout.take().context("a sink without stdout")?).lines();
    let measuring = async {
        if lines.next_line().await?.as_deref() != Some("ready") {
            bail!("the sink on {} did not come up", to.name);
        }
        let flood = vec![flooder.to_string(), "flood".to_owned(), address, FLOOD_MS.to_string()];
        from.run(&flood, DEADLINE).await?;
        lines.next_line().await?.context("the sink said nothing")
    };
    let said = timeout(DEADLINE, measuring).await.context("the check of a link did not end")??;
    let numbers: Vec<f64> =
        said.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    let &[bytes, ns] = &numbers[..] else { bail!("the sink said `{said}`") };
    let carried_bits_per_s = bytes * 8.0 / (ns / 1e9);
    if let Some(set) = set {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a link's bits per second are far below 2^53"
        )]
        let limit = set.0 as f64 * OVER;
        if carried_bits_per_s > limit {
            bail!(
                "the {link} link from {} was set to {set} and carried {:.0} Mbit/s: shaping does not work here",
                from.name,
                carried_bits_per_s / 1e6
            );
        }
    }
    Ok(LinkCheck { from: from.name.clone(), to: to.name.clone(), network, set, carried_bits_per_s })
}
