//! What the links that guests are migrated over really carry at each rate of an experiment,
//! measured before its first trial: a shaping that does not shape would make every number of the
//! run wrong.

use crate::{
    lab_check::{
        judge::{Carries, carries},
        rate::{self, End},
    },
    settings::MigrationNetwork,
};
use anyhow::{Result, bail};
use camino::Utf8Path;
use lab::{node::Node, units::BitRate};
use serde::{Deserialize, Serialize};

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
    let (here, there) = (from.deliver(observer).await?, to.deliver(observer).await?);
    let carried_bits_per_s = rate::carried(
        End { node: from, observer: &here },
        End { node: to, observer: &there },
        &to.address(link).to_string(),
        set,
    )
    .await?;
    if let Some(set) = set
        && carries(set, carried_bits_per_s) == Carries::More
    {
        bail!(
            "the {link} link from {} was set to {set} and carried {:.0} Mbit/s: shaping does not work here",
            from.name,
            carried_bits_per_s / 1e6
        );
    }
    Ok(LinkCheck { from: from.name.clone(), to: to.name.clone(), network, set, carried_bits_per_s })
}
