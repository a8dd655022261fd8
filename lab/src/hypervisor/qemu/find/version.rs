//! What `qemu-system-x86_64 --version` says.

use serde::Serialize;
use std::fmt;

/// A QEMU version; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Version {
    /// `10` of 10.0.2.
    pub major: u32,
    /// `0` of 10.0.2.
    pub minor: u32,
    /// `2` of 10.0.2; from 50 on a development version.
    pub micro: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

impl Version {
    /// The version and its full wording, from what `--version` printed; `None` when it is none.
    #[must_use]
    pub fn said(text: &str) -> Option<(Self, String)> {
        parse(text)
    }
}

/// The version and its full wording, from the line `QEMU emulator version 10.0.2 (Debian …)`.
pub(super) fn parse(text: &str) -> Option<(Version, String)> {
    let full = text.lines().find_map(|line| line.strip_prefix("QEMU emulator version "))?.trim();
    // `9.2.50-dirty` and `8.2.0-rc1` are versions too.
    let number = full.split(|c: char| !(c.is_ascii_digit() || c == '.')).next()?;
    let mut parts = number.split('.').map(str::parse);
    let version = Version {
        major: parts.next()?.ok()?,
        minor: parts.next()?.ok()?,
        micro: parts.next()?.ok()?,
    };
    Some((version, full.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_distributions_print_them() {
        for (text, expected, full) in [
            (
                "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)\nCopyright …",
                (10, 0, 2),
                "10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)",
            ),
            (
                "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\n",
                (7, 2, 22),
                "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)",
            ),
            (
                "QEMU emulator version 9.1.0 (qemu-kvm-9.1.0-15.el9)",
                (9, 1, 0),
                "9.1.0 (qemu-kvm-9.1.0-15.el9)",
            ),
            ("QEMU emulator version 9.2.50-dirty", (9, 2, 50), "9.2.50-dirty"),
            ("WARNING: something first\nQEMU emulator version 8.2.0-rc1\n", (8, 2, 0), "8.2.0-rc1"),
        ] {
            let (major, minor, micro) = expected;
            assert_eq!(parse(text), Some((Version { major, minor, micro }, full.to_owned())));
        }
    }

    #[test]
    fn what_is_not_a_version_is_none() {
        for text in ["", "qemu 10.0.2", "QEMU emulator version ten", "QEMU emulator version 10.0"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn ten_is_later_than_nine() {
        let version = |major, minor, micro| Version { major, minor, micro };
        assert!(version(10, 0, 0) > version(9, 2, 50));
        assert!(version(10, 0, 2) > version(10, 0, 1));
    }
}
