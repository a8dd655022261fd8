//! The storage that guests' images lie on.

use super::{super::number, finding, refused};
use crate::lab_check::{Finding, Needs, Severity, What, tolerance::SPACE_BYTES};
use lab::{
    hypervisor::proxmox::survey::{Answer, Capacity, NodeSurvey, Survey},
    spec::ProxmoxSpec,
};

pub(super) fn judge(
    proxmox: &ProxmoxSpec,
    survey: &Survey,
    needs: &Needs,
    findings: &mut Vec<Finding>,
) {
    let name = &proxmox.storage;
    let found =
        || finding(What::StorageContent, &[]).expected(format!("`{name}` for iso and images"), "");
    match &survey.definition {
        Answer::Refused(refusal) => findings.push(refused(found(), refusal)),
        Answer::Told(None) => {
            let remedy = "set `proxmox.storage` in the lab file to one of `pvesm status`, or grant \
                          Datastore.Audit on it: what one may not see is not told";
            findings
                .push(found().said(format!("no storage `{name}`")).with(Severity::Fail, remedy));
            return;
        }
        Answer::Told(Some(definition)) => {
            let lacks: Vec<&str> = ["iso", "images"]
                .into_iter()
                .filter(|kind| !definition.content.iter().any(|it| it == kind))
                .collect();
            let words = format!("{} for {}", definition.kind, definition.content.join(", "));
            let found = found().said(words);
            let mut content: Vec<&str> = definition.content.iter().map(String::as_str).collect();
            content.extend(&lacks);
            let all = content.join(",");
            findings.push(if lacks.is_empty() {
                found
            } else {
                // Without disks, and by root, guests do without.
                let fails = lacks.contains(&"iso") && !survey.is_root;
                let severity = if fails { Severity::Fail } else { Severity::Warn };
                found.with(severity, format!("`pvesm set {name} --content {all}`"))
            });
        }
    }
    findings.extend(survey.nodes.iter().map(|node| here(name, node)));
    findings.extend(space(survey, needs));
}

fn here(name: &str, node: &NodeSurvey) -> Finding {
    let found = finding(What::StorageActive, &[&node.name]).expected("active and shared", "");
    let here = match &node.storage {
        Answer::Told(here) => here,
        Answer::Refused(refusal) => return refused(found, refusal),
    };
    let node = &node.name;
    let (words, remedy) = match here {
        None => ("not there", format!("`pvesm set {name} --delete nodes` lets {node} have it too")),
        Some(Capacity { enabled: false, .. }) => {
            ("switched off", format!("`pvesm set {name} --disable 0`"))
        }
        Some(Capacity { active: false, .. }) => {
            let remedy =
                format!("`pvesm status --storage {name}` on {node}: is its server reached?");
            ("not active", remedy)
        }
        Some(Capacity { shared: false, .. }) => {
            let remedy = "take a shared one (NFS, CIFS, RBD, LVM on iSCSI, or a folder that all \
                          nodes mount, with `--shared 1`): else each migration copies the disk";
            ("local to the node", remedy.to_owned())
        }
        Some(_) => return found.said("active and shared"),
    };
    found.said(words).with(Severity::Fail, remedy)
}

fn space(survey: &Survey, needs: &Needs) -> Option<Finding> {
    let free = survey.nodes.iter().filter_map(|node| {
        Some((node.name.as_str(), node.storage.told()?.as_ref()?.available_bytes?))
    });
    let (node, free) = free.min_by_key(|(_, free)| *free)?;
    let least = needs.storage_bytes.max(SPACE_BYTES);
    #[expect(clippy::cast_precision_loss, reason = "to be shown")]
    let found = finding(What::StorageSpace, &[node])
        .expected("", format!("at least {}", number::bytes(least)))
        .measured(format!("{} free", number::bytes(free)), free as f64, "B");
    Some(if free < least { found.with(Severity::Fail, "make room there") } else { found })
}
