//! The status of labs whose nodes are other machines.

use super::{Details, NodeStatus, node_status};
use anyhow::Result;
use camino::Utf8PathBuf;
use lab::{
    facts::Facts, hypervisor::qemu::on_node, node::Node, provider::machines::Glance, spec::LabSpec,
};
use serde::Serialize;
use std::net::Ipv4Addr;

/// A node that is another machine.
#[derive(Serialize)]
pub struct Machine {
    /// What it is.
    #[serde(rename = "host")]
    pub facts: Facts,
    /// The version of its QEMU; none where it has none that can be used.
    pub qemu: Option<String>,
}

/// A node that cannot be looked at.
#[derive(Serialize)]
pub struct Unreachable {
    /// Its name.
    pub name: String,
    /// What is wrong, and what helps.
    pub why: String,
}

/// A machine of a lab that is not up.
#[derive(Serialize)]
pub struct Declared {
    /// Its node's name.
    pub name: String,
    /// Where SSH finds it.
    pub ssh: String,
    /// Whether it answers.
    pub reachable: bool,
    /// Release of its kernel.
    pub kernel: Option<String>,
    /// The version of its QEMU.
    pub qemu: Option<String>,
    /// Its links to the lab's networks, where it has them.
    pub links: Vec<DeclaredLink>,
    /// What is wrong, and what helps.
    pub why: Option<String>,
}

/// A link of such a machine.
#[derive(Serialize)]
pub struct DeclaredLink {
    /// The network.
    pub network: &'static str,
    /// The machine's address there.
    pub address: Ipv4Addr,
    /// The device by which it is reached.
    pub device: String,
}

/// Of a lab that is up.
pub async fn look(
    spec: &LabSpec,
    as_its_file_says: bool,
    folder: Utf8PathBuf,
    found: Vec<(String, Result<Node>)>,
) -> Details {
    let (mut nodes, mut unreachable) = (Vec::new(), Vec::new());
    for (name, node) in found {
        let status = match node {
            Ok(node) => status(spec, &node).await,
            Err(error) => Err(error),
        };
        match status {
            Ok(status) => nodes.push(status),
            Err(error) => unreachable.push(Unreachable { name, why: format!("{error:#}") }),
        }
    }
    Details { since: None, supervisor_pid: None, as_its_file_says, folder, nodes, unreachable }
}

async fn status(spec: &LabSpec, node: &Node) -> Result<NodeStatus> {
    let binary = spec.qemu.as_ref().and_then(|qemu| qemu.binary.as_deref());
    let choice = on_node::choose(node, binary).await.ok();
    let qemu = choice.map(|choice| choice.qemu.full_version);
    let machine = Some(Machine { facts: Facts::of(node).await?, qemu });
    Ok(NodeStatus { machine, ..node_status(node).await? })
}

/// Of one that is not.
pub fn declared(glances: Vec<(String, String, Result<Glance>)>) -> Vec<Declared> {
    let of_one = |(name, ssh, glance): (String, String, Result<Glance>)| match glance {
        Err(error) => Declared {
            name,
            ssh,
            reachable: false,
            kernel: None,
            qemu: None,
            links: Vec::new(),
            why: Some(format!("{error:#}")),
        },
        Ok(Glance { kernel, qemu, links }) => {
            let (kernel, reachable) = (Some(kernel), true);
            match links {
                Err(error) => {
                    let why = Some(format!("{error:#}"));
                    Declared { name, ssh, reachable, kernel, qemu, links: Vec::new(), why }
                }
                Ok(found) => {
                    let link = |network, address, device| DeclaredLink { network, address, device };
                    let mut links = vec![
                        link("guest", found.guest_address, found.guest_device),
                        link("migration", found.migration_address, found.migration_device),
                    ];
                    let storage = found.storage;
                    links.extend(storage.map(|(address, device)| link("storage", address, device)));
                    Declared { name, ssh, reachable, kernel, qemu, links, why: None }
                }
            }
        }
    };
    glances.into_iter().map(of_one).collect()
}
