//! What must be known of a cluster before anything is migrated on it. Only reads.

mod found;
mod privileges;

pub use found::{
    Address, Answer, Capacity, Clock, Cluster, Datacenter, Definition, Guest, Health, NodeSurvey,
    Refusal, Survey, Versions,
};
pub use privileges::{Grant, Lack, ROLE};

use super::{
    call::Client,
    credentials::Credentials,
    error::Error,
    types::{NodeStatus, Resource, StorageStatus},
};
use crate::spec::{LabSpec, ProxmoxSpec};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{SystemTime, UNIX_EPOCH},
};

/// The tag of every guest that this program makes.
pub const TAG: &str = "precopy-lab";

impl Survey {
    /// Asks for everything, node after node. What is refused is kept as that.
    ///
    /// # Errors
    /// When the cluster cannot be asked at all: not reached, not trusted, not let in.
    pub async fn take(client: &Client, spec: &LabSpec) -> Result<Self, Error> {
        // A first call, so that what is wrong with all of them is said once.
        client.release().await?;
        let proxmox = spec.proxmox().unwrap_or_default();
        let cluster = client.cluster_status().await.map(|status| Cluster {
            name: status.name,
            quorate: status.quorate,
            online: status.nodes.into_iter().map(|node| (node.name, node.online)).collect(),
        });
        let cluster = Answer::from(cluster);
        let mut nodes = Vec::new();
        for name in &spec.nodes {
            let online = match &cluster {
                Answer::Told(cluster) => cluster.online.get(name).copied(),
                Answer::Refused(_) => Some(true),
            };
            nodes.push(node(client, name, online, &proxmox).await);
        }
        compare_flags(&mut nodes);
        let guests = client.resources("vm").await.map(|all| guests(all, &proxmox));
        let versions: Vec<_> = nodes.iter().filter_map(|node| node.versions.told()).collect();
        let lacks = privileges::lacks(client, &proxmox, &versions).await;
        let privileged = matches!(&lacks, Answer::Told(lacks) if lacks.sees_all_guests);
        Ok(Self {
            who: client.credentials().who().to_owned(),
            is_token: matches!(client.credentials(), Credentials::Token { .. }),
            is_root: client.credentials().is_root(),
            datacenter: client
                .cluster_options()
                .await
                .map(|options| Datacenter {
                    kind: options.migration.as_ref().and_then(|it| it.kind.clone()),
                    network: options.migration.as_ref().and_then(|it| it.network.clone()),
                    limit_bytes_s: options.migration_limit_bytes_s(),
                })
                .into(),
            definition: definition(client, &proxmox.storage).await,
            cluster,
            nodes,
            guests: guests.into(),
            sees_all_guests: privileged,
            lacks: lacks.map(|lacks| lacks.lacks),
        })
    }
}

async fn definition(client: &Client, storage: &str) -> Answer<Option<Definition>> {
    let all = client.storages().await;
    all.map(|all| {
        let found = all.into_iter().find(|entry| entry.storage == storage)?;
        let (kind, content, nodes) = (found.kind, found.content, found.nodes);
        Some(Definition { kind, content, nodes, disabled: found.disable })
    })
    .into()
}

/// One node: `online` is what the others say of it, nothing where they do not know it.
async fn node(
    client: &Client,
    name: &str,
    online: Option<bool>,
    proxmox: &ProxmoxSpec,
) -> NodeSurvey {
    // A node that is down would be waited for at each question.
    if online != Some(true) {
        let why = match online {
            None => "it is no node of the cluster",
            _ => "it is offline",
        };
        let refused = || Refusal { why: why.to_owned(), hint: None };
        return NodeSurvey {
            name: name.to_owned(),
            health: Answer::Refused(refused()),
            versions: Answer::Refused(refused()),
            clock: Answer::Refused(refused()),
            interfaces: Answer::Refused(refused()),
            storage: Answer::Refused(refused()),
        };
    }
    let here = |all: Vec<StorageStatus>| {
        let named = |it: &StorageStatus| it.storage.as_deref() == Some(&proxmox.storage);
        all.into_iter().find(named).map(|it| Capacity {
            active: it.active,
            enabled: it.enabled,
            shared: it.shared,
            available_bytes: it.avail,
        })
    };
    NodeSurvey {
        name: name.to_owned(),
        health: client.node_status(name).await.map(health).into(),
        versions: versions(client, name).await.into(),
        clock: clock(client, name).await.into(),
        interfaces: client
            .interfaces(name)
            .await
            .map(|all| {
                let each = all.into_iter().map(|it| Address {
                    interface: it.iface,
                    is_bridge: it.kind.ends_with("ridge"),
                    cidr: it.cidr,
                    active: it.active,
                    mtu: it.mtu,
                });
                each.collect()
            })
            .into(),
        storage: client.node_storages(name).await.map(here).into(),
    }
}

fn health(status: NodeStatus) -> Health {
    let memory = status.memory;
    Health {
        manager: status.pveversion.split('/').nth(1).unwrap_or_default().to_owned(),
        kernel: status.current_kernel.map(|kernel| kernel.release),
        load: status.loadavg.first().copied(),
        virtualizes: status.cpuinfo.has_virtualization(),
        flags: status.cpuinfo.flags.split_whitespace().map(str::to_owned).collect(),
        lacks_flags: Vec::new(),
        model: status.cpuinfo.model,
        processors: status.cpuinfo.cpus,
        available_bytes: memory.available.unwrap_or(memory.free),
    }
}

/// Fills in which of the others' flags each processor lacks.
fn compare_flags(nodes: &mut [NodeSurvey]) {
    let all: BTreeSet<String> = nodes
        .iter()
        .filter_map(|node| node.health.told())
        .flat_map(|health| health.flags.iter().cloned())
        .collect();
    for node in nodes {
        if let Answer::Told(health) = &mut node.health {
            health.lacks_flags = all.difference(&health.flags).cloned().collect();
        }
    }
}

async fn versions(client: &Client, node: &str) -> Result<Versions, Error> {
    let packages = client.packages(node).await?;
    let installed: BTreeMap<&str, String> = packages
        .iter()
        .filter_map(|it| Some((it.package.as_str(), it.installed()?.ok()?.to_string())))
        .collect();
    let of = |name: &str| installed.get(name).cloned();
    Ok(Versions { qemu_server: of("qemu-server"), qemu: of("pve-qemu-kvm") })
}

/// The node's clock against ours: Proxmox tells whole seconds, cut off.
async fn clock(client: &Client, node: &str) -> Result<Clock, Error> {
    let before = now_s();
    let told = client.node_time(node).await?;
    let after = now_s();
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in it")]
    let time = told.time as f64;
    Ok(Clock {
        offset_s: ((time + 0.5 - f64::midpoint(before, after)) * 1e3).round() / 1e3,
        // A millisecond more, as the offset is rounded to one.
        error_s: ((0.501 + (after - before) / 2.0) * 1e3).ceil() / 1e3,
        zone: told.timezone,
    })
}

fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Those that have an id of ours or our tag.
fn guests(all: Vec<Resource>, proxmox: &ProxmoxSpec) -> Vec<Guest> {
    let ours = all.into_iter().filter_map(|it| {
        let tags = it.tags.unwrap_or_default();
        let tagged = tags.split([';', ',', ' ']).any(|tag| tag == TAG);
        let vmid = it.vmid?;
        (tagged || proxmox.vmids.contains(vmid)).then(|| Guest {
            vmid,
            name: it.name.unwrap_or_default(),
            node: it.node.unwrap_or_default(),
            status: it.status.unwrap_or_default(),
            tagged,
            in_range: proxmox.vmids.contains(vmid),
            ha: it.hastate.filter(|state| !state.is_empty() && state != "ignored"),
            lock: it.lock.filter(|lock| !lock.is_empty()),
        })
    });
    let mut guests: Vec<Guest> = ours.collect();
    guests.sort_by_key(|guest| guest.vmid);
    guests
}
