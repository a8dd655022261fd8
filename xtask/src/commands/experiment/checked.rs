//! What the lab is, measured before the first trial.

use super::Task;
use crate::{commands::lab_check::needs, equipment::Equipped};
use anyhow::{Context, Result, bail};
use harness::{
    lab_check::{self, Asked, LabCheck, Needs, Rates, Severity, What, judge},
    link_check::{self, LinkCheck},
    record::OtherGuest,
    settings::MigrationNetwork,
    trial::Hypervisor,
};
use lab::{RunningLab, node::Node, units::BitRate};
use std::collections::BTreeSet;

/// What was found.
#[derive(Debug)]
pub struct Checked {
    /// The link of each network and rate of the plan.
    pub links: Vec<LinkCheck>,
    /// The lab as it was brought up, and the links of the plan.
    pub lab: LabCheck,
}

/// Guests would come into the way of whoever has their addresses, and be answered by them.
fn refuse_taken(found: &LabCheck) -> Result<()> {
    let faults: Vec<_> = found.of(Severity::Fail).collect();
    let mut taken = faults.iter().filter(|finding| finding.what == What::GuestAddresses);
    match taken.next() {
        Some(finding) => {
            let remedy = finding.remedy.as_deref().unwrap_or_default();
            bail!("{}\n\nhint: {remedy}", finding.words())
        }
        None => Ok(()),
    }
}

/// Checks the lab as it is, then the link of each network and rate of the plan, each over a
/// different pair of nodes.
///
/// # Errors
/// When a link cannot be shaped, or somebody has an address of guests.
pub async fn check(lab: &RunningLab, task: &Task, equipped: &Equipped) -> Result<Checked> {
    let equipment = &equipped.equipment;
    let has_shell = lab.nodes.iter().all(Node::has_shell);
    let wants = match equipment.other_guest(has_shell) {
        None => needs(&task.plan),
        Some(OtherGuest::Idle) => needs(&task.plan),
        // It has its memory already, wherever it is.
        Some(OtherGuest::Existing { .. }) => Needs::default(),
    };
    let asked = Asked {
        observer: &equipment.observer,
        qemu: equipped.qemu.path.as_str(),
        rates: Rates::Shaped,
        needs: wants,
    };
    let on_nodes = match has_shell {
        true => Some(lab_check::check(lab, &asked).await),
        false => None,
    };
    let mut found = match (&equipment.hypervisor, on_nodes) {
        (Hypervisor::Proxmox(proxmox), on_nodes) => {
            lab_check::check_cluster(&lab.spec, &proxmox.client, &wants, on_nodes).await
        }
        (Hypervisor::Qemu(_), Some(found)) => found,
        (Hypervisor::Qemu(_), None) => bail!("the nodes are not reached by SSH"),
    };
    refuse_taken(&found)?;
    if !has_shell {
        return Ok(Checked { links: Vec::new(), lab: found });
    }
    let own = lab.spec.networks.migration.link_rate;
    let trials = task.plan.trials.iter();
    let wanted: BTreeSet<(MigrationNetwork, Option<BitRate>)> = trials
        .map(|trial| &task.plan.cell_of(trial).settings)
        .map(|settings| (settings.network, settings.link_rate.or(own)))
        .collect();
    let mut links = Vec::new();
    for (index, (network, rate)) in wanted.into_iter().enumerate() {
        let node = |i: usize| &lab.nodes[i % lab.nodes.len()];
        let observer = &equipment.observer;
        let link = link_check::check(node(index), node(index + 1), network, rate, observer)
            .await
            .with_context(|| format!("failed to check the {} links", network.link()))?;
        found.add(judge::shaping(&link));
        links.push(link);
    }
    Ok(Checked { links, lab: found })
}
