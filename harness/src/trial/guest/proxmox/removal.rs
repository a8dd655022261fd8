//! Guests of ours, removed wherever they are; and whether the cluster can take a new one.

use crate::trial::{Live, Lost, Order, equipment::ProxmoxEquipment};
use lab::{
    RunningLab,
    hypervisor::proxmox::{
        Client, Error, Fault,
        guest::{self, Swept},
    },
    wait,
};
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// From one look at a cluster that is not ready to the next.
const PAUSES: wait::Pauses =
    wait::Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(5) };
/// What is locked or busy by something that ends is waited for so long.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(120);

/// Removes a VM of ours, wherever it is and whatever still runs with it.
///
/// # Errors
/// When Proxmox does not let go of it in time, or its node is gone.
pub async fn remove(equipment: &ProxmoxEquipment, vmid: u32) -> Result<(), Error> {
    let ours = guest::Ours { ids: vmid..=vmid, ..equipment.ours.clone() };
    sweep_of(&equipment.client, &ours).await.map(drop)
}

/// Removes every VM that is ours: with our tag and an id of ours.
///
/// # Errors
/// When one of them cannot be removed.
pub async fn sweep(equipment: &ProxmoxEquipment) -> Result<Vec<Swept>, Error> {
    sweep_of(&equipment.client, &equipment.ours).await
}

async fn sweep_of(client: &Client, ours: &guest::Ours) -> Result<Vec<Swept>, Error> {
    wait::backing_off(PAUSES, REMOVAL_PATIENCE, || async move {
        match guest::sweep(client, ours).await {
            Ok(swept) => ControlFlow::Break(Ok(swept)),
            Err(error) if passes(error.fault()) => ControlFlow::Continue(error),
            Err(error) => ControlFlow::Break(Err(error)),
        }
    })
    .await
}

/// Whether it may be over soon by itself.
fn passes(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Busy { .. } | Fault::Locked { .. } | Fault::NoVm { .. } | Fault::TaskFailed { .. }
    ) || fault.may_pass()
        || fault.was_never_sent()
        || fault.leaves_open()
}

/// Waits until the cluster answers, has a quorum and sees the trial's nodes, all in all as long as
/// `patience`; then removes what earlier trials left.
///
/// # Errors
/// When that does not come about in time, or we are not let in.
pub async fn ready(
    lab: &RunningLab,
    equipment: &ProxmoxEquipment,
    order: &Order,
    patience: Duration,
    live: &mut (dyn FnMut(Live<'_>) + Send),
) -> Result<(), Lost> {
    let begun = Instant::now();
    let name = |index: usize| lab.nodes.get(index).map_or("", |node| node.name.as_str());
    let nodes = [name(order.source), name(order.target)];
    let client = &equipment.client;
    if is_ready(client, nodes).await.is_err_and(|not| not.passes) {
        live(Live::Waiting { node: "the cluster", at_most: patience });
    }
    let waited = wait::backing_off(PAUSES, patience, || async move {
        match is_ready(client, nodes).await {
            Ok(()) => ControlFlow::Break(Ok(())),
            Err(not) if not.passes => ControlFlow::Continue(not),
            Err(not) => ControlFlow::Break(Err(not)),
        }
    });
    waited.await.map_err(|not| Lost::Cluster {
        waited: begun.elapsed(),
        reason: not.why,
        trial: order.trial,
    })?;
    // What cannot be removed now has an id that is not taken again; it is tried again at the end.
    let _left_for_later = guest::sweep(client, &equipment.ours).await;
    Ok(())
}

/// The highest load of a trial's nodes, one-minute average, as the API tells it; 0 where it does not.
pub async fn load(lab: &RunningLab, equipment: &ProxmoxEquipment, order: &Order) -> f64 {
    let mut highest = 0.0_f64;
    for index in [order.source, order.target, order.witness] {
        let Some(node) = lab.nodes.get(index) else { continue };
        if let Ok(status) = equipment.client.node_status(&node.name).await {
            highest = status.loadavg.first().copied().unwrap_or(0.0).max(highest);
        }
    }
    highest
}

/// Why a cluster can take no guest now.
struct NotReady {
    why: String,
    /// Whether that may be over soon.
    passes: bool,
}

async fn is_ready(client: &Client, nodes: [&str; 2]) -> Result<(), NotReady> {
    let not = |why: String| Err(NotReady { why, passes: true });
    let status = client
        .cluster_status()
        .await
        .map_err(|error| NotReady { passes: passes(error.fault()), why: error.to_string() })?;
    if !status.quorate {
        return not("the cluster has no quorum".to_owned());
    }
    for name in nodes {
        match status.nodes.iter().find(|node| node.name == name) {
            None => {
                let why = format!("{name} is no node of the cluster");
                return Err(NotReady { why, passes: false });
            }
            Some(node) if !node.online => return not(format!("the cluster does not see {name}")),
            Some(_) => {}
        }
    }
    Ok(())
}
