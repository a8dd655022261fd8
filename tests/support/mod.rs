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
pub const DEADLINE: Duration = Duration::from_secs(300);

/// An experiment whose gate opens on a machine that is busy with others, too: its test asks what
/// becomes of guests, not how quiet the machine is.
pub fn lax(experiment: &str) -> String {
    format!(
        "{experiment}gate: {{ touch_rate: 70 %, disk_write_rate: 40 %, heartbeats_lost: 30 %, \
         spacing: 500, patience: 60 s }}\n"
    )
}
