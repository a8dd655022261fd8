//! Which folders are runs.

use super::files::io;
use super::{Error, FaultKind, Faults, NotARun, RunFolder};
use camino::{Utf8Path, Utf8PathBuf};
use std::io::ErrorKind;

impl RunFolder {
    /// An existing run folder: one with a manifest or with records, be they whole or not.
    ///
    /// # Errors
    /// When it has neither, with what is there instead.
    pub fn open(path: impl Into<Utf8PathBuf>) -> Result<Self, Error> {
        let folder = Self { path: path.into() };
        let holds = |path: Utf8PathBuf| path.metadata().is_ok_and(|file| file.len() > 0);
        if folder.manifest_path().is_file()
            || holds(folder.records_path())
            || holds(folder.packed_records_path())
        {
            return Ok(folder);
        }
        // A folder that may not be entered is told as such.
        match folder.path.read_dir_utf8() {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                Err(io("open", &folder.path)(error))
            }
            _ => Err(folder.not_a_run()),
        }
    }

    fn not_a_run(&self) -> Error {
        let path = &self.path;
        let listed = "`cargo xtask runs` lists the runs there are".to_owned();
        let (what, hint) = if !path.exists() {
            (NotARun::Nothing, listed)
        } else if !path.is_dir() {
            match path.parent().filter(|parent| Self::open(*parent).is_ok()) {
                Some(parent) => {
                    (NotARun::File, format!("name the folder that it lies in: {parent}"))
                }
                None => (NotARun::File, listed),
            }
        } else if let Some(run) = Self::list(path).ok().and_then(|mut runs| runs.pop()) {
            (NotARun::Runs, format!("name one of them, such as {}", run.path))
        } else if path.read_dir_utf8().is_ok_and(|mut entries| entries.next().is_none()) {
            (NotARun::Empty, listed)
        } else if self.records_path().exists() {
            (NotARun::Unbegun, "delete it; there is nothing in it".to_owned())
        } else {
            (NotARun::Other, listed)
        };
        Error::NotARun { path: path.clone(), what, hint }
    }

    /// Whether trials may be added to what is there. A run that is locked may be.
    ///
    /// # Errors
    /// When it has no manifest that can be used, when its records are packed, and when trials are
    /// recorded, but not so that this program counts them: it would measure them again.
    pub fn resumable(&self) -> Result<(), Error> {
        self.manifest()?;
        self.refuse_packed()?;
        self.refuse_what_would_be_overlooked(&self.read(|_| {})?.faults)
    }

    pub(super) fn refuse_packed(&self) -> Result<(), Error> {
        let path = self.packed_records_path();
        if path.exists() && !self.records_path().exists() {
            return Err(Error::Packed { path });
        }
        Ok(())
    }

    pub(super) fn refuse_what_would_be_overlooked(&self, faults: &Faults) -> Result<(), Error> {
        let overlooked = [FaultKind::Schema, FaultKind::OtherRun, FaultKind::Unreadable];
        match faults.first().iter().find(|fault| overlooked.contains(&fault.kind)) {
            Some(fault) => {
                Err(Error::Overlooked { folder: self.path.clone(), fault: fault.clone() })
            }
            None => Ok(()),
        }
    }

    /// The newest run below `base`.
    ///
    /// # Errors
    /// When there is none, or `base` cannot be read.
    pub fn latest(base: &Utf8Path) -> Result<Self, Error> {
        Self::list(base)?.pop().ok_or_else(|| Error::NoRuns { base: base.to_owned() })
    }

    /// All runs below `base`, oldest first. A missing `base` has none.
    ///
    /// # Errors
    /// When `base` cannot be read.
    pub fn list(base: &Utf8Path) -> Result<Vec<Self>, Error> {
        let entries = match base.read_dir_utf8() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io("list", base))?,
        };
        let mut runs = Vec::new();
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                // A name that is not UTF-8 is not one of ours.
                Err(error) if error.kind() == ErrorKind::InvalidData => continue,
                Err(error) => return Err(io("list", base)(error)),
            };
            if begins_with_time(entry.file_name())
                && let Ok(run) = Self::open(entry.path())
            {
                runs.push(run);
            }
        }
        // Within one second the longer name has the higher number: `-9` before `-10`.
        runs.sort_by_cached_key(|run| {
            let name = run.name();
            (name[..TIME_BYTES].to_owned(), name.len(), name.to_owned())
        });
        Ok(runs)
    }
}

/// Length of `20261122T124637Z-`.
const TIME_BYTES: usize = 17;

fn begins_with_time(name: &str) -> bool {
    name.len() > TIME_BYTES
        && name.bytes().take(TIME_BYTES).enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            16 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}
