//! A lab: its nodes and networks, how they come to be, and what runs and migrates guests on them.

pub mod agent;
pub mod boot_cd;
pub mod facts;
pub mod hypervisor;
pub mod journal;
pub mod node;
pub mod packages;
pub mod playbook;
pub mod process;
pub mod provider;
pub mod running;
pub mod schema;
pub mod set_up;
pub mod shaping;
pub mod spec;
pub mod ssh;
pub mod state;
pub mod units;
pub mod wait;
pub mod yaml;

pub use running::{Lifetime, Programs, RunningLab};
