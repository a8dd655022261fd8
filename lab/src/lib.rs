//! A lab: its nodes and networks, how they come to be, and what runs and migrates guests on them.

pub mod hypervisor;
pub mod process;
pub mod units;
