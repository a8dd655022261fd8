//! A node that was gone and answers again: it may have booted anew, and answers before all of it
//! is there.

use anyhow::{Context, Result, bail};
use lab::{RunningLab, facts, node::Node, wait};
use std::time::{Duration, Instant};

/// From one look to the next.
const PAUSE: Duration = Duration::from_secs(2);
/// What a look may take.
const LOOK_DEADLINE: Duration = Duration::from_secs(30);
/// Whoever sets a node up may take at least this long after it answers, however little is left.
const SETTLING: Duration = Duration::from_secs(60);

/// Waits until a node can be reached again and is what it was: with its addresses, and with the
/// storage that all nodes share. Gives its load.
///
/// # Errors
/// When that does not come about in time.
pub async fn back(lab: &RunningLab, node: &Node, at_most: Duration) -> Result<f64> {
    let begun = Instant::now();
    node.reconnect(at_most).await?;
    let until = begun.elapsed().saturating_add(SETTLING).max(at_most);
    let left = || until.saturating_sub(begun.elapsed());
    let addresses =
        [node.guest_address, node.migration_address].map(|address| format!(" {address}/"));
    wait::until(PAUSE, left(), || has(node, &addresses)).await?;
    if let Some(other) = lab.nodes.iter().find(|other| other.name != node.name) {
        wait::until(PAUSE, left(), || shares(node, other)).await?;
    }
    facts::load(node).await
}

/// Whether the node has these addresses.
async fn has(node: &Node, addresses: &[String]) -> Result<()> {
    let argv = ["ip", "-4", "-oneline", "address", "show"].map(str::to_owned);
    let said = node.run(&argv, LOOK_DEADLINE).await?;
    match addresses.iter().find(|address| !said.contains(address.as_str())) {
        Some(address) => bail!("it has no address{}", address.trim_end_matches('/')),
        None => Ok(()),
    }
}

/// Whether the node sees what another one writes to their storage. Where nothing is mounted yet
/// there is a folder of the same name, into which nobody else looks.
async fn shares(node: &Node, other: &Node) -> Result<()> {
    let (Some(here), Some(there)) = (&node.storage, &other.storage) else { return Ok(()) };
    let name = format!(".precopy-lab.back.{}", node.name);
    let sh = |script: &str, path: &camino::Utf8Path| {
        ["sh", "-c", script, "sh", path.as_str()].map(str::to_owned)
    };
    let mark = there.join(&name);
    other
        .run(&sh(r#": >"$1""#, &mark), LOOK_DEADLINE)
        .await
        .context("failed to mark the storage")?;
    let seen = node.run(&sh(r#"test -e "$1""#, &here.join(&name)), LOOK_DEADLINE).await;
    other.run(&sh(r#"rm -f -- "$1""#, &mark), LOOK_DEADLINE).await?;
    seen.map(drop)
        .with_context(|| format!("{} does not see what {} writes to {here}", node.name, other.name))
}
