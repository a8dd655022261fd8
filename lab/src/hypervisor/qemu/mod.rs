//! Plain QEMU, driven over QMP.

pub mod find;
