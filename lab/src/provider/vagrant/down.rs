//! Takes a lab of machines down: what its journal names, and nothing else.

use super::{domains, host::Host, networks};
use crate::{
    journal::{self, Resource},
    provider::netns,
};
use anyhow::{Context, Result, bail};
use camino::Utf8Path;

/// Removes everything that the lab in this folder made, then the folder. Gives whether there was
/// such a lab.
///
/// # Errors
/// When something cannot be removed; the journal stays, for another try.
pub async fn down(folder: &Utf8Path, tell: &mut (dyn FnMut(&str) + Send)) -> Result<bool> {
    if !folder.exists() {
        return Ok(false);
    }
    let resources = journal::read(folder)?;
    let in_libvirt = |resource: &&Resource| {
        matches!(resource, Resource::Domain(_) | Resource::Network(_) | Resource::Volume(_))
    };
    let private = resources.iter().any(|r| matches!(r, Resource::Supervisor { .. }));
    if private {
        // With its process go machines and networks; their definitions and disks are in the folder.
        tell("ending the lab's own libvirt");
        netns::end_supervisor(folder)?;
    } else if resources.iter().any(|resource| in_libvirt(&resource)) {
        let Some(host) = Host::find(folder).await else {
            bail!(
                "the libvirt that runs the lab in {folder} does not answer\n\nhint: start libvirt and try again"
            );
        };
        for resource in resources.iter().rev() {
            match resource {
                Resource::Domain(domain) => {
                    tell(&format!("removing {domain}"));
                    domains::remove(&host, domain).await?;
                }
                Resource::Network(network) => networks::remove(&host, network).await?,
                Resource::Volume(volume) if !others_use(folder, volume)? => {
                    domains::remove_volumes(&host, volume).await?;
                }
                _ => {}
            }
        }
    }
    netns::remove(folder)?;
    Ok(true)
}

/// Whether another lab beside this one has its nodes made of the same volume.
pub(super) fn others_use(folder: &Utf8Path, volume: &str) -> Result<bool> {
    let Some(labs) = folder.parent() else { return Ok(false) };
    for entry in labs.read_dir_utf8().with_context(|| format!("failed to read {labs}"))? {
        let other = entry?;
        let wanted = Resource::Volume(volume.to_owned());
        if other.path() != folder && journal::read(other.path())?.contains(&wanted) {
            return Ok(true);
        }
    }
    Ok(false)
}
