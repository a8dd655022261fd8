//! What a Proxmox VE can do, by the version of its package `qemu-server`: releases say less, as
//! packages change within them. Read in the sources of Proxmox VE 7.4 to 9.2.

use super::version::Version;
use serde::Serialize;

/// What depends on the version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// The package's version that this is of.
    pub qemu_server: Version,
    /// The target's QEMU starts with `-incoming defer` and chooses its port late, so that
    /// migrations at once do not take each other's (8.1.0).
    pub chooses_port_late: bool,
    /// Stopping a VM may cancel a shutdown that runs: `overrule-shutdown` (8.2.0).
    pub overrules_shutdown: bool,
    /// The precheck lists allowed nodes for running VMs too, and mapped resources; the task's log
    /// says how much was transferred in the end (8.3.9).
    pub says_final_bytes: bool,
    /// Migrations may be cancelled in QEMU without confusing Proxmox: it knows the states
    /// `cancelling` and `device` (9.0.9).
    pub understands_cancelling: bool,
    /// Migrations take `with-conntrack-state` (9.0.10).
    pub conntrack_state: bool,
    /// The precheck knows of HA rules that forbid a node (9.0.14).
    pub prechecks_ha_rules: bool,
    /// The highest downtime limit that a migration is raised to, ms (9.1.1); without bound before.
    pub highest_downtime_limit_ms: Option<u64>,
    /// The privilege that `info migrate` through the API needs on the VM.
    pub monitor_privilege: &'static str,
}

impl Capabilities {
    /// Those of a version of `qemu-server`.
    #[must_use]
    pub fn of(qemu_server: Version) -> Self {
        let from = |major, minor, patch| qemu_server >= Version::new(major, minor, patch);
        Self {
            qemu_server,
            chooses_port_late: from(8, 1, 0),
            overrules_shutdown: from(8, 2, 0),
            says_final_bytes: from(8, 3, 9),
            understands_cancelling: from(9, 0, 9),
            conntrack_state: from(9, 0, 10),
            prechecks_ha_rules: from(9, 0, 14),
            highest_downtime_limit_ms: from(9, 1, 1).then_some(2_000_000),
            // Proxmox VE 9 has no VM.Monitor any more.
            monitor_privilege: if from(9, 0, 0) { "Sys.Audit" } else { "VM.Monitor" },
        }
    }

    /// Whether this program supports it: Proxmox VE 8 and 9.
    #[must_use]
    pub fn is_supported(&self) -> bool {
        (8..=9).contains(&self.qemu_server.major)
    }
}

/// How a QEMU's monitor writes `info migrate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InfoMigrateFormat {
    /// One value a line, exact to a KiB; QEMU up to 10.0.
    Lines,
    /// Grouped values, sizes with three digits; QEMU from 10.1. Has `-a`, which says more.
    Groups,
}

impl InfoMigrateFormat {
    /// That of a running QEMU (`running-qemu` of a VM's status).
    #[must_use]
    pub fn of(qemu: Version) -> Self {
        if qemu >= Version::new(10, 1, 0) { Self::Groups } else { Self::Lines }
    }

    /// What is to be asked of the monitor: all there is.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::Lines => "info migrate",
            Self::Groups => "info migrate -a",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_come_with_their_versions() {
        let versions = [
            "7.4-7", "8.0.10", "8.1.0", "8.3.8", "8.3.9", "9.0.8", "9.0.9", "9.0.10", "9.0.14",
            "9.1.6",
        ];
        let table: Vec<Capabilities> =
            versions.iter().map(|v| Capabilities::of(v.parse().unwrap())).collect();
        insta::assert_json_snapshot!(table);
        assert!(!table[0].is_supported() && table[1..].iter().all(Capabilities::is_supported));
    }

    #[test]
    fn the_monitor_is_asked_as_its_qemu_wants_it() {
        let asked = |text: &str| InfoMigrateFormat::of(text.parse().unwrap()).command();
        assert_eq!(asked("9.2.0"), "info migrate");
        assert_eq!(asked("10.0.13"), "info migrate");
        assert_eq!(asked("10.1.0"), "info migrate -a");
        assert_eq!(asked("11.0.0"), "info migrate -a");
    }
}
