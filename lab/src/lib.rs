//! A lab: its nodes and networks, how they come to be, and what runs and migrates guests on them.

pub mod spec;
pub mod units;
pub mod yaml;
