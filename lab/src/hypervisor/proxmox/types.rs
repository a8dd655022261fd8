//! What is read of Proxmox's answers. Fields that Proxmox need not send are options; fields that
//! are not named here are left out.

mod access;
mod cluster;
mod node;
mod storage;
mod vm;

pub use access::{Permissions, Role};
pub use cluster::{
    ClusterNode, ClusterOptions, ClusterStatus, Migration, NodeEntry, Release, Resource,
};
pub use node::{CpuInfo, Interface, Kernel, Memory, NodeStatus, NodeTime, Package};
pub use storage::{Content, StorageEntry, StorageStatus};
pub use vm::{Ha, LocalDisk, NotAllowed, Precheck, VmConfig, VmStatus};
