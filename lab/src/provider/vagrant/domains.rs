//! The nodes' virtual machines, as libvirt knows them.

use super::{host::Host, names::Names, vagrantfile::networks};
use crate::{provider::netns, spec::LabSpec};
use anyhow::Result;
use camino::Utf8Path;

/// The pool that Vagrant puts its volumes in.
const POOL: &str = "default";

/// The names in one of `virsh`'s lists.
async fn names(host: &Host, arguments: &[&str]) -> Result<Vec<String>> {
    let text = host.virsh(arguments).await?;
    Ok(text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
}

/// All domains, running or not.
pub(super) async fn all(host: &Host) -> Result<Vec<String>> {
    names(host, &["list", "--all", "--name"]).await
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
    if all(host).await?.iter().any(|name| name == domain) {
        host.virsh(&["undefine", domain, "--managed-save", "--snapshots-metadata", "--nvram"])
            .await?;
    }
    let disk = format!("{domain}.img");
    if volumes(host).await?.contains(&disk) {
        host.virsh(&["vol-delete", "--pool", POOL, &disk]).await?;
    }
    Ok(())
}

/// Removes the volumes whose names begin so: all that were made of one box.
pub(super) async fn remove_volumes(host: &Host, beginning: &str) -> Result<()> {
    for volume in volumes(host).await?.iter().filter(|name| name.starts_with(beginning)) {
        host.virsh(&["vol-delete", "--pool", POOL, volume]).await?;
    }
    Ok(())
}

/// Removes what a killed `vagrant up` has begun, so that it is made again. Vagrant would take a
/// machine without network cards, or a base volume that was copied halfway, for a whole one, and
/// refuse to make a machine whose name is taken. Nodes that run and have all their cards stay.
/// `base` is what the names of base volumes begin with, where they may be removed.
pub(super) async fn remove_half_made(
    spec: &LabSpec,
    host: &Host,
    folder: &Utf8Path,
    base: Option<&str>,
) -> Result<()> {
    let lab = Names::of(spec);
    let running = running(host).await?;
    let cards = networks(spec).len() + 1;
    let mut stays = false;
    for node in &spec.nodes {
        let domain = lab.domain(node);
        let whole =
            running.contains(&domain) && names(host, &["domiflist", &domain]).await?.len() == cards;
        if !whole {
            remove(host, &domain).await?;
            netns::remove(&folder.join(".vagrant/machines").join(node))?;
        }
        stays |= whole;
    }
    match base {
        Some(base) if !stays => remove_volumes(host, base).await,
        _ => Ok(()),
    }
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
