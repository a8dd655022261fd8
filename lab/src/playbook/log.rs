//! What a step says on one node, kept in a file, with the secrets struck out.

use super::secrets::{Redactor, Secrets};
use crate::node::Exit;
use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use std::{collections::VecDeque, fs::File, io::Write, time::Duration};

/// Lines that a failure is shown with.
const LAST_LINES: usize = 12;

/// Characters of each of them.
const LINE_CHARS: usize = 300;

/// What a script says when one of its commands fails, before the line and the command.
pub(super) const FAILED: &str = "precopy-lab: failed at line ";

/// The log of one step on one node.
pub(super) struct Log {
    file: Option<(File, Utf8PathBuf)>,
    redactor: Redactor,
    /// The end of what the script said that runs now, or ran last.
    last: VecDeque<String>,
    line: Vec<u8>,
    failed: Option<String>,
}

impl Log {
    /// The file `<folder>/steps/<number>-<step>/<node>.log`; what is there already stays.
    pub(super) fn open(
        folder: &Utf8Path,
        number: usize,
        step: &str,
        node: &str,
        secrets: &Secrets,
    ) -> Result<Self> {
        let folder = folder.join(format!("steps/{number:02}-{step}"));
        let path = folder.join(format!("{node}.log"));
        std::fs::create_dir_all(&folder).with_context(|| format!("failed to make {folder}"))?;
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("failed to open {path}"))?;
        Ok(Self { file: Some((file, path)), ..Self::none(secrets) })
    }

    /// Keeps nothing but the last lines.
    pub(super) fn none(secrets: &Secrets) -> Self {
        Self {
            file: None,
            redactor: secrets.redactor(),
            last: VecDeque::new(),
            line: Vec::new(),
            failed: None,
        }
    }

    /// Where it is kept.
    pub(super) fn path(&self) -> Option<&Utf8Path> {
        self.file.as_ref().map(|(_, path)| path.as_path())
    }

    /// A script begins.
    pub(super) fn begin(&mut self, what: &str) {
        self.last.clear();
        self.failed = None;
        self.write(format!("==> {what}\n").as_bytes());
    }

    /// What it says.
    pub(super) fn said(&mut self, bytes: &[u8]) {
        let kept = self.redactor.push(bytes);
        self.keep(&kept);
    }

    /// It has ended, or was given up.
    pub(super) fn end(&mut self, how: Option<Exit>, after: Duration) {
        let mut kept = self.redactor.finish();
        if !self.line.is_empty() || !kept.is_empty() {
            kept.push(b'\n');
        }
        self.keep(&kept);
        let how = how.map_or_else(|| "did not end".to_owned(), |exit| exit.to_string());
        self.write(format!("<== {how} after {:.1} s\n", after.as_secs_f64()).as_bytes());
    }

    /// The last lines of the last script.
    pub(super) fn last_lines(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }

    /// The command that failed in it, with its line, where the shell told.
    pub(super) fn failed_command(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.write(bytes);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.remember(&String::from_utf8_lossy(&line));
            }
        }
    }

    fn remember(&mut self, line: &str) {
        if let Some(command) = line.strip_prefix(FAILED) {
            // A substitution tells first, then the command that it stands in.
            self.failed.get_or_insert_with(|| command.trim_end().to_owned());
            return;
        }
        // Of a line that was written over and over, a progress bar, the last state counts.
        let line = line.trim_end().rsplit('\r').next().unwrap_or_default();
        let line: String = line.chars().filter(|c| !c.is_control()).take(LINE_CHARS).collect();
        if line.trim().is_empty() {
            return;
        }
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// A log that cannot be written must not keep a node from being set up.
    fn write(&mut self, bytes: &[u8]) {
        if let Some((file, _)) = &mut self.file {
            let _full_disk = file.write_all(bytes);
        }
    }
}
