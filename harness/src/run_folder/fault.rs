//! What of a run's folder cannot be used, in words for the user.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// How many faults of a kind are kept in full; the others are counted.
const EXAMPLES: u64 = 3;

/// What kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The last line is incomplete: a crash, or a harness that is just writing it. No damage.
    Torn,
    /// The manifest cannot be used.
    Manifest,
    /// A file that must be there is not.
    Missing,
    /// A file ends, for us, before its end.
    Unreadable,
    /// A line that is no record.
    NotARecord,
    /// A line longer than any record.
    TooLong,
    /// A record with another layout.
    Schema,
    /// A record of another run.
    OtherRun,
    /// A second record of a trial.
    Repeated,
}

impl FaultKind {
    /// What to do about it; `None` when there is nothing to do.
    #[must_use]
    pub const fn hint(self) -> Option<&'static str> {
        match self {
            Self::Torn => None,
            Self::Manifest => {
                Some("without its manifest a run can be shown, but not resumed or compared")
            }
            Self::Missing | Self::Unreadable => {
                Some("copy the folder again from where it was made")
            }
            Self::NotARecord | Self::TooLong => Some(
                "take such lines from a copy of the run, or delete them: \
                 `cargo xtask experiment --resume` measures their trials again",
            ),
            Self::Schema => Some(
                "read it with the version of precopy-lab that wrote it (`harness_version` in manifest.json)",
            ),
            Self::OtherRun => Some("keep the records of each run in a folder of their own"),
            Self::Repeated => Some("delete the lines that are not the run's own"),
        }
    }
}

impl FaultKind {
    /// So many of this kind, in words.
    fn of(self, count: u64) -> String {
        let (one, many) = match self {
            Self::Torn => ("incomplete line", "incomplete lines"),
            Self::Manifest => return "the manifest cannot be used".to_owned(),
            Self::Missing => return "the records are missing".to_owned(),
            Self::Unreadable => return "the records cannot be read to their end".to_owned(),
            Self::NotARecord => ("line is no record", "lines are no records"),
            Self::TooLong => ("line is too long", "lines are too long"),
            Self::Schema => (
                "line is of another version of this program",
                "lines are of another version of this program",
            ),
            Self::OtherRun => ("line is of another run", "lines are of another run"),
            Self::Repeated => ("line repeats a trial", "lines repeat trials"),
        };
        if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
    }
}

/// One thing that cannot be used, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// The file, within the run's folder.
    pub file: Utf8PathBuf,
    /// The line, from 1; `None` for the whole file.
    pub line: Option<u64>,
    /// The byte of the line at which reading stopped, from 1; `None` for the whole line.
    pub column: Option<u64>,
    /// What is wrong, and what became of it.
    pub message: String,
}

impl fmt::Display for Fault {
    /// `records.jsonl:5:312: what is wrong`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// All that cannot be used of a run's folder: the first of each kind, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    first: Vec<Fault>,
    counts: BTreeMap<FaultKind, u64>,
}

impl Faults {
    /// One more.
    pub fn push(&mut self, fault: Fault) {
        let count = self.counts.entry(fault.kind).or_insert(0);
        *count += 1;
        if *count <= EXAMPLES {
            self.first.push(fault);
        }
    }

    /// Those of `other` after these.
    pub fn append(&mut self, other: Self) {
        for fault in other.first {
            if self.first.iter().filter(|own| own.kind == fault.kind).count() < EXAMPLES as usize {
                self.first.push(fault);
            }
        }
        for (kind, count) in other.counts {
            *self.counts.entry(kind).or_insert(0) += count;
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Whether something is lost that a sound folder has. A torn last line alone is no damage.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        self.counts.keys().any(|kind| *kind != FaultKind::Torn)
    }

    /// How many there are of each kind.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<FaultKind, u64> {
        &self.counts
    }

    /// The first of each kind.
    #[must_use]
    pub fn first(&self) -> &[Fault] {
        &self.first
    }

    /// Each fault that is kept as a line, in the order of their places, then how many more there
    /// are. The files are told as lying in `folder`, when one is given.
    #[must_use]
    pub fn lines(&self, folder: Option<&Utf8Path>) -> Vec<String> {
        let mut first: Vec<&Fault> = self.first.iter().collect();
        first.sort_by_key(|fault| (&fault.file, fault.line));
        let mut lines: Vec<String> = first
            .into_iter()
            .map(|fault| match folder {
                Some(folder) => folder.join(fault.to_string()).into_string(),
                None => fault.to_string(),
            })
            .collect();
        for (&kind, &count) in self.counts.iter().filter(|(_, count)| **count > EXAMPLES) {
            lines.push(format!("and more: in all {}", kind.of(count)));
        }
        lines
    }

    /// What is lost, in a few words for each kind: `3 lines are no records`. Nothing for a torn
    /// last line.
    #[must_use]
    pub fn summary(&self) -> Vec<String> {
        let damage = self.counts.iter().filter(|(kind, _)| **kind != FaultKind::Torn);
        damage.map(|(kind, &count)| kind.of(count)).collect()
    }

    /// What to do about them, each advice once.
    #[must_use]
    pub fn hints(&self) -> Vec<&'static str> {
        let mut hints: Vec<&str> = Vec::new();
        for hint in self.counts.keys().filter_map(|kind| kind.hint()) {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        hints
    }
}
