//! What a guest of ours is to be, and the VM that this makes.

use super::arguments::{self, NotAnArgument};
use crate::units::Bytes;
use camino::Utf8PathBuf;
use std::{ops::RangeInclusive, time::Duration};

/// How VMs of ours are known: both must be so, or a VM is not touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// Ids that nothing else uses.
    pub ids: RangeInclusive<u32>,
    /// A tag that nothing else has, such as `precopy-lab`.
    pub tag: String,
}

impl Ours {
    /// The tag where nothing else is said.
    pub const TAG: &str = "precopy-lab";

    /// Whether a VM with this id and these tags is ours.
    #[must_use]
    pub fn has(&self, vmid: u32, tags: &[&str]) -> bool {
        self.ids.contains(&vmid) && tags.contains(&self.tag.as_str())
    }
}

/// What a guest boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boot {
    /// A kernel by QEMU's `-kernel`: only root's ticket may set that. Its file must be the same on
    /// every node ([`super::same_on_all`]); QEMU does not look.
    Kernel {
        /// Its file, as every node sees it.
        file: Utf8PathBuf,
        /// Its command line; empty is none.
        command_line: String,
    },
    /// A CD, which needs no root: a volume such as `shared:iso/guest.iso`, on a storage that all
    /// nodes share.
    Cd {
        /// The volume.
        volume: String,
    },
}

/// Where a guest's second monitor listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorFolder(pub Utf8PathBuf);

impl Default for MonitorFolder {
    /// Where Proxmox has its own, which every node has and which is emptied when it starts.
    fn default() -> Self {
        Self("/run/qemu-server".into())
    }
}

impl MonitorFolder {
    /// The socket of a VM, on the node that the VM is on; on the target too while it migrates.
    #[must_use]
    pub fn socket(&self, vmid: u32) -> Utf8PathBuf {
        self.0.join(format!("{vmid}.lab"))
    }
}

/// A guest of ours. It has one processor, and no disk unless it boots from a CD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestSpec {
    /// How it is known as ours.
    pub ours: Ours,
    /// Its name: letters, digits, dashes.
    pub name: String,
    /// Its memory; whole MiB.
    pub memory: Bytes,
    /// The bridge that its card is on.
    pub bridge: String,
    /// Its card's address.
    pub mac: [u8; 6],
    /// Whether the nodes execute it by KVM; else QEMU translates.
    pub kvm: bool,
    /// What it boots.
    pub boot: Boot,
    /// Its second monitor, which only root's ticket may give it.
    pub monitor: Option<MonitorFolder>,
    /// Further arguments of QEMU, which only root's ticket may give it.
    pub arguments: Vec<String>,
    /// The downtime limit that its migrations begin with; Proxmox's is 100 ms.
    pub migrate_downtime: Option<Duration>,
    /// Cap on its migrations' speed, MiB/s; Proxmox's is none.
    pub migrate_speed_mib_s: Option<u64>,
}

impl GuestSpec {
    /// The VM's configuration, as keys and values of the API.
    ///
    /// # Errors
    /// What cannot stand in a VM's `args`.
    pub fn config(&self, vmid: u32) -> Result<Vec<(&'static str, String)>, NotAnArgument> {
        let mac = self.mac.map(|byte| format!("{byte:02X}")).join(":");
        let mut config = vec![
            ("vmid", vmid.to_string()),
            ("name", self.name.clone()),
            ("tags", self.ours.tag.clone()),
            ("ostype", "other".to_owned()),
            ("memory", (self.memory.0 >> 20).to_string()),
            // Its memory stays its own.
            ("balloon", "0".to_owned()),
            ("cores", "1".to_owned()),
            ("kvm", u8::from(self.kvm).to_string()),
            ("net0", format!("virtio={mac},bridge={}", self.bridge)),
            ("serial0", "socket".to_owned()),
            ("vga", "serial0".to_owned()),
        ];
        if !self.kvm {
            // Proxmox's default has what QEMU's translator lacks.
            config.push(("cpu", "qemu64".to_owned()));
        }
        if let Boot::Cd { volume } = &self.boot {
            config.push(("ide2", format!("{volume},media=cdrom")));
            config.push(("boot", "order=ide2".to_owned()));
        }
        if let Some(limit) = self.migrate_downtime {
            config.push(("migrate_downtime", limit.as_secs_f64().to_string()));
        }
        if let Some(cap) = self.migrate_speed_mib_s {
            config.push(("migrate_speed", cap.to_string()));
        }
        let words = self.words(vmid);
        if !words.is_empty() {
            config.push(("args", arguments::join(words.iter().map(String::as_str))?));
        }
        Ok(config)
    }

    /// Whether only root's ticket may create it.
    #[must_use]
    pub fn needs_root(&self) -> bool {
        !self.words(0).is_empty()
    }

    fn words(&self, vmid: u32) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(folder) = &self.monitor {
            words.extend(arguments::monitor(&folder.socket(vmid)));
        }
        if let Boot::Kernel { file, command_line } = &self.boot {
            words.extend(["-kernel".to_owned(), file.to_string()]);
            if !command_line.is_empty() {
                words.extend(["-append".to_owned(), command_line.clone()]);
            }
        }
        words.extend(self.arguments.iter().cloned());
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(boot: Boot, monitor: Option<MonitorFolder>) -> GuestSpec {
        GuestSpec {
            ours: Ours { ids: 9100..=9199, tag: Ours::TAG.to_owned() },
            name: "guest".to_owned(),
            memory: Bytes(256 << 20),
            bridge: "vmbr0".to_owned(),
            mac: [2, 0, 10, 77, 0, 101],
            kvm: false,
            boot,
            monitor,
            arguments: Vec::new(),
            migrate_downtime: Some(Duration::from_millis(300)),
            migrate_speed_mib_s: Some(20),
        }
    }

    fn text(spec: &GuestSpec) -> String {
        let config = spec.config(9100).unwrap();
        config.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
    }

    #[test]
    fn a_kernel_needs_root_and_a_cd_does_not() {
        let file = "/mnt/pve/shared/guest.elf".into();
        let boot = Boot::Kernel { file, command_line: "probe=4 quiet".to_owned() };
        let kernel = spec(boot, Some(MonitorFolder::default()));
        assert!(kernel.needs_root());
        insta::assert_snapshot!("kernel", text(&kernel));
        let cd = spec(Boot::Cd { volume: "shared:iso/guest.iso".to_owned() }, None);
        assert!(!cd.needs_root());
        insta::assert_snapshot!("cd", text(&GuestSpec { kvm: true, ..cd }));
    }

    #[test]
    fn ours_have_both_id_and_tag() {
        let ours = Ours { ids: 9100..=9199, tag: Ours::TAG.to_owned() };
        assert!(ours.has(9100, &["x", "precopy-lab"]) && ours.has(9199, &["precopy-lab"]));
        assert!(!ours.has(9200, &["precopy-lab"]) && !ours.has(9100, &["precopy-lab2"]));
        assert!(!ours.has(9100, &[]));
    }
}
