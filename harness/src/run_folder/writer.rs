use super::files::{io, sync_directory, write_atomically};
use super::line::line_of;
use super::{Error, Manifest, RunFolder, parse_records};
use crate::record::Record;
use crate::series::Series;
use flate2::{Compression, write::GzEncoder};
use rustix::fs::FlockOperation;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};

/// The one that may append to a run. The lock lies on `records.jsonl` and goes with this value
/// or with its process, whichever ends first.
///
/// A process that is forked without `exec` while this exists would hold the lock as well.
#[derive(Debug)]
pub struct RunWriter {
    folder: RunFolder,
    file: File,
    /// Bytes of `file` that are whole lines.
    end: u64,
    finished: BTreeSet<u32>,
    warnings: Vec<String>,
    /// Whether each record is on disk before the next trial begins.
    syncs: bool,
}

impl RunWriter {
    pub(super) fn open(folder: RunFolder) -> Result<Self, Error> {
        let path = folder.records_path();
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(io("open", &path))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(Error::Locked { path: folder.path });
            }
            Err(error) => return Err(io("lock", &path)(error.into())),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io("read", &path))?;
        let mut read = parse_records(&bytes, &path)?;
        let mut end = bytes.len();
        if !bytes.is_empty() && !bytes.ends_with(b"\n") {
            let tail = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            if serde_json::from_slice::<Record>(&bytes[tail..]).is_ok() {
                // Only its newline was lost: the trial was measured, so it counts.
                file.write_all(b"\n").map_err(io("write", &path))?;
                end += 1;
            } else {
                // Left as it is, it would swallow the next record.
                file.set_len(tail as u64).map_err(io("truncate", &path))?;
                end = tail;
                read.warnings.pop();
                read.warnings.push(format!(
                    "removed an incomplete last line of records.jsonl ({} bytes, left by a crash); its trial runs again",
                    bytes.len() - tail
                ));
            }
            file.sync_data().map_err(io("sync", &path))?;
        }
        sync_directory(&folder.path)?;
        let finished = read.records.iter().map(|record| record.trial).collect();
        Ok(Self { folder, file, end: end as u64, finished, warnings: read.warnings, syncs: true })
    }

    /// The folder, to read from.
    #[must_use]
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Leaves it to the system when records come to disk: for trials that can be made again in no
    /// time.
    pub fn do_not_sync(&mut self) {
        self.syncs = false;
    }

    /// What was odd about the records when the folder was opened.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Numbers of the trials that have a record, whatever their outcome.
    #[must_use]
    pub fn finished(&self) -> &BTreeSet<u32> {
        &self.finished
    }

    /// Writes `manifest.json`, replacing one that is there.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), Error> {
        self.folder.write_json(&self.folder.manifest_path(), manifest)?;
        sync_directory(&self.folder.path)
    }

    /// Appends the record of a trial; when this returns, it is on disk. Long records are
    /// shortened to [`super::MAX_LINE_BYTES`] (texts cut, rounds left out of the middle).
    ///
    /// # Errors
    /// When the trial has a record already, or the file system refuses; then the file is as it
    /// was before.
    pub fn append(&mut self, record: &Record) -> Result<(), Error> {
        if self.finished.contains(&record.trial) {
            return Err(Error::Duplicate { trial: record.trial });
        }
        let line = line_of(record)?;
        let path = self.folder.records_path();
        let sync = || if self.syncs { self.file.sync_data() } else { Ok(()) };
        let written = (&self.file).write_all(line.as_bytes()).and_then(|()| sync());
        if let Err(source) = written {
            // A full disk may have taken half of the line.
            let _ = self.file.set_len(self.end);
            return Err(io("append to", &path)(source));
        }
        self.end += line.len() as u64;
        self.finished.insert(record.trial);
        Ok(())
    }

    /// Writes what was sampled in a trial; call it before [`RunWriter::append`], so that a
    /// recorded trial has its series.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_series(&self, trial: u32, series: &Series) -> Result<(), Error> {
        let path = self.folder.series_path(trial);
        // In one piece: the packer is slow with the many small writes of a serializer.
        let text = serde_json::to_vec(series)
            .map_err(|source| Error::Json { path: path.clone(), source })?;
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&text).map_err(io("pack", &path))?;
        let packed = packer.finish().map_err(io("pack", &path))?;
        write_atomically(&path, &packed)
    }
}
