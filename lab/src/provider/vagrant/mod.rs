//! The provider `vagrant`: nodes are virtual machines that Vagrant makes with libvirt.
//!
//! Where a libvirt of this machine answers, it is used as it is, and everything made there has a
//! name that begins with the lab's. Where none does, the lab has one of its own: its supervisor
//! (`netns`'s, which is process 1 of its namespaces here too) mounts folders of the lab over those
//! that libvirt writes to and starts `libvirtd` in a network namespace of the lab. Ending that
//! process ends libvirt, its machines and networks.
//!
//! Everything that lasts lies in the lab's folder; `up` looks at each thing before it makes it,
//! so one that was killed is simply run again.

mod box_image;
mod domains;
mod down;
mod host;
mod names;
mod networks;
mod preflight;
mod private;
mod reach;
mod ssh;
mod status;
mod up;
mod vagrantfile;

pub use down::down;
pub use preflight::{Check, Preflight, Rating, preflight};
pub(super) use private::{LIBVIRT, supervise as supervise_libvirt};
pub use reach::{REACH_ARGUMENT, reach};
pub use ssh::{SshNode, targets};
pub use status::{NodeState, Status, status};
pub use up::up;

use crate::spec::{LabSpec, VagrantSpec};

/// Whether nodes run under KVM, as probing showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Virtualization {
    /// KVM; else QEMU's translator.
    pub kvm: bool,
    /// Why: what the probe found, to be recorded.
    pub reason: String,
}

/// The lab file's settings of this provider, or the defaults.
fn settings(spec: &LabSpec) -> VagrantSpec {
    spec.vagrant.clone().unwrap_or_default()
}
