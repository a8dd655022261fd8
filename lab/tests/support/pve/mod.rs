//! A double of Proxmox VE's API: what a real cluster answered (`lab/tests/recordings`), as a
//! server. It knows nodes, VMs, tasks and users, hands calls on to other nodes, lets tickets
//! expire, and fails where it is told to.

mod certificates;
mod facts;
mod lives;
mod monitor;
mod privileges;
mod qemu;
mod real;
mod request;
mod routes;
mod server;
mod tasks;
mod vms;
mod volumes;
mod world;

pub use certificates::Certificates;
pub use monitor::Dirtying;
pub use qemu::{Place, Real};
pub use request::Reply;
pub use server::Double;
pub use vms::Vm;
pub use world::{Failure, Listing, PASSWORD, TOKEN, TOKEN_SECRET, World};
