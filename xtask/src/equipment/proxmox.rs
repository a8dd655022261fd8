//! What trials are made with on a cluster of Proxmox VE: its API, and what its nodes have.

mod by_api;
mod cd;
mod existing;

use super::{
    Equipped,
    on_nodes::{self, There},
};
use crate::{
    build::Built,
    exit::{Exit, Failure, Result},
};
use anyhow::Context;
use camino::Utf8PathBuf;
use harness::{
    run_folder::{self, Home, NodeHost},
    settings::QemuName,
    trial::{Equipment, Hypervisor, OwnGuests, ProxmoxBoot, ProxmoxEquipment, ProxmoxGuest},
};
use lab::{
    RunningLab,
    hypervisor::{
        proxmox::{
            self, Client, Error, Fault,
            guest::{MonitorFolder, Ours, same_on_all},
        },
        qemu::{Accelerator, find},
    },
    node::{Forward, Node},
    spec::LabSpec,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// How much longer than usual a guest may take where nodes have no KVM: they are virtual machines
/// themselves then, and a guest is translated within what may be translated.
const TCG_PATIENCE: f64 = 10.0;

/// The client that a lab file asks for, with the secret from the environment or a file.
///
/// # Errors
/// When what it asks for is not there.
pub fn client(spec: &LabSpec) -> Result<Client> {
    Client::of_lab(spec, |name| std::env::var(name).ok())
        .map_err(|error| Failure::new(Exit::InvalidInput, error))
}

/// The way to a cluster's API.
pub struct Access {
    client: Client,
    forwards: Vec<Forward>,
}

impl Access {
    /// By the network.
    pub const fn of(client: Client) -> Self {
        Self { client, forwards: Vec::new() }
    }

    /// To a cluster that `lab-up` has made: only its nodes reach it.
    ///
    /// # Errors
    /// When the lab has not been set up to its end.
    pub async fn of_made(lab: &RunningLab) -> Result<Self> {
        let made = proxmox::of_made(&lab.folder, &lab.nodes).await;
        let (client, forwards) = made.map_err(|error| Failure::new(Exit::Lab, error))?;
        Ok(Self { client, forwards })
    }
}

/// Asks the API and all nodes of a lab that is up, and sends them the guest and the observer; for
/// others than root, who alone may give a guest its kernel, the storage gets a CD of it. A VM that
/// somebody has is found instead, and looked at; `home` is where it was before the run.
///
/// # Errors
/// When we are not let in or may not do what must be done, when a node lacks something, or when
/// they differ.
pub async fn equip(
    lab: &RunningLab,
    access: Access,
    built: Built,
    node_patience: Duration,
    home: Option<Home>,
) -> Result<Equipped> {
    let broken = |error: anyhow::Error| Failure::new(Exit::Lab, error);
    let refused = |error: Error| match error.fault() {
        Fault::Settings { .. } => Failure::new(Exit::InvalidInput, error),
        _ => Failure::new(Exit::Lab, error),
    };
    let Access { client, forwards } = access;
    let proxmox = lab.spec.proxmox().context("the lab's hypervisor is not Proxmox VE")?;
    let is_root = client.credentials().is_root();
    let has_shell = lab.nodes.iter().all(Node::has_shell);
    if !is_root || !has_shell {
        cd::check(&lab.spec, &client).await?;
    }
    let server = server_versions(lab, &client).await.map_err(refused)?;
    let Nodes { hosts, qemu, warnings, accelerator: by_nodes, image } = match has_shell {
        true => by_ssh(lab, &built).await.map_err(broken)?,
        false => by_api::look(lab, &client).await.map_err(broken)?,
    };
    let ids = proxmox.vmids;
    let chosen = match &proxmox.guest {
        Some(spec) => {
            let found = existing::find(lab, &client, spec, home).await?;
            Chosen {
                guest: ProxmoxGuest::Existing(found.guest),
                what: run_folder::Guest { kind: found.kind, sha256: "none".to_owned() },
                accelerator: if found.is_emulated {
                    (Accelerator::Tcg, "the VM has `kvm: 0`".to_owned())
                } else {
                    by_nodes
                },
            }
        }
        None => {
            let boot = match &image {
                Some(image) if is_root => {
                    same_on_all(&lab.nodes, image).await.map_err(broken)?;
                    ProxmoxBoot::Kernel
                }
                _ => {
                    let volume = cd::bring(&lab.spec, &client, &built.guest).await;
                    ProxmoxBoot::Cd { volume: volume.map_err(broken)? }
                }
            };
            let monitor = (is_root && has_shell).then(MonitorFolder::default);
            Chosen {
                guest: ProxmoxGuest::Own(OwnGuests { bridge: proxmox.bridge, boot, monitor }),
                what: run_folder::Guest {
                    // It is another one to whoever compares runs.
                    kind: if has_shell { "bare-metal" } else { "bare-metal, idle" }.to_owned(),
                    sha256: find::file_sha256(built.guest.as_std_path())?,
                },
                accelerator: by_nodes,
            }
        }
    };
    let (accelerator, accelerator_reason) = chosen.accelerator;
    Ok(Equipped {
        equipment: Equipment {
            hypervisor: Hypervisor::Proxmox(ProxmoxEquipment {
                client: Arc::new(client),
                ours: Ours { ids: ids.first..=ids.last, tag: Ours::TAG.to_owned() },
                guest: chosen.guest,
            }),
            accelerator,
            patience: if accelerator == Accelerator::Kvm { 1.0 } else { TCG_PATIENCE },
            node_patience,
            guest: built.guest,
            observer: built.observer,
        },
        qemu,
        accelerator_reason,
        guest: chosen.what,
        nodes: hosts,
        versions: BTreeMap::from([("qemu-server".to_owned(), server)]),
        warnings,
        forwards,
    })
}

/// What the nodes are.
struct Nodes {
    hosts: Vec<NodeHost>,
    qemu: run_folder::Qemu,
    warnings: Vec<String>,
    accelerator: (Accelerator, String),
    /// The guest's image there, where it was sent.
    image: Option<Utf8PathBuf>,
}

/// As they say themselves.
async fn by_ssh(lab: &RunningLab, built: &Built) -> anyhow::Result<Nodes> {
    let wanted = BTreeMap::from([(QemuName::lab(), None)]);
    let all = on_nodes::look(lab, &wanted, built).await?;
    let first = all.first().context("a lab without nodes")?;
    on_nodes::same_qemus(&all)?;
    Ok(Nodes {
        hosts: all.iter().map(node).collect(),
        qemu: first.qemus.get(&QemuName::lab()).context("no QEMU takes part")?.clone(),
        warnings: first.warnings.clone(),
        accelerator: accelerator(&all),
        image: Some(first.guest.clone()),
    })
}

/// What trials migrate, and what runs it.
struct Chosen {
    guest: ProxmoxGuest,
    what: run_folder::Guest,
    accelerator: (Accelerator, String),
}

fn node(there: &There) -> NodeHost {
    let host = on_nodes::host(&there.facts);
    // Not measured here: Proxmox runs its own guests only.
    NodeHost { name: there.node.name.clone(), host, fill_mib_per_s: 0.0 }
}

/// KVM where all nodes have it: a guest goes from each to each.
fn accelerator(all: &[There]) -> (Accelerator, String) {
    let without = all.iter().filter(|there| !there.facts.kvm_opens);
    let without: Vec<&str> = without.map(|there| there.node.name.as_str()).collect();
    match without[..] {
        [] => (Accelerator::Kvm, "all nodes have it".to_owned()),
        _ => (Accelerator::Tcg, format!("no KVM on {}", without.join(", "))),
    }
}

/// The version of `qemu-server`, on which depends what migrations do; all of them, where nodes
/// differ.
async fn server_versions(lab: &RunningLab, client: &Client) -> std::result::Result<String, Error> {
    let mut versions = BTreeSet::new();
    for node in &lab.nodes {
        versions.insert(client.capabilities(&node.name).await?.qemu_server.to_string());
    }
    Ok(versions.into_iter().collect::<Vec<_>>().join(", "))
}
