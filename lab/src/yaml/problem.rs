//! One thing that is wrong in a file.

use serde::{Deserializer, Serialize, de};
use std::fmt;

/// A place in a text. The default is its very beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Byte offset from the beginning.
    pub(super) offset: usize,
    /// Length in bytes, within one line.
    pub(super) length: usize,
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

impl Place {
    /// The same place, this many bytes long.
    pub(super) const fn with_length(self, length: usize) -> Self {
        Self { length, ..self }
    }
}

impl Default for Place {
    fn default() -> Self {
        Self { offset: 0, length: 0, line: 1, column: 1 }
    }
}

/// One thing that is wrong in a file, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What was expected there, where the message alone does not list it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Another place that has to do with it, and how.
    #[serde(skip)]
    pub(super) also: Option<(Place, String)>,
    #[serde(skip)]
    pub(super) place: Place,
}

impl Problem {
    /// A problem at a place. The message is a lowercase fragment.
    #[must_use]
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        Self {
            line: place.line,
            column: place.column,
            message: message.into(),
            expected: None,
            hint: None,
            also: None,
            place,
        }
    }

    /// Says what was expected.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Shows a second place, with a short word on what it is.
    #[must_use]
    pub fn also(mut self, place: Place, label: impl Into<String>) -> Self {
        self.also = Some((place, label.into()));
        self
    }
}

/// Reads a value from its text form: `expected` says what it is for those who write something
/// that is no text at all, `read` takes the text or refuses it in words ([`with_hint`]).
///
/// A refusal after `String::deserialize` would be reported at the mapping that the value is in;
/// one from here has the value's own place.
///
/// # Errors
/// The deserialiser's own, and the refusal.
pub fn from_text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    struct Text<'a, F> {
        expected: &'a str,
        read: F,
    }

    impl<T, F: FnOnce(&str) -> Result<T, String>> de::Visitor<'_> for Text<'_, F> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.expected)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.read)(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Text { expected, read })
}

/// A refusal by a type, with a hint, as the text of a serde error. [`super::parse`] takes it
/// apart again: serde hands on nothing but a text.
pub fn with_hint(message: impl fmt::Display, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{message}{HINT}{hint}"),
        None => message.to_string(),
    }
}

/// What stands between message and hint in an error's text.
pub(super) const HINT: &str = "\nhint: ";
