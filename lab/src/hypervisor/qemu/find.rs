//! Finding a QEMU on this machine.
