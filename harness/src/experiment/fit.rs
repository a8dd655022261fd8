//! Whether a lab can do what an experiment asks: each hypervisor has its own limits. Pure.

use super::{
    Cell, Experiment,
    factors::{Factors, OF_IDLE_GUEST, OF_MIGRATION},
};
use crate::settings::{BandwidthLimit, MigrationNetwork, Settings};
use camino::Utf8Path;
use lab::{
    spec::{HypervisorKind, LabSpec},
    yaml::{self, FileError},
};

/// Something that the lab cannot do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The factor.
    pub factor: &'static str,
    /// What, in words.
    pub what: String,
    /// What helps.
    pub hint: &'static str,
}

/// Everything that some cell asks and this lab cannot do, each once.
#[must_use]
pub fn misfits(experiment: &Experiment, lab: &LabSpec) -> Vec<Misfit> {
    let mut found: Vec<Misfit> = Vec::new();
    for cell in experiment.cells() {
        let misfits = match lab.hypervisor {
            HypervisorKind::Qemu => on_qemu(&cell.settings),
            HypervisorKind::Proxmox if lab.existing().is_some() => {
                of_existing(&cell, is_root(lab), lab.has_ssh())
            }
            HypervisorKind::Proxmox => {
                let mut found = on_proxmox(&cell.settings, is_root(lab));
                if lab.api().is_some() && !lab.has_ssh() {
                    found.extend(without_ssh(&cell));
                }
                found
            }
        };
        for misfit in misfits {
            if !found.contains(&misfit) {
                found.push(misfit);
            }
        }
    }
    found
}

/// As [`misfits`], each where it stands in the experiment's file, which was read before.
///
/// # Errors
/// All of them.
pub fn fits(path: &Utf8Path, lab: &LabSpec) -> Result<(), FileError> {
    let parsed = yaml::parse::<Experiment>(path.as_str(), &yaml::read_text(path)?)?;
    let found = misfits(&parsed.value, lab).into_iter();
    let problems = found
        .map(|Misfit { factor, what, hint }| parsed.problem(&["factors", factor], what).hint(hint));
    let problems = problems.collect();
    parsed.checked(problems)?;
    Ok(())
}

/// Whether its API is asked by root@pam, who alone may choose how a guest is migrated: of a cluster
/// that `lab-up` makes it is.
fn is_root(lab: &LabSpec) -> bool {
    lab.api().is_none_or(|api| api.user == "root@pam")
}

fn on_qemu(settings: &Settings) -> Vec<Misfit> {
    if settings.transport.is_lab() {
        return Vec::new();
    }
    let what = format!("plain QEMU does not migrate by `transport: {}`", settings.transport);
    vec![Misfit {
        factor: "transport",
        what,
        hint: "leave `transport` out, or take a lab with `hypervisor: proxmox`",
    }]
}

fn on_proxmox(settings: &Settings, is_root: bool) -> Vec<Misfit> {
    let mut found = Vec::new();
    let mut refuse = |factor, what: String, hint| found.push(Misfit { factor, what, hint });
    if !settings.qemu.is_lab() {
        let what =
            format!("Proxmox VE runs guests with its own QEMU, not with `{}`", settings.qemu);
        refuse("qemu", what, "leave `qemu` out, or take a lab with `hypervisor: qemu`");
    }
    if !settings.disk.is_none() {
        let what = "guests on Proxmox VE have no disk of their own yet".to_owned();
        refuse("disk", what, "leave `disk` out, or take a lab with `hypervisor: qemu`");
    }
    found.extend(roots_own(settings, is_root));
    found.extend(whole_units(settings.bandwidth_limit, is_root));
    found
}

/// What only root@pam may choose of a migration.
fn roots_own(settings: &Settings, is_root: bool) -> Vec<Misfit> {
    const ROOT: &str = "take root@pam with its password in the lab file's `proxmox.api.user`";
    let mut found = Vec::new();
    if !is_root && !settings.transport.is_lab() {
        let what = format!("only root@pam may choose `transport: {}`", settings.transport);
        found.push(Misfit { factor: "transport", what, hint: ROOT });
    }
    if !is_root && settings.network == MigrationNetwork::Shared {
        let what = "only root@pam may choose `network: shared`".to_owned();
        found.push(Misfit { factor: "network", what, hint: ROOT });
    }
    found
}

/// Proxmox takes root's limits with a migration and others' in a VM's configuration.
fn whole_units(limit: BandwidthLimit, is_root: bool) -> Option<Misfit> {
    let BandwidthLimit::Capped(rate) = limit else { return None };
    let (unit, name) = if is_root { (1 << 10, "KiB/s") } else { (1 << 20, "MiB/s") };
    (!rate.0.is_multiple_of(unit)).then(|| Misfit {
        factor: "bandwidth_limit",
        what: format!("Proxmox VE takes a `bandwidth_limit` in whole {name}, not {rate}"),
        hint: "take the nearest one",
    })
}

/// A factor that needs the nodes.
fn unshaped() -> Misfit {
    Misfit {
        factor: "link_rate",
        what: "`link_rate` needs SSH to the nodes, whose links are shaped".to_owned(),
        hint: "leave `link_rate` out, or give every node `ssh` below `hosts` in the lab file",
    }
}

/// What cannot be asked of a guest that nobody can tell anything: any workload but none.
fn without_ssh(cell: &Cell) -> Vec<Misfit> {
    const HINT: &str = "leave it out: without SSH to the nodes nobody tells the guest what to do, and \
                        it stands still; or give every node `ssh` below `hosts` in the lab file";
    let usual = Factors::default().first().map(|levels| levels.texts()).unwrap_or_default();
    let levels = cell.levels.texts().into_iter().zip(usual);
    let asked = levels.filter(|((name, level), (_, usual))| {
        let is_none = matches!(
            (*name, level.as_str()),
            ("touch_rate", "0 pages/s") | ("pattern", "idle") | ("content", "zero")
                // No guest on Proxmox has these.
                | ("qemu" | "disk" | "disk_write_rate", _)
        );
        !OF_MIGRATION.contains(name) && !OF_IDLE_GUEST.contains(name) && level != usual && !is_none
    });
    let mut found: Vec<Misfit> = asked
        .map(|((name, level), _)| Misfit {
            factor: name,
            what: format!("`{name}: {level}` needs SSH to the nodes"),
            hint: HINT,
        })
        .collect();
    found.extend(cell.settings.link_rate.map(|_| unshaped()));
    found
}

/// What cannot be asked of a VM that somebody has: all that is the guest's own.
fn of_existing(cell: &Cell, is_root: bool, has_ssh: bool) -> Vec<Misfit> {
    const LEAVE_OUT: &str = "leave it out: a VM that one has is migrated and nothing else; take the \
                             lab file's `proxmox.guest` out for guests of this program";
    const ROOT: &str = "leave it out, or take root@pam with its password in the lab file's \
                        `proxmox.api.user`";
    let mut found = Vec::new();
    let usual = Factors::default().first().map(|levels| levels.texts()).unwrap_or_default();
    for ((name, level), (_, usual)) in cell.levels.texts().into_iter().zip(usual) {
        if !OF_MIGRATION.contains(&name) && level != usual {
            let what = format!("`{name}: {level}` cannot be had of a VM that one has");
            found.push(Misfit { factor: name, what, hint: LEAVE_OUT });
        }
    }
    let limit = cell.settings.bandwidth_limit;
    if !is_root && limit != BandwidthLimit::Default {
        let what = format!("only root@pam may give a migration `bandwidth_limit: {limit}`");
        found.push(Misfit { factor: "bandwidth_limit", what, hint: ROOT });
    }
    if !has_ssh && cell.settings.link_rate.is_some() {
        found.push(unshaped());
    }
    if is_root {
        found.extend(whole_units(limit, is_root));
    }
    found.extend(roots_own(&cell.settings, is_root));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(factors: &str, lab: &str) -> Vec<String> {
        let text = format!("name: x\nreplicates: 1\nfactors:\n  {factors}\n");
        let experiment = Experiment::parse("x.yaml", &text).expect("valid");
        let lab = LabSpec::parse("lab.yaml", lab).expect("valid");
        misfits(&experiment, &lab).into_iter().map(|misfit| misfit.what).collect()
    }

    const PLAIN: &str = "name: a\nprovider: netns\nhypervisor: qemu\n";

    fn cluster(user: &str) -> String {
        format!(
            "name: pve\nprovider: hosts\nhypervisor: proxmox\nnodes: [pve1, pve2, pve3]\n\
             networks: {{ guest: {{ cidr: 192.0.2.0/26 }}, migration: {{ cidr: 192.0.2.128/26 }} }}\n\
             proxmox: {{ api: {{ user: \"{user}\", ca: ca.pem }} }}\n"
        )
    }

    #[test]
    fn each_hypervisor_has_its_limits() {
        let (root, token) = (cluster("root@pam"), cluster("lab@pve!harness"));
        assert!(words("touch_rate: 100 pages/s", PLAIN).is_empty());
        assert_eq!(
            words("transport: [lab, insecure, secure]", PLAIN),
            [
                "plain QEMU does not migrate by `transport: insecure`",
                "plain QEMU does not migrate by `transport: secure`"
            ]
        );
        assert!(words("transport: [lab, insecure, secure]", &root).is_empty());
        assert!(words("bandwidth_limit: 1536 KiB/s", &root).is_empty());
        let disk = "disk: 64 MiB\n  disk_write_rate: 100 blocks/s";
        assert_eq!(words(disk, &root), ["guests on Proxmox VE have no disk of their own yet"]);
        let all = "transport: secure\n  network: shared\n  bandwidth_limit: 1536 KiB/s";
        assert_eq!(
            words(all, &token),
            [
                "only root@pam may choose `transport: secure`",
                "only root@pam may choose `network: shared`",
                "Proxmox VE takes a `bandwidth_limit` in whole MiB/s, not 1536 KiB/s"
            ]
        );
    }

    #[test]
    fn without_ssh_a_guest_stands_still() {
        let token = cluster("lab@pve!harness");
        let quiet =
            "memory: 128 MiB\n  touch_rate: 0 pages/s\n  pattern: idle\n  downtime_limit: 50 ms";
        assert!(words(quiet, &token).is_empty());
        assert!(words("memory: [128 MiB, 512 MiB]", &token).is_empty());
        assert_eq!(
            words("touch_rate: 10 pages/s\n  link_rate: 1 Gbit/s", &token),
            [
                "`touch_rate: 10 pages/s` needs SSH to the nodes",
                "`link_rate` needs SSH to the nodes, whose links are shaped",
            ]
        );
    }

    #[test]
    fn of_a_vm_that_one_has_only_its_migration_can_be_chosen() {
        let own = |user: &str| {
            format!(
                "{}  guest: {{ vmid: 105, name: web1 }}\n",
                cluster(user)
                    .replace("proxmox: { api: {", "proxmox:\n  api: {")
                    .replace("ca.pem } }", "ca.pem }")
            )
        };
        let (root, token) = (own("root@pam"), own("lab@pve!harness"));
        assert!(
            words("transport: [insecure, secure]\n  bandwidth_limit: 1536 KiB/s", &root).is_empty()
        );
        assert!(words("transport: lab", &token).is_empty());
        assert_eq!(
            words(
                "memory: [256 MiB, 1 GiB]\n  touch_rate: 10 pages/s\n  downtime_limit: 50 ms",
                &root
            ),
            [
                "`touch_rate: 10 pages/s` cannot be had of a VM that one has",
                "`downtime_limit: 50 ms` cannot be had of a VM that one has",
                "`memory: 1 GiB` cannot be had of a VM that one has",
            ]
        );
        assert_eq!(
            words("bandwidth_limit: 20 MiB/s\n  transport: secure\n  link_rate: 1 Gbit/s", &token),
            [
                "only root@pam may give a migration `bandwidth_limit: 20 MiB/s`",
                "`link_rate` needs SSH to the nodes, whose links are shaped",
                "only root@pam may choose `transport: secure`",
            ]
        );
    }
}
