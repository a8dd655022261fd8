//! End-to-end tests: the program as a user runs it, on real QEMU or on the model lab.
//!
//! One at a time, whatever runs them ([`support::Sandbox`]), because two migrations side by side
//! would disturb each other. None is timed: a slow machine is no failure.

mod advise;
mod cd;
mod corruption;
mod deaths;
mod disk;
mod experiment;
mod hosts;
mod hosts_set_up;
mod interruption;
mod judging;
mod kills;
mod known_bad_qemu;
mod lab_check;
mod lost_nodes;
mod model_lab;
mod model_verdicts;
mod nested;
mod network;
mod ordinary_user;
mod proxmox;
mod proxmox_existing;
mod proxmox_faults;
mod proxmox_program;
#[expect(dead_code, unused_imports, reason = "these tests need a part of it")]
#[path = "../lab/tests/support/pve/mod.rs"]
mod pve;
mod qemus;
mod support;
