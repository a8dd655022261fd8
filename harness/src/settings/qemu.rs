//! Which QEMU runs at which end, by name: a path says nothing to whoever compares two machines.

use super::level::{Level, LevelError, from_text};
use lab::{schema, yaml::did_you_mean};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, fmt};

/// The lab's own QEMU.
const LAB: &str = "lab";
/// What stands between source and target.
const TO: &str = "to";
/// Longest name of a program: two of them and ` to ` are a level, and stand in tables.
const NAME_CHARS: usize = 20;

/// What [`QemuName::program`] takes, but for the words that mean something else.
pub(crate) const NAME_PATTERN: &str = "[A-Za-z][A-Za-z0-9._-]{0,19}";

/// What a QEMU is called in an experiment: `lab` is the lab's own, others are named there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QemuName(String);

impl QemuName {
    /// The lab's own.
    #[must_use]
    pub fn lab() -> Self {
        Self(LAB.to_owned())
    }

    /// Whether it is the lab's own.
    #[must_use]
    pub fn is_lab(&self) -> bool {
        self.0 == LAB
    }

    /// The name of a program that an experiment brings along.
    ///
    /// # Errors
    /// Why it cannot be one, with what can.
    pub fn program(text: &str) -> Result<Self, LevelError> {
        let refuse = |why: &str, hint: &str| {
            Err(LevelError::said(format!("`{text}` cannot name a QEMU: {why}"), Some(hint.into())))
        };
        if text.contains('/') {
            return refuse(
                "it is a path",
                "give the program a name below `qemus:`, and write that name",
            );
        }
        if let Some(why) = bad(text) {
            return refuse(why, NAME_HINT);
        }
        match text {
            LAB => refuse(
                "it is the lab's own",
                "the lab file's `qemu.binary` or PRECOPY_QEMU say which that is",
            ),
            TO => refuse("it stands between two names", NAME_HINT),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QemuName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

const NAME_HINT: &str =
    "a name is letters, digits, `.`, `-`, `_`, beginning with a letter, at most 20";

/// Why a text is no name.
fn bad(text: &str) -> Option<&'static str> {
    // What begins with a digit could be a number, which YAML writes otherwise: 9.0 is 9.
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        Some("it does not begin with a letter")
    } else if text.contains(|c: char| !(c.is_ascii_alphanumeric() || ".-_".contains(c))) {
        Some("it holds something else than letters, digits, `.`, `-` and `_`")
    } else if text.len() > NAME_CHARS {
        Some("it is longer than 20 characters")
    } else {
        None
    }
}

/// The QEMUs at both ends: `lab`, `NAME`, or `NAME to NAME` where they differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QemuPair {
    /// What runs the guest before it is migrated.
    pub source: QemuName,
    /// What receives it.
    pub target: QemuName,
}

impl QemuPair {
    /// The lab's own at both ends.
    #[must_use]
    pub fn lab() -> Self {
        Self { source: QemuName::lab(), target: QemuName::lab() }
    }

    /// Whether both are the lab's own, as they are where nothing else is said.
    #[must_use]
    pub fn is_lab(&self) -> bool {
        self.source.is_lab() && self.target.is_lab()
    }

    /// Both, the source first.
    #[must_use]
    pub fn names(&self) -> [&QemuName; 2] {
        [&self.source, &self.target]
    }
}

impl Default for QemuPair {
    fn default() -> Self {
        Self::lab()
    }
}

impl fmt::Display for QemuPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source == self.target {
            return self.source.fmt(f);
        }
        f.pad(&format!("{} {TO} {}", self.source, self.target))
    }
}

impl Level for QemuPair {
    fn read(text: &str) -> Result<Self, LevelError> {
        let name = |text: &str| match text {
            LAB => Ok(QemuName::lab()),
            _ => QemuName::program(text),
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            [both] => {
                let both = name(both)?;
                Ok(Self { source: both.clone(), target: both })
            }
            [source, TO, target] => Ok(Self { source: name(source)?, target: name(target)? }),
            _ => Err(LevelError::said(
                format!("expected `{LAB}`, a name, or `NAME {TO} NAME`, got `{text}`"),
                words
                    .get(1)
                    .and_then(|word| did_you_mean(word, [TO]))
                    .map(|_| format!("source and target are written `NAME {TO} NAME`")),
            )),
        }
    }
}

impl JsonSchema for QemuPair {
    fn schema_name() -> Cow<'static, str> {
        "QemuPair".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let expected = format!("`{LAB}`, a name below `qemus`, or `NAME {TO} NAME`");
        let pattern = format!("^{NAME_PATTERN}( +{TO} +{NAME_PATTERN})?$");
        schema::text(&expected, &pattern, &[LAB, "old to new"])
    }
}

impl Serialize for QemuPair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for QemuPair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        let error = QemuPair::read(text).expect_err(text);
        format!("{error}; {}", error.hint().unwrap_or_default())
    }

    #[test]
    fn one_name_is_both_ends() {
        let pair = QemuPair::read("new").expect("a level");
        assert_eq!((pair.source.as_str(), pair.target.as_str()), ("new", "new"));
        assert_eq!(QemuPair::read("new to new"), Ok(pair), "the same by another text");
        assert!(QemuPair::read("lab").expect("a level").is_lab());
        let mixed = QemuPair::read("v9.2  to lab").expect("a level");
        assert_eq!(mixed.to_string(), "v9.2 to lab");
        assert!(!mixed.is_lab() && mixed.target.is_lab());
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert_eq!(
            error("/usr/bin/qemu"),
            "`/usr/bin/qemu` cannot name a QEMU: it is a path; \
             give the program a name below `qemus:`, and write that name"
        );
        let number = "`9.0` cannot name a QEMU: it does not begin with a letter";
        assert_eq!(error("9.0"), format!("{number}; {NAME_HINT}"));
        assert!(error("a to to").contains("it stands between two names"));
        assert!(error("a-name-of-21-letters-").contains("longer than 20"));
        assert_eq!(
            error("old ot new"),
            "expected `lab`, a name, or `NAME to NAME`, got `old ot new`; \
             source and target are written `NAME to NAME`"
        );
        for text in ["", "a to", "to", "to to to", "a to b to c", "a=b", "a, b"] {
            assert!(QemuPair::read(text).is_err(), "{text}");
        }
        assert!(QemuName::program("lab").is_err() && QemuName::program("to").is_err());
    }

    proptest! {
        #[test]
        fn a_level_reads_back(source in "[a-z][a-z0-9._-]{0,19}", target in "[a-z][a-z0-9._-]{0,19}") {
            prop_assume!(source != TO && target != TO);
            let text = format!("{source} to {target}");
            let pair = QemuPair::read(&text).expect("a level");
            prop_assert_eq!(QemuPair::read(&pair.to_string()), Ok(pair));
        }

        #[test]
        fn no_text_makes_it_panic(text in "(to|lab|a|é| |/|=){0,6}") {
            if let Ok(pair) = QemuPair::read(&text) {
                prop_assert!(!pair.to_string().contains('/'));
            }
        }
    }
}
