//! What playbooks' templates see.

use super::ProxmoxContext;
use crate::{
    node::GUEST_TAP,
    spec::{LabSpec, Network},
};
use camino::Utf8PathBuf;
use serde::Serialize;
use std::net::Ipv4Addr;

/// The bridge that a playbook makes on each node, joining its guest to the guest network; the
/// node has its own address there.
pub const BRIDGE: &str = "lab0";

/// Hardware addresses of these bridges begin with this: administered locally, and not the guests'.
const BRIDGE_MAC: [u8; 2] = [0x02, 0x4c];

/// What a node's network cards are called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Devices {
    /// The addresses that they have, where they are not those of the lab file's ranges in the
    /// order of its nodes.
    pub addresses: Option<Addresses>,
    /// The one in the guest network.
    pub guest: String,
    /// The one in the migration network.
    pub migration: String,
    /// The one in the storage network, where the lab has one.
    pub storage: Option<String>,
}

/// A node's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// In the guest network.
    pub guest: Ipv4Addr,
    /// In the migration network.
    pub migration: Ipv4Addr,
    /// In the storage network, where the lab has one.
    pub storage: Option<Ipv4Addr>,
}

impl Addresses {
    /// As the lab file's ranges give them, in the order of its nodes.
    fn of(spec: &LabSpec, index: usize) -> Self {
        let networks = &spec.networks;
        Self {
            guest: networks.guest.node_address(index),
            migration: networks.migration.node_address(index),
            storage: networks.storage.as_ref().map(|network| network.node_address(index)),
        }
    }
}

impl Devices {
    /// As Vagrant's nodes have them: `eth0` is Vagrant's own.
    #[must_use]
    pub fn of_vagrant() -> Self {
        let [guest, storage, migration] = ["eth1", "eth2", "eth3"].map(str::to_owned);
        Self { addresses: None, guest, migration, storage: Some(storage) }
    }
}

/// What a template sees when it is rendered for one node.
#[derive(Clone, Debug, Serialize)]
pub struct Context<'a> {
    /// The lab file, with its defaults: `lab.networks.migration.mtu`.
    pub lab: &'a LabSpec,
    /// The node itself.
    pub node: NodeContext,
    /// All nodes, in the lab's order.
    pub nodes: Vec<NodeContext>,
    /// The shared folder; `none` where the lab has none.
    pub storage: Option<StorageContext>,
    /// Proxmox VE; not there until [`Self::with_keyring`] has added it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxmox: Option<ProxmoxContext>,
}

impl Context<'_> {
    /// The same with `proxmox`, where that is the lab's hypervisor. The keyring is what
    /// [`crate::packages::keyring`] gives.
    #[must_use]
    pub fn with_keyring(mut self, keyring: &[u8]) -> Self {
        self.proxmox = self.lab.proxmox().map(|spec| ProxmoxContext::new(&spec, keyring));
        self
    }
}

/// What a template sees of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeContext {
    /// Its name.
    pub name: String,
    /// Its place in the lab file, from 0.
    pub index: usize,
    /// Address in the guest network.
    pub guest_address: Ipv4Addr,
    /// Card in the guest network.
    pub guest_device: String,
    /// Bridge that joins the node, its guest and that card.
    pub guest_bridge: &'static str,
    /// The bridge's hardware address.
    pub guest_bridge_mac: String,
    /// Tap device for the node's guest.
    pub tap: &'static str,
    /// Address in the migration network.
    pub migration_address: Ipv4Addr,
    /// Card in the migration network.
    pub migration_device: String,
    /// Address in the storage network; `none` where the lab has none.
    pub storage_address: Option<Ipv4Addr>,
    /// Card in the storage network; `none` where the lab has none.
    pub storage_device: Option<String>,
}

/// What a template sees of the shared folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StorageContext {
    /// The folder's path on every node.
    pub path: Utf8PathBuf,
    /// How it is shared; `none` where every node has it already.
    pub nfs: Option<NfsContext>,
}

/// What a template sees of an NFS export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NfsContext {
    /// The node that has the folder.
    pub server: String,
    /// Its address in [`Self::network`].
    pub address: Ipv4Addr,
    /// The folder there.
    pub export: Utf8PathBuf,
    /// Who may mount it, such as `10.79.0.0/24`: the storage network, or the guest network where
    /// there is none.
    pub network: String,
}

/// What the template sees for each node, in the lab's order. `devices` are those of the nodes, in
/// the same order.
#[must_use]
pub fn of<'a>(spec: &'a LabSpec, devices: &[Devices]) -> Vec<Context<'a>> {
    let nodes: Vec<NodeContext> = spec
        .nodes
        .iter()
        .zip(devices)
        .enumerate()
        .map(|(index, (name, devices))| node(spec, index, name, devices))
        .collect();
    let storage = storage(spec, &nodes);
    let context = |node: &NodeContext| Context {
        lab: spec,
        node: node.clone(),
        nodes: nodes.clone(),
        storage: storage.clone(),
        proxmox: None,
    };
    nodes.iter().map(context).collect()
}

fn node(spec: &LabSpec, index: usize, name: &str, devices: &Devices) -> NodeContext {
    let networks = &spec.networks;
    let addresses = devices.addresses.unwrap_or_else(|| Addresses::of(spec, index));
    let guest_address = addresses.guest;
    let mac = BRIDGE_MAC.iter().copied().chain(guest_address.octets());
    let mac: Vec<String> = mac.map(|byte| format!("{byte:02x}")).collect();
    NodeContext {
        name: name.to_owned(),
        index,
        guest_address,
        guest_device: devices.guest.clone(),
        guest_bridge: BRIDGE,
        guest_bridge_mac: mac.join(":"),
        tap: GUEST_TAP,
        migration_address: addresses.migration,
        migration_device: devices.migration.clone(),
        storage_address: addresses.storage.filter(|_| networks.storage.is_some()),
        storage_device: devices.storage.clone().filter(|_| networks.storage.is_some()),
    }
}

fn storage(spec: &LabSpec, nodes: &[NodeContext]) -> Option<StorageContext> {
    let said = spec.shared_folder()?;
    let path = said.path()?.clone();
    let network: &Network = spec.networks.storage.as_ref().unwrap_or(&spec.networks.guest);
    let nfs = said.nfs.and_then(|nfs| {
        let node = nodes.iter().find(|node| node.name == nfs.server)?;
        Some(NfsContext {
            address: node.storage_address.unwrap_or(node.guest_address),
            server: nfs.server,
            export: nfs.export,
            network: network.cidr.to_string(),
        })
    });
    Some(StorageContext { path, nfs })
}
