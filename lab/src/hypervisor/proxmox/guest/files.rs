//! Files that must be the same on every node: a kernel in a VM's `args`. QEMU boots what is there
//! on the source, and a migration takes whatever else lies on the target in silence.

use crate::node::Node;
use anyhow::{Context, Result, bail};
use camino::Utf8Path;
use std::time::Duration;

/// A kernel is read in a moment, from a storage that is slow too.
const DEADLINE: Duration = Duration::from_secs(60);

/// SHA-256 of a file, which must be the same on all nodes.
///
/// # Errors
/// Where it is missing or differs, which nodes have what.
pub async fn same_on_all(nodes: &[Node], file: &Utf8Path) -> Result<String> {
    let mut hashes: Vec<(&str, String)> = Vec::new();
    for node in nodes {
        hashes.push((&node.name, hash(node, file).await?));
    }
    let (_, first) = hashes.first().context("no node to look at")?;
    if hashes.iter().any(|(_, hash)| hash != first) {
        let each: Vec<String> = hashes.iter().map(|(n, h)| format!("{n} has {h:.12}…")).collect();
        bail!(
            "{file} is not the same on every node: {}\n\nhint: put it on a storage that all nodes \
             share, or copy it to each",
            each.join(", ")
        );
    }
    Ok(first.clone())
}

async fn hash(node: &Node, file: &Utf8Path) -> Result<String> {
    let argv = ["sha256sum", "--", file.as_str()].map(str::to_owned);
    let said = node.run(&argv, DEADLINE).await?;
    // A backslash before the hash says that the name behind it is escaped.
    let hash = said.split_whitespace().next().unwrap_or_default().trim_start_matches('\\');
    if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        bail!("`sha256sum` on {} says {said:?}", node.name);
    }
    Ok(hash.to_owned())
}
