//! Where a VM that somebody has was before a run migrated it: it is put back there.

use super::{
    Error, RunFolder, RunWriter,
    files::{io, sync_directory},
};
use serde::{Deserialize, Serialize};
use std::{fs, io::ErrorKind};

/// What its file is called.
const FILE: &str = "home.json";

/// A VM and its node. Written before the first migration, so that however a run ends, the next one
/// that goes on with it knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Home {
    /// The VM's id.
    pub vmid: u32,
    /// Its name.
    pub name: String,
    /// The node.
    pub node: String,
}

impl RunFolder {
    /// What was written there; `None` where the run migrates guests of its own, or had not begun.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn home(&self) -> Result<Option<Home>, Error> {
        let path = self.path.join(FILE);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(io("read", &path))?,
        };
        serde_json::from_slice(&text).map(Some).map_err(|cause| Error::Json { path, cause })
    }
}

impl RunWriter {
    /// Writes it; on disk when this returns.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_home(&self, home: &Home) -> Result<(), Error> {
        self.folder().write_json(&self.folder().path.join(FILE), home)?;
        sync_directory(&self.folder().path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use camino::Utf8Path;

    #[test]
    fn a_home_is_there_once_it_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let base = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let writer = RunFolder::create(base, "x", jiff::Timestamp::UNIX_EPOCH).expect("made");
        assert_eq!(writer.folder().home().expect("read"), None);
        let home = Home { vmid: 105, name: "web1".to_owned(), node: "pve1".to_owned() };
        writer.write_home(&home).expect("written");
        assert_eq!(writer.folder().home().expect("read"), Some(home));
    }
}
