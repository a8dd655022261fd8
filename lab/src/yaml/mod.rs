//! YAML files: read with types, refused with the place of every mistake.
//!
//! The one module that names the YAML crates. A text is read twice: once for its outline (where
//! each path lies, which keys stand twice, what is empty), once into types. The outline also
//! lets checks of meaning, done later by whoever owns the type, point at line and column.

mod nearest;
mod outline;
mod problem;
mod report;
mod wording;

pub use nearest::did_you_mean;
pub use problem::{Place, Problem, from_text, with_hint};
pub use report::Report;
pub use wording::one_of;

use camino::{Utf8Path, Utf8PathBuf};
use outline::Outline;
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// A file longer than this is refused unread, in bytes: no spec is a hundredth of it.
const MAX_FILE_BYTES: usize = 1 << 20;

/// A value that was read, with the place of everything in it.
#[derive(Debug)]
pub struct Parsed<T> {
    /// What the text says.
    pub value: T,
    file: String,
    text: Arc<str>,
    outline: Outline,
}

impl<T> Parsed<T> {
    /// Where `path` lies, for instance `["factors", "memory", "1"]`. What the text does not
    /// spell out (a default, what an alias stands for) is at its nearest ancestor.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Place {
        self.outline.place(path)
    }

    /// Where the key lies that ends `path`.
    #[must_use]
    pub fn at_key(&self, path: &[&str]) -> Place {
        self.outline.key_place(path)
    }

    /// Whether the text itself has something at `path`.
    #[must_use]
    pub fn says(&self, path: &[&str]) -> bool {
        self.outline.has(path)
    }

    /// A problem of what lies at `path`.
    #[must_use]
    pub fn problem(&self, path: &[&str], message: impl Into<String>) -> Problem {
        Problem::new(self.at(path), message)
    }

    /// The value when nothing is wrong with it, else everything that is.
    ///
    /// # Errors
    /// The report, when there is at least one problem.
    pub fn checked(self, problems: Vec<Problem>) -> Result<T, Report> {
        if problems.is_empty() {
            return Ok(self.value);
        }
        Err(Report::new(&self.file, self.text, problems))
    }
}

/// Reads one YAML document into a type.
///
/// `file_name` is only for the report. What the type refuses, unknown keys and wrong types
/// included, is reported with its place; so are keys that stand twice or without a value,
/// which the type would not notice.
///
/// # Errors
/// The report of everything that is wrong.
pub fn parse<T: DeserializeOwned>(file_name: &str, text: &str) -> Result<Parsed<T>, Report> {
    let shared: Arc<str> = Arc::from(text);
    let refuse = |problems| Report::new(file_name, Arc::clone(&shared), problems);
    if text.len() > MAX_FILE_BYTES {
        let problem = Problem::new(Place::default(), "the file is longer than 1 MiB")
            .hint("this does not look like a file for precopy-lab");
        return Err(refuse(vec![problem]));
    }
    let outline = Outline::of(text).map_err(&refuse)?;
    let value = serde_yaml::from_str::<T>(text).map_err(|error| {
        let place = error.location().map(|at| outline::place_of(text, at.line(), at.column()));
        refuse(wording::reword(&error.to_string(), place, &outline))
    })?;
    Ok(Parsed { value, file: file_name.to_owned(), text: shared, outline })
}

/// The report of what is wrong with a text that is not YAML yet, a template.
#[must_use]
pub fn report(file_name: &str, text: &str, problems: Vec<Problem>) -> Report {
    Report::new(file_name, Arc::from(text), problems)
}

/// The place of these bytes of a text, as far as they lie within one line.
#[must_use]
pub fn place_in(text: &str, bytes: std::ops::Range<usize>) -> Place {
    let before = text.get(..bytes.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let place = outline::place_of(
        text,
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    );
    place.with_length(text.get(bytes).map_or(0, |text| text.lines().next().unwrap_or("").len()))
}

/// Writes a value as YAML that [`parse`] reads back.
///
/// # Errors
/// When the type has something YAML cannot hold, in words.
pub fn write<T: Serialize>(value: &T) -> Result<String, String> {
    serde_yaml::to_string(value).map_err(|error| error.to_string())
}

/// Why a file gave no value.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It could not be read at all.
    #[error("failed to read `{path}`")]
    Unreadable {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What it says is refused.
    #[error(transparent)]
    Invalid(#[from] Report),
}

/// The text of a file, for [`parse`].
///
/// # Errors
/// When it cannot be read, or is not UTF-8.
pub fn read_text(path: &Utf8Path) -> Result<String, FileError> {
    std::fs::read_to_string(path)
        .map_err(|source| FileError::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
