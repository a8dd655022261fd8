//! What steps leave on nodes for others: for this program, and for the other nodes.

use super::{
    failure::{Failure, Part, What},
    log::Log,
    session::Session,
    shell::Shell,
    types::Collect,
};
use crate::node::Exit;
use anyhow::{Context, Result, anyhow};
use camino::{Utf8Path, Utf8PathBuf};
use std::{
    fs::{self, DirBuilder, File},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
};

/// Longest file that is collected, in bytes.
const LONGEST: usize = 1 << 20;

/// Writes what it reads to the file `$1`, which nobody but root can read and which is never there
/// in part.
const RECEIVE: &str =
    r#"exec 2>&1; umask 077; mkdir -p "${1%/*}"; cat >"$1.new"; mv "$1.new" "$1""#;

/// Where the file of a node is kept that a step collects: only this user can read it.
#[must_use]
pub fn collected(folder: &Utf8Path, node: &str, path: &Utf8Path) -> Utf8PathBuf {
    folder.join("collected").join(node).join(path.file_name().unwrap_or_default())
}

impl<S: Shell> Session<'_, S> {
    /// Gets what the step, which is done, leaves for others.
    pub(super) async fn collect(&mut self, folder: &Utf8Path) -> Result<(), Box<Failure>> {
        let step = self.step;
        for Collect { path, .. } in &step.collect {
            let mut content = Vec::new();
            let argv = ["cat", "--", path.as_str()].map(str::to_owned).to_vec();
            let mut said = |_: &mut Log, bytes: &[u8]| content.extend_from_slice(bytes);
            let exit = self.call(Part::Collect, argv, Vec::new(), &mut said).await?;
            if exit != Exit::Code(0) {
                let failure = self.failure(Part::Collect, What::Exit(exit));
                return Err(failure.of_command(format!("read {path}")));
            }
            let kept = collected(folder, self.shell.name(), path);
            keep(&kept, &content)
                .map_err(|error| self.failure(Part::Collect, What::Error(error)))?;
        }
        Ok(())
    }

    /// Gives this node what the step, of which this is the session, has left on the node `from`.
    pub(super) async fn receive(
        &mut self,
        folder: &Utf8Path,
        from: &str,
    ) -> Result<(), Box<Failure>> {
        let step = self.step;
        for Collect { path, share } in &step.collect {
            let Some(share) = share else { continue };
            let kept = collected(folder, from, path);
            let content = fs::read(&kept).with_context(|| format!("failed to read {kept}"));
            let content =
                content.map_err(|error| self.failure(Part::Collect, What::Error(error)))?;
            let mut argv = ["sh", "-eu", "-c", RECEIVE, "sh"].map(str::to_owned).to_vec();
            argv.push(share.to_string());
            let exit = self.call(Part::Collect, argv, content, &mut Log::said).await?;
            if exit != Exit::Code(0) {
                let failure = self.failure(Part::Collect, What::Exit(exit));
                return Err(failure.of_command(format!("write {share}, which comes from {from}")));
            }
        }
        Ok(())
    }
}

fn keep(path: &Utf8Path, content: &[u8]) -> Result<()> {
    if content.is_empty() || content.len() > LONGEST {
        return Err(anyhow!("the collected file {path} has {} bytes", content.len()));
    }
    write_private(path, content)
}

/// Writes a file that only this user can read, whole or not at all.
pub(super) fn write_private(path: &Utf8Path, content: &[u8]) -> Result<()> {
    let write = || {
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let new = Utf8PathBuf::from(format!("{path}.new"));
        let mut file =
            File::options().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().with_context(|| format!("failed to write {path}"))
}
