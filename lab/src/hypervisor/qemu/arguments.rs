//! QEMU's command line for a guest.

use super::machine;
use crate::units::Bytes;
use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::net::Ipv4Addr;

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accelerator {
    /// The kernel and the processor.
    Kvm,
    /// QEMU's own translator.
    Tcg,
}

impl Accelerator {
    /// QEMU's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

/// A guest's disk: an image that both ends of a migration can reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The raw image's file, as the node sees it. Its size is the disk's.
    pub file: Utf8PathBuf,
    /// Whether reads and writes go past the node's page cache (`O_DIRECT`). Between machines they
    /// must: the target would otherwise read what its own cache had before the move.
    pub direct: bool,
}

impl Disk {
    /// Node of QEMU's block graph, and the device's drive.
    const NODE: &str = "disk";

    /// What `-blockdev` takes, one after the other: the file, and the raw format over it. As JSON,
    /// where no character of a path means anything.
    fn blockdevs(&self) -> [String; 2] {
        let cache = json!({ "direct": self.direct });
        [
            json!({
                "driver": "file", "node-name": "image", "filename": self.file, "aio": "threads",
                "cache": cache,
            }),
            json!({ "driver": "raw", "node-name": Self::NODE, "file": "image", "cache": cache }),
        ]
        .map(|node| node.to_string())
    }

    /// What `-device` takes. Errors go to the guest, which counts them: QEMU would otherwise stop
    /// a guest whose storage is full.
    fn device() -> String {
        format!("virtio-blk-pci,drive={},disable-legacy=on,werror=report,rerror=report", Self::NODE)
    }
}

/// A guest to be started, or to be received.
#[derive(Clone, Debug)]
pub struct VmSpec {
    /// The QEMU program.
    pub binary: Utf8PathBuf,
    /// What executes it.
    pub accelerator: Accelerator,
    /// Most memory that TCG keeps translated code in, MiB; `None` is the program's default, an
    /// eighth of the machine's memory.
    pub tcg_cache_mib: Option<u32>,
    /// The machine type and version that both ends must have; `None` is the program's newest.
    pub machine: Option<String>,
    /// The guest's memory.
    pub memory: Bytes,
    /// The guest's image.
    pub kernel: Utf8PathBuf,
    /// The guest's address, which its MAC carries.
    pub address: Ipv4Addr,
    /// The node's tap device for it.
    pub tap: String,
    /// Whether it waits for a migration instead of booting.
    pub incoming: bool,
    /// File that holds the guest's memory, for those who must reach it from outside; otherwise
    /// the memory is QEMU's own.
    pub memory_file: Option<Utf8PathBuf>,
    /// The guest's disk, if it has one.
    pub disk: Option<Disk>,
}

impl VmSpec {
    /// The command line.
    #[must_use]
    pub fn argv(&self) -> Vec<String> {
        let mac =
            wire::mac_of_ipv4(self.address.octets()).map(|byte| format!("{byte:02x}")).join(":");
        let memory = self.memory.0;
        let mut argv = vec![self.binary.to_string()];
        let mut option = |name: &str, value: &str| argv.extend([name.to_owned(), value.to_owned()]);
        let machine = self.machine.as_deref().unwrap_or(machine::UNPINNED);
        match &self.memory_file {
            None => option("-machine", &format!("{machine},usb=off")),
            Some(file) => {
                option("-machine", &format!("{machine},usb=off,memory-backend=ram"));
                option(
                    "-object",
                    &format!("memory-backend-file,id=ram,size={memory},mem-path={file},share=on"),
                );
            }
        }
        match (self.accelerator, self.tcg_cache_mib) {
            (Accelerator::Tcg, Some(mib)) => option("-accel", &format!("tcg,tb-size={mib}")),
            (accelerator, _) => option("-accel", accelerator.name()),
        }
        // It only starts the kernel: half the time of a full firmware, and nothing left in RAM.
        option("-bios", "qboot.rom");
        option("-m", &format!("{memory}B"));
        option("-kernel", self.kernel.as_str());
        option("-netdev", &format!("tap,id=lan,ifname={},script=no,downscript=no", self.tap));
        option(
            "-device",
            &format!("virtio-net-pci,netdev=lan,mac={mac},romfile=,disable-legacy=on"),
        );
        if let Some(disk) = &self.disk {
            for node in disk.blockdevs() {
                option("-blockdev", &node);
            }
            option("-device", &Disk::device());
        }
        option("-serial", "file:/dev/stderr");
        option("-device", "isa-debug-exit,iobase=0xf4,iosize=4");
        option("-chardev", "stdio,id=monitor,signal=off");
        option("-mon", "chardev=monitor,mode=control");
        option("-display", "none");
        if self.incoming {
            option("-incoming", "defer");
        }
        argv.extend(["-nodefaults", "-no-user-config", "-no-reboot"].map(str::to_owned));
        argv
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(machine: Option<&str>, incoming: bool) -> VmSpec {
        VmSpec {
            binary: "/opt/qemu".into(),
            accelerator: Accelerator::Tcg,
            tcg_cache_mib: None,
            machine: machine.map(str::to_owned),
            memory: Bytes(64 << 20),
            kernel: "/guest".into(),
            address: Ipv4Addr::new(10, 77, 0, 254),
            tap: "tap0".to_owned(),
            incoming,
            memory_file: incoming.then(|| "/memory".into()),
            disk: None,
        }
    }

    /// What follows this option, each time.
    fn values(spec: &VmSpec, option: &str) -> Vec<String> {
        let argv = spec.argv();
        let at = argv.iter().zip(&argv[1..]).filter(|(name, _)| *name == option);
        at.map(|(_, value)| value.clone()).collect()
    }

    #[test]
    fn both_ends_have_the_machine_that_is_pinned() {
        let machine = |spec: VmSpec| values(&spec, "-machine").concat();
        assert_eq!(machine(spec(None, false)), "pc,usb=off");
        assert_eq!(machine(spec(Some("pc-i440fx-7.2"), false)), "pc-i440fx-7.2,usb=off");
        let target = machine(spec(Some("pc-i440fx-7.2"), true));
        assert_eq!(target, "pc-i440fx-7.2,usb=off,memory-backend=ram");
    }

    #[test]
    fn both_ends_have_the_same_disk_past_the_page_cache() {
        let disk = Some(Disk { file: "/shared/a, b.raw".into(), direct: true });
        let [source, target] =
            [false, true].map(|incoming| VmSpec { disk: disk.clone(), ..spec(None, incoming) });
        for option in ["-blockdev", "-device"] {
            assert_eq!(values(&source, option), values(&target, option), "{option}");
        }
        let nodes: Vec<serde_json::Value> = values(&source, "-blockdev")
            .iter()
            .map(|node| serde_json::from_str(node).unwrap())
            .collect();
        assert_eq!(nodes[0]["filename"], "/shared/a, b.raw");
        assert!(nodes.len() == 2 && nodes.iter().all(|node| node["cache"]["direct"] == true));
        assert!(values(&spec(None, false), "-blockdev").is_empty());
    }
}
