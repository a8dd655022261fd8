//! What providers share whose nodes are machines of their own, reached by SSH.

mod devices;

use crate::{
    node::{GUEST_TAP, Node, Shell},
    spec::LabSpec,
    ssh::{Connection, SshTarget},
};
use anyhow::{Context, Result, anyhow, bail};
use camino::Utf8Path;
use devices::Link;
use std::{net::Ipv4Addr, time::Duration};

/// How long one machine may take to let us in and get our program.
const CONNECTING: Duration = Duration::from_secs(60);

/// `ip` takes milliseconds.
const LOOKING: Duration = Duration::from_secs(10);

/// How a node reaches the lab's networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// Address in the guest network.
    pub guest_address: Ipv4Addr,
    /// Device with that address.
    pub guest_device: String,
    /// Address in the migration network.
    pub migration_address: Ipv4Addr,
    /// Device with that address.
    pub migration_device: String,
}

/// Connects to all machines at once, in the order of `targets`: a node's name and where it is.
///
/// # Errors
/// With what is wrong with each machine that cannot be reached.
pub async fn connect(
    targets: &[(String, SshTarget)],
    observer: &Utf8Path,
) -> Result<Vec<Connection>> {
    let attempts: Vec<_> = targets
        .iter()
        .map(|(_, target)| {
            let (target, observer) = (target.clone(), observer.to_owned());
            tokio::spawn(async move { Connection::open(target, &observer, CONNECTING).await })
        })
        .collect();
    let (mut connections, mut failures) = (Vec::new(), Vec::new());
    for ((name, _), attempt) in targets.iter().zip(attempts) {
        match attempt.await.context("an attempt to connect ended early")? {
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
/// When a machine has no address in a network, or several, or two machines the same.
pub async fn nodes(spec: &LabSpec, connections: Vec<Connection>) -> Result<Vec<Node>> {
    let (mut nodes, mut failures) = (Vec::<Node>::new(), Vec::new());
    for (name, connection) in spec.nodes.iter().zip(connections) {
        match links(spec, &connection).await {
            Ok(links) => {
                let same = nodes.iter().find(|node| node.guest_address == links.guest_address);
                if let Some(other) = same {
                    let address = links.guest_address;
                    failures.push(format!("{name} has the address {address} of {}", other.name));
                }
                nodes.push(node(spec, name, connection, links));
            }
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
    }
    all_well(failures)?;
    Ok(nodes)
}

async fn links(spec: &LabSpec, connection: &Connection) -> Result<Links> {
    let argv = ["ip", "-json", "-4", "address", "show"].map(str::to_owned);
    let text = crate::node::run(&connection.agent(), &argv, LOOKING).await?;
    let links = devices::parse(&text)?;
    for (name, network) in spec.networks.all() {
        devices::find(&links, name, network.cidr)?;
    }
    let link = |name, network: &crate::spec::Network| devices::find(&links, name, network.cidr);
    let Link { address: guest_address, device: guest_device } =
        link("guest", &spec.networks.guest)?;
    let Link { address: migration_address, device: migration_device } =
        link("migration", &spec.networks.migration)?;
    Ok(Links { guest_address, guest_device, migration_address, migration_device })
}

fn all_well(failures: Vec<String>) -> Result<()> {
    match &failures[..] {
        [] => Ok(()),
        [one] => Err(anyhow!("{one}")),
        _ => bail!("{}", failures.join("\n\n")),
    }
}
