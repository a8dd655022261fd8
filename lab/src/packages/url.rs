//! What nodes may ask for.

use sha2::{Digest, Sha256};
use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

/// Longest address, in bytes.
const LONGEST: usize = 2000;

/// The address of one file of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Url(String);

impl Url {
    /// The address that a proxy's request names. `http://HTTPS///host/path` stands for
    /// `https://host/path`, which apt could only ask for by a tunnel that nothing can be kept of.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix("http://").ok_or("only `http://` can be fetched here")?;
        let (scheme, rest) = match rest.strip_prefix("HTTPS///") {
            Some(rest) => ("https", rest),
            None => ("http", rest),
        };
        let (host, path) = rest.split_once('/').ok_or("an address needs a path")?;
        let host_char = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if host.is_empty() || host.starts_with('-') || !host.chars().all(host_char) {
            return Err("that is no host");
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~+:@%,=/".contains(c);
        if path.is_empty() || path.ends_with('/') || !path.chars().all(plain) {
            return Err("that is no file of an archive");
        }
        if path.split('/').any(|part| part == "..") || text.len() > LONGEST {
            return Err("that is no file of an archive");
        }
        Ok(Self(format!("{scheme}://{host}/{path}")))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    fn path(&self) -> &str {
        self.0.splitn(4, '/').nth(3).unwrap_or_default()
    }

    /// Host with port.
    pub(super) fn host(&self) -> &str {
        self.0.split('/').nth(2).unwrap_or_default()
    }

    /// Whether there will never be anything else under this address.
    pub(super) fn is_immutable(&self) -> bool {
        let name = self.path().rsplit('/').next().unwrap_or_default();
        self.path().split('/').any(|part| part == "by-hash")
            || [".deb", ".udeb"].iter().any(|ending| name.ends_with(ending))
    }

    /// The name of the file that it is kept in: no two addresses share one.
    pub(super) fn file_name(&self) -> String {
        let hash: String =
            Sha256::digest(self.0.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let name = self.path().rsplit('/').next().unwrap_or_default();
        // So that somebody who looks into the folder knows what is what.
        let shown: String = name.chars().filter(|c| *c != '/' && *c != '%').take(100).collect();
        format!("{hash}-{shown}")
    }
}

/// The host, with its port, of an address that nodes may be given files of; `None` for any other.
#[must_use]
pub fn host(text: &str) -> Option<String> {
    let plain = text.strip_prefix("https://").map(|rest| format!("http://{rest}"));
    // An archive's own address may end anywhere.
    let url = Url::parse(&format!("{}/x", plain.as_deref().unwrap_or(text).trim_end_matches('/')));
    url.ok().map(|url| url.host().to_owned())
}

/// Whether this host, with or without a port, is whatever machine it is asked for on, or only of
/// its own link.
#[must_use]
pub fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, _)) => inside,
        None => host.split(':').next().unwrap_or_default(),
    };
    if let Ok(ip) = name.parse::<Ipv4Addr>() {
        return ip.is_loopback() || ip.is_unspecified() || ip.is_link_local();
    }
    if let Ok(ip) = name.parse::<Ipv6Addr>() {
        let mapped = ip.to_ipv4_mapped().is_some();
        return mapped || ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local();
    }
    // Names by which nobody means another machine; and numbers that only old programs read.
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let number = name.split('.').next_back().unwrap_or_default();
    name == "localhost"
        || name.ends_with(".localhost")
        || number.parse::<f64>().is_ok()
        || number.starts_with("0x")
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect(text)
    }

    #[test]
    fn only_files_of_archives_are_asked_for() {
        for bad in [
            "https://a.example/x.deb",
            "ftp://a.example/x",
            "/dists/trixie/InRelease",
            "http://a.example",
            "http://a.example/",
            "http://a.example/pool/",
            "http://a.example/../etc/passwd",
            "http://a.example/x?y",
            "http://a.example/a b",
            "http://-oProxyCommand/x",
            "http://user:pass word@a.example/x",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(url("http://HTTPS///a.example/x").as_str(), "https://a.example/x");
        assert_eq!(url("http://a.example:8080/x").host(), "a.example:8080");
    }

    #[test]
    fn archives_have_hosts_and_some_are_no_others() {
        assert_eq!(host("http://deb.example/debian/").as_deref(), Some("deb.example"));
        assert_eq!(host("https://deb.example:8080/debian").as_deref(), Some("deb.example:8080"));
        assert_eq!(host("file:/srv/debian"), None);
        for local in [
            "localhost",
            "LOCALHOST.:80",
            "127.1.2.3:8000",
            "[::1]:80",
            "169.254.169.254",
            "0.0.0.0",
            "[::ffff:10.0.0.1]",
            "127.1",
            "2130706433",
            "0x7f.1",
            "a.localhost",
        ] {
            assert!(is_local(local), "{local}");
        }
        for other in ["deb.example", "10.0.0.5:3142", "[2001:db8::1]:80", "localhost.example"] {
            assert!(!is_local(other), "{other}");
        }
    }

    #[test]
    fn packages_and_what_is_named_by_its_hash_never_change() {
        for (text, immutable) in [
            ("http://a.example/pool/main/q/qemu_10+dfsg~1-1%7e_amd64.deb", true),
            ("http://a.example/dists/trixie/main/by-hash/SHA256/00ff", true),
            ("http://a.example/dists/trixie/InRelease", false),
            ("http://a.example/dists/trixie/main/binary-amd64/Packages.xz", false),
            ("http://by-hash.example/Packages", false),
        ] {
            assert_eq!(url(text).is_immutable(), immutable, "{text}");
        }
    }

    proptest! {
        #[test]
        fn file_names_differ_and_are_names(a in "[a-z/%.~]{1,40}", b in "[a-z/%.~]{1,40}") {
            let urls = [a, b].map(|path| Url::parse(&format!("http://a.example/{path}x")));
            if let [Ok(a), Ok(b)] = urls {
                prop_assert_eq!(a == b, a.file_name() == b.file_name());
                prop_assert!(!a.file_name().contains('/'));
            }
        }
    }
}
