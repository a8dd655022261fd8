//! The guest's CD on the cluster's storage, for those who may not give a guest its kernel.

use crate::{
    exit::{Exit, Failure, Result},
    show,
};
use anyhow::{Context, anyhow, bail};
use camino::Utf8Path;
use harness::lab_check::{self, Needs, Severity, What};
use lab::{boot_cd, hypervisor::proxmox::Client, spec::LabSpec};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// What Proxmox puts on a storage once it has it: a copy of a few MiB, over the network at worst.
const DEADLINE: Duration = Duration::from_secs(120);
/// From one look at that to the next.
const PAUSE: Duration = Duration::from_millis(500);

/// What must be as it should before anything is uploaded: a token cannot ask for anything else.
const REQUIRED: [What; 5] = [
    What::Api,
    What::Privileges,
    What::MigrationOptions,
    What::StorageContent,
    What::StorageActive,
];

/// Looks whether this user may do all that trials need, and the cluster has what they need of it;
/// changes nothing.
///
/// # Errors
/// All that is missing, each with what helps.
pub async fn check(spec: &LabSpec, client: &Client) -> Result {
    let found = lab_check::check_cluster(spec, client, &Needs::default(), None).await;
    let failed = found.of(Severity::Fail).filter(|finding| REQUIRED.contains(&finding.what));
    let text: Vec<String> = failed
        .map(|finding| match &finding.remedy {
            Some(remedy) => format!("{}\n\nhint: {remedy}", finding.words()),
            None => finding.words(),
        })
        .collect();
    if text.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Lab, anyhow!(text.join("\n\n"))))
}

/// Brings the guest's CD to the lab's storage, unless it is there; gives its volume. It is left
/// there: the next run needs it too.
///
/// # Errors
/// When Proxmox does not take it.
pub async fn bring(spec: &LabSpec, client: &Client, guest: &Utf8Path) -> anyhow::Result<String> {
    let storage = spec.proxmox().context("the lab's hypervisor is not Proxmox VE")?.storage;
    let node = spec.nodes.first().context("a lab without nodes")?;
    let image = std::fs::read(guest).with_context(|| format!("failed to read {guest}"))?;
    let cd = boot_cd::image(&image)?;
    // Of the CD, and with it of the guest: how one is made of the other may change too.
    let hash: String = Sha256::digest(&cd).iter().take(8).map(|b| format!("{b:02x}")).collect();
    let name = format!("precopy-lab-guest-{hash}.iso");
    let volume = format!("{storage}:iso/{name}");
    let size = u64::try_from(cd.len()).ok();
    let is_there = async || {
        let all = client.content(node, &storage, "iso").await?;
        anyhow::Ok(all.iter().any(|it| it.volid == volume && it.size == size))
    };
    if is_there().await? {
        return Ok(volume);
    }
    show::tell(&format!("uploading the guest's CD: {volume}"));
    let upid = client.upload(node, &storage, "iso", &name, cd).await?;
    let ended = client.follow(&upid, PAUSE, DEADLINE, |_| ()).await?;
    if !ended.exit.is_good() {
        let log: Vec<&str> = ended.log.iter().map(|line| line.t.as_str()).collect();
        bail!("the upload of {volume} failed: {}\n{}", ended.exit, log.join("\n"));
    }
    if !is_there().await? {
        bail!(
            "{volume} was uploaded, and {node} does not list it in full\n\nhint: is {storage} the \
             same storage on every node? `pvesm list {storage} --content iso` on each tells"
        );
    }
    Ok(volume)
}
