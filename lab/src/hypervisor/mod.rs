//! Hypervisors: what runs and migrates guests on nodes. A hypervisor knows nothing of how its
//! nodes came to be.

pub mod proxmox;
pub mod qemu;
