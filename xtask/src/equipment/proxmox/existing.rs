//! A VM that somebody has, looked at before trials migrate it.

use crate::{
    exit::{Exit, Failure, Result},
    show,
};
use anyhow::{Context, anyhow};
use harness::{run_folder::Home, trial::ExistingGuest};
use lab::{
    RunningLab,
    hypervisor::proxmox::{Client, Error, guest::Existing},
    node::Node,
    spec::ExistingSpec,
};

/// What was found.
pub struct Found {
    /// For the trials.
    pub guest: ExistingGuest,
    /// What a run's folder calls it.
    pub kind: String,
    /// Whether its instructions are translated, whatever its nodes could do.
    pub is_emulated: bool,
}

/// Finds it and looks whether it may be migrated, changing nothing.
///
/// # Errors
/// What stands against that.
pub async fn find(
    lab: &RunningLab,
    client: &Client,
    spec: &ExistingSpec,
    home: Option<Home>,
) -> Result<Found> {
    let refused = |error: Error| Failure::new(Exit::Lab, error);
    let mut vm = Existing::find(client, spec.vmid, &spec.name).await.map_err(refused)?;
    let node = vm.home.clone();
    let nodes = &lab.spec.nodes;
    if !nodes.contains(&node) {
        let text = format!(
            "VM {} is on {node}, which is no node of the lab\n\nhint: the lab's nodes are {}",
            spec.vmid,
            nodes.join(", ")
        );
        return Err(Failure::new(Exit::InvalidInput, anyhow!(text)));
    }
    for target in nodes.iter().filter(|name| **name != node) {
        vm.check(client, target).await.map_err(refused)?;
    }
    let config = client.vm_config(&node, spec.vmid).await.map_err(refused)?;
    let status = client.vm_status(&node, spec.vmid).await.map_err(refused)?;
    let qemu = status.running_qemu.context("Proxmox does not say which QEMU runs the VM")?;
    if let Some(home) = home {
        vm.home = home.node;
    }
    show::tell(&format!(
        "VM {} ({}) on {node}, QEMU {qemu}: migrated and nothing else, and put back on {} at the end",
        vm.vmid, vm.name, vm.home
    ));
    if spec.address.is_none() || !lab.nodes.iter().all(Node::has_shell) {
        show::tell(
            "nobody times its outage: that takes its address in `proxmox.guest`, and SSH to the nodes",
        );
    }
    Ok(Found {
        kind: format!("VM {} ({})", vm.vmid, vm.name),
        is_emulated: config.get("kvm") == Some("0"),
        guest: ExistingGuest { memory_bytes: config.memory_bytes(), address: spec.address, vm },
    })
}
