//! Getting what is missing.

use super::{
    apt,
    distribution::{Distribution, Family, Package},
    libvirt,
    need::{Need, Source, State},
    step::{self, Rights, Step},
};
use crate::{
    color::{ColorChoice, Paint},
    exit::{self, Exit, Failure},
};
use lab::{
    hypervisor::qemu::find::GOOD_MAJOR,
    process::{self, Command},
};
use std::path::Path;

/// What is to be done, and what is not.
pub struct Plan {
    /// The steps, in order; empty where nothing can be got.
    pub steps: Vec<Step>,
    /// What is left as it is, and why.
    pub notes: Vec<String>,
}

/// The plan to get everything in `needs` that is not there, with these rights.
pub fn plan(needs: &[Need], replace_qemu: bool, rights: Rights) -> Plan {
    let distribution = Distribution::here();
    let mut notes = Vec::new();
    let mut packages = wanted_packages(needs);
    if needs
        .iter()
        .any(|need| need.source == Source::Package(Package::Qemu) && need.state == State::Old)
    {
        let evidence = libvirt::users_of_qemu();
        let newest = if distribution.qemu_suite().is_some() {
            Some(GOOD_MAJOR)
        } else {
            apt::candidate_major("qemu-system-x86")
        };
        if let Some(reason) = keep_old_qemu(&evidence, replace_qemu, newest) {
            packages.retain(|package| *package != Package::Qemu);
            notes.push(reason);
        }
    }
    let mut plan = Plan { steps: Vec::new(), notes };
    plan.add_packages(&distribution, packages, rights);
    plan.add_components(needs);
    plan
}

/// Runs the plan, showing each step on stderr first.
///
/// # Errors
/// When a step failed.
pub fn run(plan: &Plan, colors: ColorChoice) -> exit::Result {
    step::run_all(&plan.steps, &mut std::io::stderr(), Paint::stderr(colors))
        .map_err(|error| Failure::new(Exit::Missing, error))
}

impl Plan {
    fn add_packages(
        &mut self,
        distribution: &Distribution,
        mut packages: Vec<Package>,
        rights: Rights,
    ) {
        let etc = Path::new(apt::ETC);
        while !packages.is_empty() {
            if distribution.family() != Some(Family::Apt) {
                return self.notes.push(not_ours(distribution, &packages));
            }
            match apt::plan(distribution, &packages, etc, rights) {
                Ok(steps) => return self.steps.extend(steps),
                // Only QEMU's suite can be unknown; the rest can be got all the same.
                Err(error) => {
                    self.notes.push(error.to_string());
                    packages.retain(|package| *package != Package::Qemu);
                }
            }
        }
    }

    fn add_components(&mut self, needs: &[Need]) {
        let missing = needs.iter().filter(|need| need.state != State::Ok);
        let components: Vec<&str> = missing
            .filter_map(|need| match need.source {
                Source::Rustup(component) => Some(component),
                _ => None,
            })
            .collect();
        if components.is_empty() {
            return;
        }
        if process::find("rustup").is_some() {
            let command = Command::new("rustup").args(["component", "add"]).args(components);
            // Needs no rights, but belongs after what does.
            self.steps.push(Step::run(command));
        } else {
            let names = components.join(" and ");
            self.notes.push(format!("{names}: there is no rustup; install your toolchain's own"));
        }
    }
}

fn wanted_packages(needs: &[Need]) -> Vec<Package> {
    let mut packages: Vec<Package> = needs
        .iter()
        .filter(|need| need.state != State::Ok)
        .filter_map(|need| match need.source {
            Source::Package(package) => Some(package),
            _ => None,
        })
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// Why the old QEMU that is there stays, if it does. `newest` is the major version that could be
/// installed.
fn keep_old_qemu(evidence: &[String], replace: bool, newest: Option<u32>) -> Option<String> {
    if newest.is_none_or(|major| major < GOOD_MAJOR) {
        return Some(format!(
            "the old QEMU stays: this release's packages have no version {GOOD_MAJOR} or later"
        ));
    }
    if evidence.is_empty() || replace {
        return None;
    }
    Some(format!(
        "the old QEMU stays: a libvirt on this host may use it ({}); `cargo xtask setup --install \
         --replace-qemu` replaces it",
        evidence.join(", ")
    ))
}

/// What to do on a distribution where nothing is installed by us.
fn not_ours(distribution: &Distribution, packages: &[Package]) -> String {
    let name = &distribution.name;
    let Some(family) = distribution.family() else {
        return format!("{name}: install QEMU, iproute2 and a C compiler by its own means");
    };
    let names: Vec<&str> = packages.iter().flat_map(|p| family.packages(*p)).copied().collect();
    format!("{name}: not installed by this program; run as root: {}", family.install_line(&names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qemu_that_libvirt_may_use_stays_unless_told() {
        let libvirt = ["/usr/sbin/libvirtd is installed".to_owned()];
        let reason = keep_old_qemu(&libvirt, false, Some(10)).expect("it stays");
        assert!(reason.contains("libvirtd is installed") && reason.contains("--replace-qemu"));
        assert_eq!(keep_old_qemu(&libvirt, true, Some(10)), None);
        assert_eq!(keep_old_qemu(&[], false, Some(10)), None);
    }

    #[test]
    fn an_old_qemu_is_not_replaced_by_an_old_one() {
        for newest in [Some(8), None] {
            let reason = keep_old_qemu(&[], true, newest).expect("it stays");
            assert!(reason.contains("no version 10"), "{reason}");
        }
    }

    #[test]
    fn elsewhere_the_packages_are_named() {
        let fedora = Distribution::parse("ID=fedora\nPRETTY_NAME=\"Fedora Linux 42\"\n");
        assert_eq!(
            not_ours(&fedora, &[Package::Qemu, Package::Iproute]),
            "Fedora Linux 42: not installed by this program; run as root: dnf install qemu-kvm \
             iproute iproute-tc"
        );
    }
}
