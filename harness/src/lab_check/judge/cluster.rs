//! A Proxmox cluster, as its API tells of it.

mod nodes;
mod storage;
#[cfg(test)]
mod tests;

use super::finding;
use crate::lab_check::{Finding, Measured, Needs, Severity, What};
use lab::{
    hypervisor::proxmox::survey::{Answer, Grant, Guest, Refusal, Survey},
    spec::{LabSpec, MigrationType, ProxmoxSpec},
};

pub(super) fn judge(
    spec: &LabSpec,
    measured: &Measured,
    needs: &Needs,
    findings: &mut Vec<Finding>,
) {
    let Some(answer) = &measured.proxmox else { return };
    let names: Vec<&str> = spec.nodes.iter().map(String::as_str).collect();
    let api = finding(What::Api, &names).expected("answers", "");
    let survey = match answer {
        Answer::Told(survey) => survey,
        Answer::Refused(refusal) => {
            findings.push(refused(api, refusal));
            return;
        }
    };
    findings.push(api.said(format!("yes, to {}", survey.who)));
    let proxmox = spec.proxmox().unwrap_or_default();
    findings.push(quorum(survey, &names));
    privileges(survey, &proxmox, &names, findings);
    options(spec, &proxmox, survey, &names, findings);
    // A VM that one has brings its own id and disks.
    if proxmox.guest.is_none() {
        guests(survey, &proxmox, findings);
        storage::judge(&proxmox, survey, needs, findings);
    }
    // What was measured on the nodes themselves is better known.
    nodes::judge(spec, &proxmox, survey, needs, measured.machines.is_empty(), findings);
}

/// Of what was not told.
fn refused(found: Finding, refusal: &Refusal) -> Finding {
    let hint = refusal.hint.as_deref();
    let hint =
        hint.unwrap_or("see that the node is up and a member of the cluster (`pvecm nodes`)");
    found.said(format!("not told: {}", refusal.why)).with(Severity::Fail, hint)
}

fn quorum(survey: &Survey, names: &[&str]) -> Finding {
    let found = finding(What::Quorum, names).expected("all nodes online", "");
    let cluster = match &survey.cluster {
        Answer::Told(cluster) => cluster,
        Answer::Refused(refusal) => return refused(found, refusal),
    };
    let missing: Vec<&str> =
        names.iter().copied().filter(|name| cluster.online.get(*name) != Some(&true)).collect();
    if !cluster.quorate {
        let remedy =
            "`pvecm status` on a node says which are missing; start them, or wait for them";
        return found.said("no quorum").with(Severity::Fail, remedy);
    }
    if missing.is_empty() {
        return found.said("quorate, all online");
    }
    let all: Vec<&str> = cluster.online.keys().map(String::as_str).collect();
    found.said(format!("quorate, without {}", missing.join(", "))).with(
        Severity::Fail,
        format!(
            "start them; the cluster's nodes are {}, and `nodes` must name them so",
            all.join(", ")
        ),
    )
}

fn privileges(survey: &Survey, proxmox: &ProxmoxSpec, names: &[&str], findings: &mut Vec<Finding>) {
    let found = || finding(What::Privileges, names).expected("all that is needed", "");
    match &survey.lacks {
        Answer::Refused(refusal) => findings.push(refused(found(), refusal)),
        Answer::Told(lacks) if lacks.is_empty() => findings.push(found().said("held")),
        Answer::Told(lacks) => {
            let grant = Grant { who: &survey.who, proxmox };
            findings.extend(lacks.iter().map(|lack| {
                let role = match lack.path.as_str() {
                    "/" => String::new(),
                    _ => format!("`{}` (once), then ", grant.role()),
                };
                let (path, missing) = (&lack.path, lack.privileges.join(" "));
                found()
                    .said(format!(
                        "{} lacks some on {path}: {missing}; {}",
                        survey.who, lack.purpose
                    ))
                    .with(
                        Severity::Fail,
                        format!("as root on a node: {role}`{}`", grant.command(path)),
                    )
            }));
        }
    }
}

/// How the datacenter lets guests migrate. Only root may ask for anything else.
fn options(
    spec: &LabSpec,
    proxmox: &ProxmoxSpec,
    survey: &Survey,
    names: &[&str],
    findings: &mut Vec<Finding>,
) {
    let cidr = spec.networks.migration.cidr;
    let kind = match proxmox.migration {
        MigrationType::Insecure => "insecure",
        MigrationType::Secure => "secure",
    };
    let found = finding(What::MigrationOptions, names).expected(format!("{kind} over {cidr}"), "");
    let options = match &survey.datacenter {
        Answer::Told(options) => options,
        Answer::Refused(refusal) => return findings.push(refused(found, refusal)),
    };
    let severity = if survey.is_root { Severity::Warn } else { Severity::Fail };
    let (its_kind, network) =
        (options.kind.as_deref().unwrap_or("secure"), options.network.as_deref());
    let found =
        found.said(format!("{its_kind} over {}", network.unwrap_or("the cluster's network")));
    let same = its_kind == kind && network == Some(cidr.to_string().as_str());
    findings.push(if same {
        found
    } else {
        let who = match survey.is_root {
            true => "each migration here asks for its own; for all others",
            false => "only root@pam may ask for another, so either change the lab file, or",
        };
        found.with(
            severity,
            format!("{who}: `pvesh set /cluster/options --migration type={kind},network={cidr}`"),
        )
    });
    if let Some(limit) = options.limit_bytes_s {
        let found = finding(What::MigrationOptions, names).expected("no limit on speed", "");
        #[expect(clippy::cast_precision_loss, reason = "to be shown")]
        let words = super::number::rate(limit as f64 * 8.0);
        findings.push(found.said(format!("{words} at most")).with(
            Severity::Warn,
            "every migration is held to it: `bwlimit` under Datacenter, Options",
        ));
    }
}

fn guests(survey: &Survey, proxmox: &ProxmoxSpec, findings: &mut Vec<Finding>) {
    let ids = proxmox.vmids;
    let found = || finding(What::Ids, &[]).expected(format!("{ids} free"), "");
    let guests = match &survey.guests {
        Answer::Told(guests) => guests,
        Answer::Refused(refusal) => return findings.push(refused(found(), refusal)),
    };
    let names = |guests: &[&Guest]| {
        let each = guests.iter().map(|it| format!("{} `{}` on {}", it.vmid, it.name, it.node));
        each.collect::<Vec<_>>().join(", ")
    };
    let others: Vec<&Guest> = guests.iter().filter(|it| !it.tagged).collect();
    findings.push(if !others.is_empty() {
        found().said(format!("taken: {}", names(&others))).with(
            Severity::Fail,
            "set `proxmox.vmids` in the lab file to ids that nothing else uses",
        )
    } else if survey.sees_all_guests {
        found().said("free of others' guests")
    } else {
        let who = &survey.who;
        found().said(format!("as far as {who} may see, free of others' guests"))
    });
    let ours: Vec<&Guest> = guests.iter().filter(|it| it.tagged).collect();
    if !ours.is_empty() {
        let remove = ours.iter().map(|it| {
            let (id, node) = (it.vmid, &it.node);
            format!("on {node}: `qm stop {id}; qm destroy {id} --purge`")
        });
        let remedy = format!(
            "an interrupted run left them, and nothing else may carry the tag `{}`; {}",
            lab::hypervisor::proxmox::survey::TAG,
            remove.collect::<Vec<_>>().join("; ")
        );
        let found = finding(What::Leftovers, &[]).expected("none", "");
        findings.push(found.said(format!("found: {}", names(&ours))).with(Severity::Warn, remedy));
    }
    for guest in guests.iter().filter(|it| it.ha.is_some()) {
        let found = finding(What::Ha, &[&guest.node]).expected("keeps off our ids", "");
        let state = guest.ha.as_deref().unwrap_or_default();
        findings.push(found.said(format!("manages {} ({state})", guest.vmid)).with(
            Severity::Fail,
            format!("`ha-manager remove vm:{}`: HA would move it while it is measured", guest.vmid),
        ));
    }
}
