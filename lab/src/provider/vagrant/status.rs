//! Looks at a lab of machines without changing anything.

use super::{box_image, domains, host::Host, names::Names, settings, up::CPU_FILE};
use crate::spec::LabSpec;
use anyhow::Result;
use camino::Utf8Path;
use serde::Serialize;
use std::{net::Ipv4Addr, time::Duration};

const PATIENCE: Duration = Duration::from_secs(30);

/// What is seen of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Whether libvirt is the lab's own; `None` when none answers.
    pub private_libvirt: Option<bool>,
    /// The nodes, in the order of the lab file.
    pub nodes: Vec<NodeState>,
    /// Whether nodes run under KVM and why, as recorded when they were made.
    pub cpu: Option<serde_json::Value>,
    /// Versions by program: `vagrant`, `libvirt`, `qemu`, `box`.
    pub versions: Vec<(&'static str, String)>,
}

/// What is seen of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeState {
    /// Its name.
    pub name: String,
    /// As libvirt says it: `running`, `shut off`; `missing` when it knows no such machine.
    pub state: String,
    /// Its address on Vagrant's own network.
    pub address: Ipv4Addr,
}

/// What of the lab in this folder is there.
///
/// # Errors
/// When libvirt answers and then does not.
pub async fn status(spec: &LabSpec, folder: &Utf8Path) -> Result<Status> {
    let names = Names::of(spec);
    let host = Host::find(folder).await;
    let mut versions = Vec::new();
    let mut states = Vec::new();
    if let Some(host) = &host {
        let vagrant = host.run(&["vagrant", "--version"], PATIENCE).await;
        versions.push(("vagrant", last_word(&vagrant.unwrap_or_default())));
        // Lines such as `Running hypervisor: QEMU 10.0.2`.
        let text = host.virsh(&["version"]).await?;
        let version = |what: &str| {
            let line = text.lines().find(|line| line.starts_with(what));
            last_word(line.unwrap_or_default())
        };
        versions.push(("libvirt", version("Using library")));
        versions.push(("qemu", version("Running hypervisor")));
        states = domains::states(host).await?;
    }
    let name = match box_image::own(spec)? {
        Some(own) => own.name,
        None => settings(spec).box_name,
    };
    versions.push(("box", name));
    let nodes = spec.nodes.iter().enumerate().map(|(index, node)| {
        let domain = names.domain(node);
        let state = states.iter().find(|(name, _)| *name == domain);
        NodeState {
            name: node.clone(),
            state: state.map_or_else(|| "missing".to_owned(), |(_, state)| state.clone()),
            address: names.management_address(index),
        }
    });
    let cpu = std::fs::read(folder.join(CPU_FILE)).ok();
    Ok(Status {
        private_libvirt: host.as_ref().map(Host::is_private),
        nodes: nodes.collect(),
        cpu: cpu.and_then(|text| serde_json::from_slice(&text).ok()),
        versions,
    })
}

fn last_word(line: &str) -> String {
    line.split_whitespace().next_back().unwrap_or("unknown").to_owned()
}
