//! What runs and migrates guests on a lab's nodes.

pub mod qemu;
