//! Providers: what makes nodes exist. A provider knows nothing of hypervisors.

pub mod hosts;
pub mod machines;
pub mod netns;
