//! What a lab file says of Proxmox VE.

use super::{ApiSpec, ExistingSpec, MigrationType, VmIds};
use crate::units::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Proxmox's own archive of what anybody may install.
pub const REPOSITORY: &str = "http://download.proxmox.com/debian/pve";
/// The release this sets up: Proxmox VE 9, on Debian 13.
pub const SUITE: &str = "trixie";
/// The part of the archive that needs no subscription.
pub const COMPONENT: &str = "pve-no-subscription";
/// The archive's key, as Proxmox offers it.
pub const KEY: &str = "https://enterprise.proxmox.com/debian/proxmox-archive-keyring-trixie.gpg";
/// SHA-256 of what is behind [`KEY`].
pub const KEY_SHA256: &str = "136673be77aba35dcce385b28737689ad64fd785a797e57897589aed08db6e45";

/// Settings of the hypervisor `proxmox`: where its packages come from and what is set up of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a mapping with `api`, `repository`, `key`, `cluster`, `storage` and the like"
)]
pub struct ProxmoxSpec {
    /// The API of a cluster that one already has, of which nothing is set up. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiSpec>,
    /// Ids that only guests of this program have. Default: `9900-9999`.
    pub vmids: VmIds,
    /// The bridge on every node that guests of this program are connected to. Default: `vmbr0`.
    pub bridge: String,
    /// A VM that one has already: trials migrate it instead of guests of their own. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest: Option<ExistingSpec>,
    /// Where nodes get Proxmox's packages: an `http://` or `https://` address, or `file:/…`, a
    /// folder that every node has. A mirror serves a site without the Internet.
    /// Default: `http://download.proxmox.com/debian/pve`.
    pub repository: String,
    /// The release in it. Default: `trixie`, which is Proxmox VE 9.
    pub suite: String,
    /// The part of the release. Default: `pve-no-subscription`.
    pub component: String,
    /// The key that the repository is signed with, as a keyring: an address, which this machine
    /// (no node) fetches once, or a file of this machine. Default: Proxmox's own, by `https`.
    pub key: String,
    /// SHA-256 of that keyring, in hexadecimal digits. Must be given with an address of one's own.
    /// Default: that of Proxmox's own keyring; a file is taken as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_sha256: Option<String>,
    /// The cluster's name: letters, digits and dashes, at most 15. Default: `precopy-lab`.
    pub cluster: String,
    /// The domain in the nodes' full names. Default: `lab.internal`.
    pub domain: String,
    /// What the shared storage is called in Proxmox. Default: `shared`.
    pub storage: String,
    /// How guests' memory travels: `insecure`, as it is, or `secure`, through SSH.
    /// Default: `insecure`.
    pub migration: MigrationType,
    /// Who this program is to Proxmox, a user that `lab-up` makes. Default: `precopy-lab@pve`.
    pub user: String,
    /// The name of that user's API token, two characters or more. Default: `lab`.
    pub token: String,
    /// How long Proxmox's services may take to answer after they were started.
    /// Default: 5 min; they may wait 80 s for a quorum alone.
    pub ready_deadline: Millis,
}

impl Default for ProxmoxSpec {
    fn default() -> Self {
        Self {
            api: None,
            vmids: VmIds::default(),
            bridge: "vmbr0".to_owned(),
            guest: None,
            repository: REPOSITORY.to_owned(),
            suite: SUITE.to_owned(),
            component: COMPONENT.to_owned(),
            key: KEY.to_owned(),
            key_sha256: None,
            cluster: "precopy-lab".to_owned(),
            domain: "lab.internal".to_owned(),
            storage: "shared".to_owned(),
            migration: MigrationType::Insecure,
            user: "precopy-lab@pve".to_owned(),
            token: "lab".to_owned(),
            ready_deadline: Millis(5 * 60 * 1000),
        }
    }
}

impl ProxmoxSpec {
    /// Whether the key is fetched from somewhere, and no file of this machine.
    #[must_use]
    pub fn key_is_remote(&self) -> bool {
        self.key.contains("://")
    }

    /// What the keyring must hash to, in lowercase; `None` takes it as it is.
    #[must_use]
    pub fn key_hash(&self) -> Option<String> {
        let known = || (self.key == KEY).then(|| KEY_SHA256.to_owned());
        self.key_sha256.as_ref().map(|hash| hash.to_ascii_lowercase()).or_else(known)
    }
}
