//! The nodes' virtual machines, as libvirt knows them.

use super::{host::Host, names::Names};
use crate::spec::LabSpec;
use anyhow::Result;
use camino::Utf8Path;

/// The pool that Vagrant puts its volumes in.
const POOL: &str = "default";

/// The names in one of `virsh`'s lists.
async fn names(host: &Host, arguments: &[&str]) -> Result<Vec<String>> {
    let text = host.virsh(arguments).await?;
    Ok(text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
}

/// Domains that run.
pub(super) async fn running(host: &Host) -> Result<Vec<String>> {
    names(host, &["list", "--name"]).await
}

/// Volumes of the pool.
pub(super) async fn volumes(host: &Host) -> Result<Vec<String>> {
    let lines = names(host, &["vol-list", POOL]).await?;
    Ok(lines.iter().filter_map(|l| l.split_whitespace().next()).map(str::to_owned).collect())
}

/// Ends and removes a domain and its disk, as far as they are there.
pub(super) async fn remove(host: &Host, domain: &str) -> Result<()> {
    if running(host).await?.iter().any(|name| name == domain) {
        host.virsh(&["destroy", domain]).await?;
    }
    if names(host, &["list", "--all", "--name"]).await?.iter().any(|name| name == domain) {
        host.virsh(&["undefine", domain, "--managed-save", "--snapshots-metadata", "--nvram"])
            .await?;
    }
    remove_volume(host, &format!("{domain}.img")).await
}

/// Removes a volume, if it is there.
pub(super) async fn remove_volume(host: &Host, volume: &str) -> Result<()> {
    if volumes(host).await?.iter().any(|name| name == volume) {
        host.virsh(&["vol-delete", "--pool", POOL, volume]).await?;
    }
    Ok(())
}

/// Removes what a killed `vagrant up` has begun and Vagrant does not know of: it refuses to make
/// a machine whose name is taken, and takes a half-written base volume for a whole one.
pub(super) async fn remove_half_made(
    spec: &LabSpec,
    host: &Host,
    folder: &Utf8Path,
    base: &str,
) -> Result<()> {
    let names = Names::of(spec);
    let mut known = false;
    for node in &spec.nodes {
        let id = folder.join(".vagrant/machines").join(node).join("libvirt/id");
        let is_known = std::fs::read_to_string(&id).is_ok_and(|id| !id.trim().is_empty());
        if !is_known {
            remove(host, &names.domain(node)).await?;
        }
        known |= is_known;
    }
    // Written to its end before the first machine is made of it.
    if !known { remove_volume(host, base).await } else { Ok(()) }
}

/// All domains, each with its state in libvirt's words.
pub(super) async fn states(host: &Host) -> Result<Vec<(String, String)>> {
    // Lines such as ` 3    precopy-lab-node1   running`.
    let state = |line: &String| {
        let mut words = line.split_whitespace().skip(1);
        let name = words.next()?.to_owned();
        Some((name, words.collect::<Vec<_>>().join(" ")))
    };
    Ok(names(host, &["list", "--all"]).await?.iter().filter_map(state).collect())
}
