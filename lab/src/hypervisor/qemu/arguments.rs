//! QEMU's command line for a guest.

use super::machine;
use crate::units::Bytes;
use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
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

    #[test]
    fn both_ends_have_the_machine_that_is_pinned() {
        let spec = |machine: Option<&str>, incoming| VmSpec {
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
        };
        let machine = |spec: VmSpec| {
            let argv = spec.argv();
            let at = argv.iter().position(|argument| argument == "-machine").expect("one");
            argv[at + 1].clone()
        };
        assert_eq!(machine(spec(None, false)), "pc,usb=off");
        assert_eq!(machine(spec(Some("pc-i440fx-7.2"), false)), "pc-i440fx-7.2,usb=off");
        let target = machine(spec(Some("pc-i440fx-7.2"), true));
        assert_eq!(target, "pc-i440fx-7.2,usb=off,memory-backend=ram");
    }
}
