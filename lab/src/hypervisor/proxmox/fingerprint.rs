//! The SHA-256 of a certificate, as Proxmox shows it.

use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

/// SHA-256 of a certificate's DER form. Written `AA:BB:…`, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a certificate in DER form.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if at == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a SHA-256 fingerprint: {given:?}\n\nhint: 32 bytes as `AA:BB:…`, as the web interface \
     shows them under the node's Certificates, or `openssl x509 -noout -fingerprint -sha256 -in \
     /etc/pve/local/pve-ssl.pem`"
)]
pub struct NotAFingerprint {
    /// What was given.
    pub given: String,
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    /// Reads `AA:BB:…` in either case, with or without what `openssl` prints before it.
    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let wrong = || NotAFingerprint { given: text.to_owned() };
        let bytes = text.rsplit_once('=').map_or(text, |(_, bytes)| bytes).trim();
        let mut fingerprint = [0; 32];
        let mut parts = bytes.split(':');
        for byte in &mut fingerprint {
            let part = parts.next().filter(|part| part.len() == 2 && part.is_ascii());
            let part = part.filter(|part| !part.starts_with('+')).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
        }
        if parts.next().is_some() { Err(wrong()) } else { Ok(Self(fingerprint)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PVE1: &str = "B7:E5:12:C0:4C:D3:79:24:90:69:ED:8A:44:F1:F9:4B:01:D4:5E:DB:BB:7C:33:0E:0A:BF:85:03:AE:DF:43:BF";

    #[test]
    fn they_are_read_as_people_have_them() {
        let read: Fingerprint = PVE1.parse().unwrap();
        assert_eq!(read.to_string(), PVE1);
        assert_eq!(PVE1.to_lowercase().parse(), Ok(read));
        assert_eq!(format!("sha256 Fingerprint={PVE1}\n").parse(), Ok(read));
    }

    #[test]
    fn anything_else_is_refused() {
        let sha1 = &PVE1[..59];
        let long = format!("{PVE1}:00");
        for wrong in ["", "AA", sha1, &long, &PVE1.replace(':', ""), &PVE1.replace("B7", "+7")] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn it_is_the_sha256_of_what_was_sent() {
        // The SHA-256 of nothing.
        assert!(Fingerprint::of(b"").to_string().starts_with("E3:B0:C4:42:98:FC"));
    }
}
