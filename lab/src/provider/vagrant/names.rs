//! Names, addresses and hardware addresses of everything that a lab has in libvirt. All of them
//! follow from the lab file, so that nothing else can ever be meant.

use super::settings;
use crate::spec::{Ipv4Cidr, LabSpec};
use sha2::{Digest, Sha256};
use std::net::Ipv4Addr;

/// Vagrant's own network, over which nodes are reached.
pub(super) const MANAGEMENT: &str = "management";
/// First address of a node there: `node1` has `.11`.
const FIRST_NODE: u32 = 11;

/// The names of one lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    prefix: String,
    digest: [u8; 4],
    management: Ipv4Cidr,
}

impl Names {
    /// Those of the lab of this file.
    pub fn of(spec: &LabSpec) -> Self {
        let prefix = format!("{}-{}", settings(spec).prefix, spec.name);
        let hash = Sha256::digest(&prefix);
        let digest = [hash[0], hash[1], hash[2], hash[3]];
        // Apart from the networks of other labs on the same libvirt, and from this lab's own.
        let subnets = (0..=100_u8).map(|step| 130 + (digest[3] % 101 + step) % 101);
        let taken = |subnet: &u8| {
            let cidr = Ipv4Cidr::new(Ipv4Addr::new(192, 168, *subnet, 0), 24);
            spec.networks.all().any(|(_, network)| network.cidr.overlaps(cidr))
        };
        let subnet = subnets.clone().find(|subnet| !taken(subnet)).unwrap_or(130);
        let management = Ipv4Cidr::new(Ipv4Addr::new(192, 168, subnet, 0), 24);
        Self { prefix, digest, management }
    }

    /// What all names begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The domain of a node.
    pub fn domain(&self, node: &str) -> String {
        format!("{}-{node}", self.prefix)
    }

    /// The libvirt network of this name: `guest`, `storage`, `migration` or `management`.
    pub fn network(&self, network: &str) -> String {
        format!("{}-{network}", self.prefix)
    }

    /// Its bridge: a device name has 15 characters at most.
    pub fn bridge(&self, network: &str) -> String {
        let [a, b, c, _] = self.digest;
        format!("pl{a:02x}{b:02x}{c:02x}{}", &network[..3])
    }

    /// Hardware address of a node's card: `card` counts from 0, the management network's.
    pub fn mac(&self, card: usize, node: usize) -> String {
        let [a, b, _, _] = self.digest;
        format!("52:54:00:{a:02x}:{:02x}:{:02x}", (b & 0xf0) | (card as u8 & 0x0f), node as u8 + 1)
    }

    /// The management network's addresses.
    pub const fn management(&self) -> Ipv4Cidr {
        self.management
    }

    /// A node's address there.
    pub fn management_address(&self, node: usize) -> Ipv4Addr {
        self.management.host(FIRST_NODE + u32::try_from(node).unwrap_or(u32::MAX >> 1))
    }
}
