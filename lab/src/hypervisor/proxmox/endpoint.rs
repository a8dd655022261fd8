//! Where Proxmox's API is, and how one knows that it is that.

use super::{
    error::{Error, Fault},
    fingerprint::Fingerprint,
};
use std::{fmt, net::IpAddr};

/// Proxmox's own port.
pub const PORT: u16 = 8006;

/// One node's API. Any node answers for its whole cluster.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The node's name or address, as its certificate has it.
    pub host: String,
    /// 8006, but for a node behind something.
    pub port: u16,
    /// Where to connect to instead of asking for the name's address: a certificate made by
    /// Proxmox has only one of the node's addresses.
    pub address: Option<IpAddr>,
    /// How its certificate is judged.
    pub trust: Trust,
}

/// How a certificate is judged. There is no way to take any.
#[derive(Clone)]
pub enum Trust {
    /// It must be signed by this authority and have the host's name: PEM, such as the cluster's
    /// `/etc/pve/pve-root-ca.pem`.
    Authority(Vec<u8>),
    /// It must be this one, whatever is written in it.
    Fingerprint(Fingerprint),
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authority(pem) => write!(f, "Authority({} bytes)", pem.len()),
            Self::Fingerprint(fingerprint) => write!(f, "Fingerprint({fingerprint})"),
        }
    }
}

impl Endpoint {
    /// Reads `host`, `host:port`, `[address]:port` or `https://…` of those.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str, trust: Trust) -> Result<Self, Error> {
        let wrong = || {
            let why = format!(
                "not a node's address: {text:?}; give a name or an address, and a port where it \
                 is not {PORT}"
            );
            Error::new("connecting", Fault::Settings { why })
        };
        let authority = text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/');
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
                (host, rest.strip_prefix(':').or(rest.is_empty().then_some("")).ok_or_else(wrong)?)
            }
            // Colons without brackets: an IPv6 address alone.
            None if authority.matches(':').count() > 1 => (authority, ""),
            None => authority.split_once(':').unwrap_or((authority, "")),
        };
        let port = if port.is_empty() { PORT } else { port.parse().map_err(|_| wrong())? };
        let good = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || !host.chars().all(good) {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port, address: None, trust })
    }

    /// As people write it, without the port where it is Proxmox's own.
    #[must_use]
    pub fn name(&self) -> String {
        if self.port == PORT { self.host.clone() } else { self.authority() }
    }

    /// Host and port, for an URL.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(String, String, u16), String> {
        let endpoint = Endpoint::parse(text, Trust::Authority(Vec::new()));
        let endpoint = endpoint.map_err(|e| e.to_string())?;
        Ok((endpoint.authority(), endpoint.name(), endpoint.port))
    }

    #[test]
    fn addresses_are_read() {
        for (text, authority, name) in [
            ("pve1", "pve1:8006", "pve1"),
            ("https://pve1.example:443/", "pve1.example:443", "pve1.example:443"),
            ("192.0.2.11", "192.0.2.11:8006", "192.0.2.11"),
            ("2001:db8::1", "[2001:db8::1]:8006", "2001:db8::1"),
            ("[2001:db8::1]:8007", "[2001:db8::1]:8007", "[2001:db8::1]:8007"),
            ("[2001:db8::1]", "[2001:db8::1]:8006", "2001:db8::1"),
        ] {
            let (read, shown, _) = parse(text).unwrap();
            assert_eq!((read.as_str(), shown.as_str()), (authority, name), "{text}");
        }
        for wrong in ["", "https://", "pve1:x", "pve1/x", "a b", "[::1", "[::1]x", "u@pve1"] {
            assert!(parse(wrong).unwrap_err().contains("not a node's address"), "{wrong}");
        }
    }
}
