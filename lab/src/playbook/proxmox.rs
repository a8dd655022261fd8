//! What a template sees of Proxmox VE.

use crate::spec::ProxmoxSpec;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The secret that the playbook of Proxmox needs: the password that nodes give root.
pub const ROOT_PASSWORD: &str = "PROXMOX_ROOT_PASSWORD";

/// What the playbook leaves on each node and collects: SHA-256 of the certificate that its API shows.
pub const FINGERPRINT: &str = "/var/lib/precopy-lab/fingerprint";

/// What experiments need of Proxmox: to make, start, migrate and remove guests of their own, to
/// put their disk or boot image onto the shared storage, to look at guests' monitors and at nodes.
pub const PRIVILEGES: [&str; 16] = [
    "Datastore.AllocateSpace",
    "Datastore.AllocateTemplate",
    "Datastore.Audit",
    "SDN.Use",
    "Sys.Audit",
    "VM.Allocate",
    "VM.Audit",
    "VM.Config.CDROM",
    "VM.Config.CPU",
    "VM.Config.Disk",
    "VM.Config.HWType",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.Options",
    "VM.Migrate",
    "VM.PowerMgmt",
];

/// What a template sees as `proxmox`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProxmoxContext {
    /// Where packages come from.
    pub repository: String,
    /// The release there, which is also the Debian release that nodes must have.
    pub suite: String,
    /// The part of the release.
    pub component: String,
    /// The keyring that the repository is checked with, as Base64.
    pub keyring_base64: String,
    /// Its SHA-256.
    pub keyring_sha256: String,
    /// The cluster's name.
    pub cluster: String,
    /// The domain in full names.
    pub domain: String,
    /// What the shared storage is called.
    pub storage: String,
    /// How guests' memory travels.
    pub migration: &'static str,
    /// This program's user.
    pub user: String,
    /// The name of that user's token.
    pub token: String,
    /// The privileges that the user needs, sorted, with a space between them.
    pub privileges: String,
    /// How long services may take to answer, in whole seconds.
    pub ready_s: u64,
}

impl ProxmoxContext {
    /// From the lab file, and the keyring that [`crate::packages::keyring`] gives.
    #[must_use]
    pub fn new(spec: &ProxmoxSpec, keyring: &[u8]) -> Self {
        let hash = Sha256::digest(keyring);
        Self {
            repository: spec.repository.clone(),
            suite: spec.suite.clone(),
            component: spec.component.clone(),
            keyring_base64: base64(keyring),
            keyring_sha256: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            cluster: spec.cluster.clone(),
            domain: spec.domain.clone(),
            storage: spec.storage.clone(),
            migration: spec.migration.as_str(),
            user: spec.user.clone(),
            token: spec.token.clone(),
            privileges: PRIVILEGES.join(" "),
            ready_s: spec.ready_deadline.0.div_ceil(1000),
        }
    }
}

/// RFC 4648, 4, in one line.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Command;
    use proptest::prelude::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn privileges_are_sorted_as_the_template_compares_them() {
        let context = ProxmoxContext::new(&ProxmoxSpec::default(), b"");
        let words: Vec<&str> = context.privileges.split(' ').collect();
        assert!(words.is_sorted(), "{words:?}");
        assert_eq!(context.ready_s, 300);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn what_nodes_decode_is_the_keyring(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let decoded = Command::new("base64").arg("--decode").stdin(base64(&bytes)).run();
            prop_assert_eq!(decoded.expect("it decodes").stdout, bytes);
        }
    }
}
