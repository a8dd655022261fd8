//! The hypervisor `qemu`: plain QEMU processes, driven over QMP on their own stdin and stdout.
//!
//! A pipe needs no socket file, no waiting until it is there and no tear-down, and it works in a
//! namespace as it does through SSH.

mod arguments;
pub mod find;
pub mod machine;
pub mod migration;
pub mod on_node;
pub mod probe;
mod qmp;
mod vm;

pub use arguments::{Accelerator, Disk, VmSpec};
pub use qmp::{Event, Qmp, QmpError};
pub use vm::Vm;
