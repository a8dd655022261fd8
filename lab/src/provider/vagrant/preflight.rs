//! What this machine must have before nodes are made on it, and what will be downloaded.

use super::{Virtualization, box_image, domains, host::Host, names::Names, settings};
use crate::{process, spec::LabSpec, state};
use anyhow::Result;
use camino::Utf8Path;
use serde::Serialize;
use std::fs;

/// What a node takes beyond its memory: QEMU itself, and under TCG the translated code.
/// Measured: 576 MB after boot of a node of 1 GiB under TCG, 1.3 to 1.6 GB after work in it.
const OVERHEAD_MIB: [u64; 2] = [512, 192];
/// What a node's disk takes once its guests have run, MiB.
const WRITTEN_MIB: u64 = 1024;

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rating {
    /// As it should be.
    Good,
    /// It may do.
    Poor,
    /// Nodes cannot come up so.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub what: &'static str,
    /// How it stands.
    pub rating: Rating,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// All that was looked at, before anything is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Preflight {
    /// Each thing, in the order to look at them.
    pub checks: Vec<Check>,
    /// What will be downloaded, MiB; `None` where only Vagrant will know.
    pub download_mib: Option<u64>,
}

impl Preflight {
    /// Whether nodes can come up.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.checks.iter().all(|check| check.rating != Rating::Bad)
    }
}

/// Looks at programs, rights, memory, disk, nesting and the box. Changes nothing.
///
/// # Errors
/// When the data folder cannot be made.
pub async fn preflight(
    spec: &LabSpec,
    folder: &Utf8Path,
    cpu: &Virtualization,
) -> Result<Preflight> {
    let host = Host::find(folder).await;
    let own = box_image::own(spec)?;
    let to_build = own.as_ref().is_some_and(|own| !own.is_built());
    let mut checks = vec![programs(host.is_some(), to_build), libvirt(host.as_ref())];
    let names = Names::of(spec);
    let running = match &host {
        Some(host) => domains::running(host).await.unwrap_or_default(),
        None => Vec::new(),
    };
    let missing = spec.nodes.iter().filter(|node| !running.contains(&names.domain(node))).count();
    let missing = missing as u64;
    let settings = settings(spec);
    let overhead = OVERHEAD_MIB[usize::from(cpu.kvm)];
    checks.push(memory(missing, (settings.memory.0 >> 20) + overhead, available_mib()));
    let boxes = if to_build { 3 } else { 1 } * box_image::BOX_MIB;
    let free = free_mib(&state::data_root()?);
    checks.push(disk(missing, boxes, settings.disk.0 >> 20, free));
    checks.push(nesting(cpu, nested_flag().as_deref()));
    let (found, download_mib) = match &own {
        Some(own) if own.is_built() => (format!("{} is built", own.name), Some(0)),
        Some(own) => (
            format!(
                "{} is to be built: about {} MiB of packages are downloaded, once for all nodes",
                own.name,
                box_image::BUILD_DOWNLOAD_MIB
            ),
            Some(box_image::BUILD_DOWNLOAD_MIB),
        ),
        None => (format!("{} is Vagrant's to get", settings.box_name), None),
    };
    checks.push(Check { what: "box", rating: Rating::Good, found, remedy: None });
    Ok(Preflight { checks, download_mib })
}

fn programs(libvirt_runs: bool, to_build: bool) -> Check {
    let mut wanted = vec!["vagrant", "virsh", "ssh", "ssh-keygen", "ssh-keyscan"];
    if !libvirt_runs {
        wanted.extend(["libvirtd", "dnsmasq", "ip", "qemu-system-x86_64", "qemu-img"]);
    }
    if to_build {
        wanted.extend(["mmdebstrap", "mke2fs", "qemu-img", "zstd"]);
        wanted.sort_unstable();
        wanted.dedup();
    }
    let missing: Vec<&str> =
        wanted.iter().copied().filter(|name| process::find(name).is_none()).collect();
    let (rating, found, remedy) = if missing.is_empty() {
        (Rating::Good, format!("{} are there", wanted.join(", ")), None)
    } else {
        let remedy = "cargo xtask setup --install".to_owned();
        (Rating::Bad, format!("missing: {}", missing.join(", ")), Some(remedy))
    };
    Check { what: "programs", rating, found, remedy }
}

fn libvirt(host: Option<&Host>) -> Check {
    let root = rustix::process::geteuid().is_root();
    let (rating, found, remedy) = match host {
        Some(Host::System) => (Rating::Good, "this machine's libvirt answers", None),
        Some(Host::Private(_)) => (Rating::Good, "the lab's own libvirt answers", None),
        None if root => (Rating::Good, "none answers; the lab gets one of its own", None),
        None => (
            Rating::Bad,
            "none answers, and only root can start one for the lab",
            Some("start libvirt and join its group (`sudo systemctl start libvirtd`, `sudo usermod -aG libvirt $USER`), or be root".to_owned()),
        ),
    };
    Check { what: "libvirt", rating, found: found.to_owned(), remedy }
}

fn memory(nodes: u64, each_mib: u64, available_mib: u64) -> Check {
    let needed = nodes * each_mib;
    let to_start = match nodes {
        0 => "all nodes run already".to_owned(),
        1 => format!("one node to start takes {needed} MiB"),
        _ => format!("{nodes} nodes to start take {needed} MiB"),
    };
    let found = format!("{available_mib} MiB are free; {to_start}");
    let (rating, remedy) = if needed > available_mib {
        (Rating::Bad, Some("lower `vagrant.memory` in the lab file, or end something".to_owned()))
    } else {
        (Rating::Good, None)
    };
    Check { what: "memory", rating, found, remedy }
}

fn disk(nodes: u64, boxes_mib: u64, disk_mib: u64, free_mib: u64) -> Check {
    let (needed, most) = (nodes * WRITTEN_MIB + boxes_mib, nodes * disk_mib + boxes_mib);
    let found = format!(
        "{free_mib} MiB are free; nodes take about {needed} MiB, {most} MiB when their disks are full"
    );
    let remedy = "name a larger place in PRECOPY_LAB_DATA".to_owned();
    let (rating, remedy) = match (needed > free_mib, most > free_mib) {
        (true, _) => (Rating::Bad, Some(remedy)),
        (false, true) => (Rating::Poor, Some(remedy)),
        (false, false) => (Rating::Good, None),
    };
    Check { what: "disk", rating, found, remedy }
}

fn nesting(cpu: &Virtualization, flag: Option<&str>) -> Check {
    let nested = matches!(flag, Some("Y" | "1"));
    let (rating, found, remedy) = if !cpu.kvm {
        (Rating::Good, format!("nodes run under TCG: {}", cpu.reason), None)
    } else if nested {
        (
            Rating::Good,
            format!("nodes run under KVM, and so may their guests: {}", cpu.reason),
            None,
        )
    } else {
        let remedy =
            "options kvm_intel nested=1 (or kvm_amd) in /etc/modprobe.d, then reload the module";
        (
            Rating::Poor,
            format!("nodes run under KVM; their guests cannot: {}", cpu.reason),
            Some(remedy.to_owned()),
        )
    };
    Check { what: "virtualization", rating, found, remedy }
}

/// The kernel's `nested` flag, of whichever KVM module is there.
fn nested_flag() -> Option<String> {
    ["kvm_intel", "kvm_amd"].iter().find_map(|module| {
        let text = fs::read_to_string(format!("/sys/module/{module}/parameters/nested")).ok()?;
        Some(text.trim().to_owned())
    })
}

fn available_mib() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

fn free_mib(folder: &Utf8Path) -> u64 {
    rustix::fs::statvfs(folder.as_std_path())
        .map_or(0, |numbers| numbers.f_bavail * numbers.f_frsize / (1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shortfall_has_a_remedy() {
        let kvm = Virtualization { kvm: true, reason: "it ran".to_owned() };
        for bad in [
            memory(3, 1536, 4000),
            disk(3, 600, 10240, 3000),
            disk(3, 600, 10240, 20_000),
            nesting(&kvm, Some("N")),
            nesting(&kvm, None),
        ] {
            assert!(bad.rating != Rating::Good && bad.remedy.is_some(), "{bad:?}");
        }
    }

    #[test]
    fn what_suffices_needs_none() {
        let (kvm, tcg) = (
            Virtualization { kvm: true, reason: "it ran".to_owned() },
            Virtualization { kvm: false, reason: "it crawls".to_owned() },
        );
        for good in [
            memory(3, 1536, 4608),
            memory(0, 1536, 1),
            disk(3, 600, 10240, 40_000),
            nesting(&kvm, Some("Y")),
            nesting(&kvm, Some("1")),
            nesting(&tcg, None),
        ] {
            assert_eq!((good.rating, good.remedy), (Rating::Good, None), "{}", good.found);
        }
    }
}
