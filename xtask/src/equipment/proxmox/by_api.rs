//! What the nodes of a cluster are, as its API alone tells it.

use super::Nodes;
use anyhow::{Result, anyhow, bail};
use harness::run_folder::{Host, NodeHost, Qemu};
use lab::{
    RunningLab,
    hypervisor::{
        proxmox::{
            Client,
            survey::{Answer, Survey},
        },
        qemu::Accelerator,
    },
};
use std::collections::BTreeSet;

/// What nobody tells.
const UNKNOWN: &str = "unknown";

/// Asks for all nodes.
///
/// # Errors
/// When one is not told of, or their QEMUs differ.
pub async fn look(lab: &RunningLab, client: &Client) -> Result<Nodes> {
    let survey = Survey::take(client, &lab.spec).await?;
    let (mut hosts, mut qemus, mut without) = (Vec::new(), BTreeSet::new(), Vec::new());
    for node in &survey.nodes {
        let health = match &node.health {
            Answer::Told(health) => health,
            Answer::Refused(refusal) => bail!("{} is not told of: {}", node.name, refusal.why),
        };
        let memory_bytes = client.node_status(&node.name).await?.memory.total;
        hosts.push(NodeHost {
            name: node.name.clone(),
            host: Host {
                kernel: health.kernel.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
                cpu_model: health.model.clone(),
                cpu_count: u32::try_from(health.processors)?,
                memory_bytes,
            },
            fill_mib_per_s: 0.0,
        });
        if !health.virtualizes {
            without.push(node.name.clone());
        }
        qemus.extend(node.versions.told().and_then(|of| of.qemu.clone()));
    }
    let version = match qemus.len() {
        0 => UNKNOWN.to_owned(),
        1 => qemus.into_iter().collect(),
        _ => {
            let all = qemus.into_iter().collect::<Vec<_>>().join(", ");
            return Err(anyhow!(
                "the nodes have different versions of pve-qemu-kvm: {all}\n\nhint: bring them to the \
                 same one; what runs a guest would depend on its roles"
            ));
        }
    };
    Ok(Nodes {
        hosts,
        qemu: Qemu { path: "/usr/bin/kvm".into(), version, sha256: UNKNOWN.to_owned() },
        warnings: vec![
            "nodes are not reached by SSH: guests of ours stand still, nobody times their outage, \
             and most metrics are unavailable"
                .to_owned(),
        ],
        accelerator: match without[..] {
            [] => (Accelerator::Kvm, "all nodes can virtualize, says the API".to_owned()),
            _ => (Accelerator::Tcg, format!("no virtualization on {}", without.join(", "))),
        },
        image: None,
    })
}
