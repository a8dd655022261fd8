//! Versions of Debian packages, as far as capabilities depend on them.

use serde::Serialize;
use std::{fmt, str::FromStr};

/// A version's numbers, such as 9.1.6. What follows a dash or plus is left out, and an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
    /// The third; 0 where there is none.
    pub patch: u32,
}

impl Version {
    /// A version of these numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a version: {0:?}")]
pub struct NotAVersion(pub String);

impl FromStr for Version {
    type Err = NotAVersion;

    /// Of a package's version (`9.1.6`, `7.4-7`, `1:10.0.13+ds-1`) or what a running QEMU says
    /// (`10.0.13`, `9.2.0`).
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let wrong = || NotAVersion(text.to_owned());
        let upstream = text.split_once(':').map_or(text, |(_, rest)| rest);
        let numbers = upstream.split(['-', '+', '~', ' ']).next().unwrap_or_default();
        let mut parts = numbers.split('.').map(|part| part.parse::<u32>().map_err(|_| wrong()));
        let major = parts.next().ok_or_else(wrong)??;
        let minor = parts.next().ok_or_else(wrong)??;
        let patch = parts.next().transpose()?.unwrap_or(0);
        Ok(Self { major, minor, patch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_versions_are_understood() {
        for (text, version) in [
            ("9.1.6", Version::new(9, 1, 6)),
            ("7.4-7", Version::new(7, 4, 0)),
            ("10.0.13", Version::new(10, 0, 13)),
            ("1:10.0.13+ds-1", Version::new(10, 0, 13)),
            ("9.1", Version::new(9, 1, 0)),
            ("8.3.9~bpo1", Version::new(8, 3, 9)),
        ] {
            assert_eq!(text.parse(), Ok(version), "{text}");
        }
        for wrong in ["", "9", "x.y", "9.x", "."] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn they_are_ordered_by_their_numbers() {
        assert!(Version::new(8, 3, 9) < Version::new(8, 3, 10));
        assert!(Version::new(8, 4, 0) < Version::new(9, 0, 0));
    }
}
