//! What providers share whose nodes are machines of their own, reached by SSH.

pub(super) mod devices;
mod glance;
pub(super) mod uplink;

pub use glance::{Glance, glance};

use crate::{
    node::{GUEST_TAP, Node, Shell},
    spec::{GUEST_SLOTS, HostDevices, Ipv4Cidr, LabSpec, Link},
    ssh::{Connection, SshTarget},
};
use anyhow::{Context, Result, anyhow, bail};
use camino::Utf8Path;
use devices::Device;
use std::{net::Ipv4Addr, time::Duration};

/// How long one machine may take to let us in and get our program.
const CONNECTING: Duration = Duration::from_secs(60);

/// `ip` takes milliseconds, and a second or two on an emulated node.
const LOOKING: Duration = Duration::from_secs(30);

/// How a node reaches the lab's networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// Address in the guest network.
    pub guest_address: Ipv4Addr,
    /// Device by which that network is reached.
    pub guest_device: String,
    /// Address in the migration network.
    pub migration_address: Ipv4Addr,
    /// Device by which that network is reached.
    pub migration_device: String,
    /// Address in the storage network and the device by which it is reached, where the lab has one.
    pub storage: Option<(Ipv4Addr, String)>,
}

/// Connections to machines, each with its node's name, or why there is none.
pub type Reached = Vec<(String, Result<Connection>)>;

/// Tries to connect to all machines at once, in the order of `targets`: a node's name and where it
/// is.
///
/// # Errors
/// When an attempt is cut off; what is wrong with a machine is in the answer.
pub async fn reach(targets: &[(String, SshTarget)], observer: &Utf8Path) -> Result<Reached> {
    let attempts: Vec<_> = targets
        .iter()
        .map(|(_, target)| {
            let (target, observer) = (target.clone(), observer.to_owned());
            tokio::spawn(async move { Connection::open(target, &observer, CONNECTING).await })
        })
        .collect();
    let mut reached = Vec::new();
    for ((name, _), attempt) in targets.iter().zip(attempts) {
        let connection = attempt.await.context("an attempt to connect ended early")?;
        reached.push((name.clone(), connection));
    }
    Ok(reached)
}

/// Connects to all machines at once, in the order of `targets`.
///
/// # Errors
/// With what is wrong with each machine that cannot be reached.
pub async fn connect(
    targets: &[(String, SshTarget)],
    observer: &Utf8Path,
) -> Result<Vec<Connection>> {
    let (mut connections, mut failures) = (Vec::new(), Vec::new());
    for (name, connection) in reach(targets, observer).await? {
        match connection {
            Ok(connection) => connections.push(connection),
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
    }
    all_well(failures)?;
    Ok(connections)
}

/// A node that is reached by a connection, with links as they are known.
#[must_use]
pub fn node(spec: &LabSpec, name: &str, connection: Connection, links: Links) -> Node {
    Node {
        name: name.to_owned(),
        guest_address: links.guest_address,
        migration_address: links.migration_address,
        storage_address: links.storage.map(|(address, _)| address),
        guest_device: links.guest_device,
        migration_device: links.migration_device,
        tap: GUEST_TAP.to_owned(),
        storage: spec.shared_folder().and_then(|storage| storage.path().cloned()),
        shell: Shell::Agent(connection),
    }
}

/// Finds how each machine reaches the lab's networks, by the addresses it has. `connections` in the
/// order of the spec's nodes.
///
/// # Errors
/// When a machine has no address in a network, or several, or two machines the same; when it is not
/// clear which of its devices lead there.
pub async fn nodes(spec: &LabSpec, connections: Vec<Connection>) -> Result<Vec<Node>> {
    let (mut nodes, mut failures) = (Vec::<Node>::new(), Vec::new());
    for (name, connection) in spec.nodes.iter().zip(connections) {
        match look(spec, name, connection).await {
            Ok(node) => {
                let same = nodes.iter().find(|other| other.guest_address == node.guest_address);
                if let Some(other) = same {
                    let address = node.guest_address;
                    failures.push(format!("{name} has the address {address} of {}", other.name));
                }
                nodes.push(node);
            }
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
    }
    all_well(failures)?;
    Ok(nodes)
}

/// The node that a machine is, with its links as they are found on it.
///
/// # Errors
/// As [`nodes`].
pub async fn look(spec: &LabSpec, name: &str, connection: Connection) -> Result<Node> {
    let argv = ["ip", "-json", "-details", "address", "show"].map(str::to_owned);
    let text = crate::node::run(&connection.agent(), &argv, LOOKING).await?;
    let links = links(spec, name, &devices::parse(&text)?)?;
    Ok(node(spec, name, connection, links))
}

/// The links of the node of this name, whose machine has these devices.
fn links(spec: &LabSpec, name: &str, devices: &[Device]) -> Result<Links> {
    let chosen = chosen(spec, name);
    let link = |network: &str, cidr: Ipv4Cidr, link: Option<Link>, chosen: &Option<String>| {
        let Some(home) = devices::find(devices, network, cidr)? else {
            bail!(
                "it has no address in the {network} network {cidr}\n\nhint: its addresses are {}; \
                 give the network's `cidr` in the lab file, or the machine an address in it",
                devices::all(devices)
            );
        };
        let key = format!("hosts.{name}.devices.{network}");
        let device = uplink::of(devices, home.device, link, chosen.as_deref(), &key)?;
        Ok((home.address, device.name.clone()))
    };
    let networks = &spec.networks;
    let (guest_address, guest_device) =
        link("guest", networks.guest.cidr, Some(Link::Guest), &chosen.guest)?;
    let (migration_address, migration_device) =
        link("migration", networks.migration.cidr, Some(Link::Migration), &chosen.migration)?;
    let storage = match &networks.storage {
        Some(network) => Some(link("storage", network.cidr, None, &chosen.storage)?),
        None => None,
    };
    not_a_guests(spec, guest_address)?;
    if guest_device == migration_device {
        bail!(
            "both the guest and the migration network are reached by `{guest_device}`: a rate of \
             one would be that of both\n\nhint: give one of them a card, or a VLAN, of its own"
        );
    }
    Ok(Links { guest_address, guest_device, migration_address, migration_device, storage })
}

/// Guests have the highest addresses.
pub(super) fn not_a_guests(spec: &LabSpec, address: Ipv4Addr) -> Result<()> {
    let guest = &spec.networks.guest;
    if (0..GUEST_SLOTS).any(|slot| guest.guest_address(slot) == address) {
        bail!(
            "its address {address} is one of the {GUEST_SLOTS} highest of the guest network {}, \
             which guests get\n\nhint: take a wider `cidr` in the lab file, or another address",
            guest.cidr
        );
    }
    Ok(())
}

/// The devices that the lab file names.
pub(super) fn chosen(spec: &LabSpec, name: &str) -> HostDevices {
    let host = spec.hosts.as_ref().and_then(|hosts| hosts.get(name));
    host.map(|host| host.devices.clone()).unwrap_or_default()
}

/// An error of everything that is wrong with machines, if anything is.
pub(super) fn all_well(failures: Vec<String>) -> Result<()> {
    match &failures[..] {
        [] => Ok(()),
        [one] => Err(anyhow!("{one}")),
        _ => bail!("{}", failures.join("\n\n")),
    }
}

#[cfg(test)]
mod tests;
