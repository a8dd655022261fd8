//! The image of a guest's disk: a file on the storage that the nodes share, fresh in every trial.

use super::Order;
use anyhow::{Context, Result, bail};
use camino::Utf8PathBuf;
use lab::{hypervisor::qemu::Disk, node::Node, units::Bytes};
use std::time::Duration;

/// What a small command may take on a storage that others use, too; a file system that tells its disk
/// what is free (`discard`) takes seconds to remove a file.
const COMMAND_DEADLINE: Duration = Duration::from_secs(60);

/// Makes an empty file anew ($1) of so many bytes ($2): an earlier one may be left where a command
/// was killed. No storage is taken up before something is written.
const MAKE: &str = r#"rm -f -- "$1" && truncate -s "$2" -- "$1""#;

/// Writes what is there already, past the page cache and, where that fails, with it; says which.
const PROBE: &str = r#"
write() { dd if=/dev/zero "of=$1" bs=4096 count=1 conv=notrunc "$2"; }
if write "$1" oflag=direct 2>/dev/null; then echo direct; else write "$1" oflag=sync; fi"#;

/// An image that a trial will make, has made, or has failed to make.
#[derive(Debug)]
pub struct DiskImage {
    /// Both ends of the migration, each with the image's path there.
    ends: [(Node, Utf8PathBuf); 2],
}

impl DiskImage {
    /// The image of this trial. Its name is the trial's own, so a trial that is run again finds
    /// what its forerunner may have left.
    ///
    /// # Errors
    /// When the lab has no storage that its nodes share.
    pub fn of(order: &Order, source: &Node, target: &Node) -> Result<Self> {
        let end = |node: &Node| {
            let storage = node.storage.as_ref().context(
                "the guest's disk needs a storage that all nodes share, and this lab has none",
            )?;
            let file = storage.join(format!("{}-{}.raw", order.run, order.trial));
            anyhow::Ok((node.clone(), file))
        };
        Ok(Self { ends: [end(source)?, end(target)?] })
    }

    /// Makes it; gives the disk as the source and as the target have it.
    ///
    /// # Errors
    /// When the storage does not take it, or keeps what one node writes in that node's memory.
    pub async fn make(&self, size: Bytes) -> Result<[Disk; 2]> {
        let [(node, file), _] = &self.ends;
        sh(node, MAKE, &[file.as_str(), &size.0.to_string()])
            .await
            .context("failed to make the guest's disk")?;
        let said = sh(node, PROBE, &[file.as_str()])
            .await
            .context("failed to write to the guest's disk")?;
        let direct = said.trim() == "direct";
        // Both ends have the same page cache only where they have the same kernel.
        if !direct && !self.ends.iter().all(|(node, _)| node.is_this_machine()) {
            bail!(
                "the storage on {} cannot be written past the page cache (O_DIRECT): the target would read what its own cache had before the move\n\nhint: use NFS, or a local file system such as ext4 or xfs",
                node.name
            );
        }
        Ok(self.ends.each_ref().map(|(_, file)| Disk { file: file.clone(), direct }))
    }

    /// Removes it, whether it was made or not. The target is asked where the source has gone.
    ///
    /// # Errors
    /// When it may still be there.
    pub async fn remove(&self) -> Result<()> {
        let [source, target] = &self.ends;
        let remove = async |(node, file): &(Node, Utf8PathBuf)| {
            sh(node, r#"rm -f -- "$1""#, &[file.as_str()]).await
        };
        let removed = match remove(source).await {
            Ok(_) => Ok(String::new()),
            Err(_) => remove(target).await,
        };
        removed.map(drop).context("failed to remove the guest's disk")
    }
}

/// Runs a script with arguments on a node.
async fn sh(node: &Node, script: &str, arguments: &[&str]) -> Result<String> {
    let argv: Vec<String> =
        [&["sh", "-c", script, "sh"], arguments].concat().into_iter().map(str::to_owned).collect();
    node.run(&argv, COMMAND_DEADLINE).await
}
