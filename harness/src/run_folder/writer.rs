use super::files::{io, sync_directory, write_atomically};
use super::line::line_of;
use super::read::{self, Unended};
use super::{Error, Manifest, RECORDS, RunFolder};
use crate::record::Record;
use crate::series::Series;
use flate2::{Compression, write::GzEncoder};
use rustix::fs::FlockOperation;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};

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
        folder.refuse_packed()?;
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
        let mut finished = BTreeSet::new();
        let mut take = |record: &Record| _ = finished.insert(record.trial);
        let odd = read::records(&file, RECORDS, folder.run().as_deref(), &mut take);
        let faults = odd.faults;
        folder.refuse_what_would_be_overlooked(&faults)?;
        let mut end = file.stream_position().map_err(io("read", &path))?;
        let mut warnings = Vec::new();
        if let Some(Unended { bytes, is_record }) = odd.unended {
            if is_record {
                // Only its newline was lost: the trial was measured, so it counts.
                file.write_all(b"\n").map_err(io("write", &path))?;
                end += 1;
            } else {
                // Left as it is, it would swallow the next record.
                end -= bytes;
                file.set_len(end).map_err(io("truncate", &path))?;
                warnings.push(format!(
                    "removed an incomplete last line of records.jsonl ({bytes} bytes, left by a crash); its trial runs again"
                ));
            }
            file.sync_data().map_err(io("sync", &path))?;
        }
        sync_directory(&folder.path)?;
        warnings.extend(faults.lines(Some(&folder.path)));
        Ok(Self { folder, file, end, finished, warnings, syncs: true })
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
        if let Err(cause) = written {
            // A full disk may have taken half of the line.
            let _ = self.file.set_len(self.end);
            return Err(io("append to", &path)(cause));
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
            .map_err(|cause| Error::Json { path: path.clone(), cause })?;
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&text).map_err(io("pack", &path))?;
        let packed = packer.finish().map_err(io("pack", &path))?;
        write_atomically(&path, &packed)
    }
}
