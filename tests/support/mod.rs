//! What the end-to-end tests share: a place of their own, the program, its processes.
//!
//! Nothing here waits by the clock: tests wait for lines, processes and conditions, each with a
//! deadline that only a hang reaches.

pub mod bad_qemu;
pub mod bare;
pub mod check;
pub mod cluster;
pub mod machines;
pub mod order;
pub mod plan;
pub mod processes;
pub mod program;
pub mod sandbox;
pub mod ssh_nodes;

#[path = "../../xtask/src/build.rs"]
pub mod build;

pub use bare::Bare;
pub use program::Running;
pub use sandbox::Sandbox;

use std::time::Duration;

/// No step of a test takes as long, or something hangs.
pub const DEADLINE: Duration = Duration::from_secs(120);
