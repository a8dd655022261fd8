//! The cluster's nodes: whether they are alike, their networks, clocks and memory.

use super::{super::number, finding, refused};
use crate::lab_check::{
    Finding, Needs, Severity, What,
    tolerance::{CLOCK_OFFSET_MS, LOAD},
};
use lab::{
    hypervisor::proxmox::{
        Capabilities,
        survey::{Answer, Health, NodeSurvey, Survey},
    },
    spec::{Ipv4Cidr, LabSpec, ProxmoxSpec},
};
use std::collections::BTreeMap;

/// `alone`: nothing was measured on the nodes themselves.
pub(super) fn judge(
    spec: &LabSpec,
    proxmox: &ProxmoxSpec,
    survey: &Survey,
    needs: &Needs,
    alone: bool,
    findings: &mut Vec<Finding>,
) {
    for node in &survey.nodes {
        match &node.health {
            Answer::Told(health) if alone => of_health(node, health, needs, findings),
            Answer::Told(_) => {}
            Answer::Refused(refusal) => {
                // One line for a node that does not tell anything.
                findings.push(refused(finding(What::Reachable, &[&node.name]), refusal));
                continue;
            }
        }
        findings.extend(networks(spec, proxmox, node));
        findings.extend(alone.then(|| clock(node)));
        findings.extend(supported(node));
    }
    let health =
        |of: fn(&Health) -> String| move |node: &NodeSurvey| Some(of(node.health.told()?));
    let kernel = |health: &Health| health.kernel.clone().unwrap_or_else(|| "unknown".to_owned());
    let qemu = |node: &NodeSurvey| {
        let versions = node.versions.told()?;
        let of = |version: &Option<String>| version.clone().unwrap_or_else(|| "unknown".to_owned());
        let (server, qemu) = (of(&versions.qemu_server), of(&versions.qemu));
        Some(format!("qemu-server {server}, QEMU {qemu}"))
    };
    let upgrade = "`apt-get dist-upgrade` on the others, unless the difference is what you measure";
    let nodes = &survey.nodes;
    findings.extend(alike(What::Version, nodes, health(|it| it.manager.clone()), upgrade));
    findings.extend(alike(What::Packages, nodes, qemu, upgrade));
    if alone {
        let remedy = "boot the same kernel on every node";
        findings.extend(alike(What::Kernel, nodes, health(kernel), remedy));
    }
    let processor = |it: &Health| match it.lacks_flags.len() {
        0 => it.model.clone(),
        // All that a guest could miss there.
        n => format!("{} without {n} flags of the others ({})", it.model, it.lacks_flags.join(" ")),
    };
    let remedy = "guests with `cpu: host` may not run there; a named model such as \
                  `x86-64-v2-AES` does, but trials to one node and back are not the same";
    findings.extend(alike(What::Processor, nodes, health(processor), remedy));
}

fn of_health(node: &NodeSurvey, health: &Health, needs: &Needs, findings: &mut Vec<Finding>) {
    let names = [node.name.as_str()];
    if !health.virtualizes {
        let found = finding(What::Processor, &names).expected("can run guests (svm or vmx)", "");
        findings.push(found.said("cannot: guests are emulated").with(
            Severity::Warn,
            "switch virtualization on in the firmware, or for this machine where it is virtual \
             itself; figures under emulation tell nothing of KVM",
        ));
    }
    #[expect(clippy::cast_precision_loss, reason = "to be shown")]
    let (free, most) = (health.available_bytes, LOAD * health.processors as f64);
    let least = match needs.memory_bytes {
        0 => String::new(),
        needed => format!("at least {}", number::bytes(needed)),
    };
    #[expect(clippy::cast_precision_loss, reason = "to be shown")]
    let found = finding(What::Memory, &names).expected("", least).measured(
        format!("{} available", number::bytes(free)),
        free as f64,
        "B",
    );
    findings.push(if free < needs.memory_bytes {
        found.with(Severity::Fail, "lower `memory` in the experiment, or migrate guests away")
    } else {
        found
    });
    if let Some(load) = health.load {
        let words = format!("{load:.2} on {} processors", health.processors);
        let found = finding(What::Load, &names)
            .expected("", format!("at most {most:.1} over a minute"))
            .measured(words, load, "processes");
        findings.push(if load > most {
            found.with(Severity::Warn, "migrate busy guests away, or wait until they are done")
        } else {
            found
        });
    }
}

/// Whether guests can be connected and migrated.
fn networks(spec: &LabSpec, proxmox: &ProxmoxSpec, node: &NodeSurvey) -> Vec<Finding> {
    let names = [node.name.as_str()];
    let cidr = spec.networks.migration.cidr;
    let bridge = &proxmox.bridge;
    let migration = finding(What::MigrationAddress, &names)
        .of_network("migration")
        .expected(format!("exactly one in {cidr}"), "");
    let interfaces = match &node.interfaces {
        Answer::Told(interfaces) => interfaces,
        Answer::Refused(refusal) => return vec![refused(migration, refusal)],
    };
    let inside: Vec<(&str, bool, String)> = interfaces
        .iter()
        .filter_map(|it| {
            let address: Ipv4Cidr = it.cidr.as_ref()?.parse().ok()?;
            let inside = cidr.contains(address.address());
            inside.then(|| (it.interface.as_str(), it.active, address.address().to_string()))
        })
        .collect();
    let migration = match &inside[..] {
        [(interface, true, address)] => migration.said(format!("{address} on {interface}")),
        [(interface, false, address)] => migration
            .said(format!("{address} on {interface}, which is down"))
            .with(Severity::Fail, format!("`ifup {interface}` on {}", node.name)),
        [] => migration.said("none").with(
            Severity::Fail,
            "give the node an address there (its System, Network), or set \
             `networks.migration.cidr` in the lab file to the network that it is in",
        ),
        several => {
            let each: Vec<String> =
                several.iter().map(|(on, _, it)| format!("{it} on {on}")).collect();
            migration.said(each.join(", ")).with(
                Severity::Fail,
                "Proxmox refuses to choose: take all but one away, or a narrower CIDR",
            )
        }
    };
    let found = finding(What::Bridge, &names).expected(format!("`{bridge}`, up"), "");
    let bridge = match interfaces.iter().find(|it| it.interface == *bridge) {
        Some(it) if it.is_bridge && it.active => found.said("up"),
        Some(it) if it.is_bridge => {
            found.said("down").with(Severity::Fail, format!("`ifup {bridge}` on {}", node.name))
        }
        _ => found.said("no such bridge").with(
            Severity::Fail,
            "set `proxmox.bridge` in the lab file to a bridge that every node has",
        ),
    };
    vec![migration, bridge]
}

fn clock(node: &NodeSurvey) -> Finding {
    let found = finding(What::Clock, &[&node.name]).expected("", "as ours, known to a second");
    let clock = match &node.clock {
        Answer::Told(clock) => clock,
        Answer::Refused(refusal) => return refused(found, refusal),
    };
    let words = format!("{:.1} ± {:.1} s", clock.offset_s, clock.error_s);
    let found = found.measured(words, clock.offset_s * 1e3, "ms");
    if clock.offset_s.abs() - clock.error_s > CLOCK_OFFSET_MS / 1e3 {
        let remedy = "run `chronyd` there: tickets and logs go by this clock; or is it this \
                      machine's that nobody keeps?";
        found.with(Severity::Warn, remedy)
    } else {
        found
    }
}

fn supported(node: &NodeSurvey) -> Option<Finding> {
    let version = node.versions.told()?.qemu_server.as_ref()?;
    let known = version.parse().is_ok_and(|it| Capabilities::of(it).is_supported());
    (!known).then(|| {
        let found = finding(What::Packages, &[&node.name]).expected("qemu-server 8 or 9", "");
        found.said(version.clone()).with(Severity::Fail, "Proxmox VE 8 and 9 are supported")
    })
}

/// Whether all nodes say the same: a warning where they do not.
fn alike(
    what: What,
    nodes: &[NodeSurvey],
    says: impl Fn(&NodeSurvey) -> Option<String>,
    remedy: &str,
) -> Option<Finding> {
    let mut said: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for node in nodes {
        said.entry(says(node)?).or_default().push(&node.name);
    }
    let all: Vec<&str> = said.values().flatten().copied().collect();
    let found = finding(what, &all).expected("the same on all nodes", "");
    if said.len() == 1 {
        return Some(found.said(said.into_keys().next().unwrap_or_default()));
    }
    let each = said.iter().map(|(words, nodes)| format!("{words} ({})", nodes.join(", ")));
    Some(found.said(each.collect::<Vec<_>>().join("; ")).with(Severity::Warn, remedy))
}
