//! The provider `netns`: the nodes are network namespaces of this machine.
//!
//! One supervisor process, alone in its own (user,) mount, network and PID namespaces, holds the
//! node namespaces and the bridges between them, and starts every process of the lab. It is
//! process 1 of its PID namespace: when it ends, however it ends, the kernel ends every process
//! in there and takes away every namespace, bridge, link and tap device with them.

mod client;
pub(super) mod namespaces;
mod network;
mod protocol;
mod status;
mod supervisor;
mod up;

pub use client::Supervisor;
pub use status::{Labs, NodeProcess, UpLab, labs};
pub use supervisor::{HOLD_ARGUMENT, SUPERVISE_ARGUMENT, hold, supervise};
pub(super) use supervisor::{SOCKET_FILE, serve, start};
pub use up::{Keeper, down, find, up};
pub(super) use up::{end_supervisor, holders, remove, remove_file, start_supervisor};
