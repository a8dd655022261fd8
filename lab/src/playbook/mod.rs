//! Playbooks: how nodes are set up, as data.
//!
//! A template is rendered once for each node ([`render()`]) into a [`Playbook`]: steps with a check,
//! files, an action and a verification. Nothing is remembered between runs but what the nodes
//! themselves say when they are checked, so a playbook that was interrupted anywhere is simply
//! run again.

mod check;
mod collect;
mod concurrently;
pub mod context;
mod dry_run;
mod failure;
#[cfg(test)]
mod fixture;
mod generated;
mod log;
mod progress;
mod proxmox;
mod quoting;
mod render;
mod run;
mod script;
mod secrets;
mod session;
mod shell;
mod types;

pub use collect::collected;
pub use context::{Addresses, BRIDGE, Context, Devices};
pub use dry_run::{DryRun, Preview, dry_run};
pub use failure::{Failure, Part, RunError, What};
pub use generated::generated;
pub use progress::{Doing, Event, NodeSummary, Summary};
pub use proxmox::{
    FINGERPRINT as PROXMOX_FINGERPRINT, PRIVILEGES as PROXMOX_PRIVILEGES, ProxmoxContext,
    ROOT_PASSWORD,
};
pub use render::render;
pub use run::{CannotReboot, Reboot, Setup, run};
pub use secrets::Secrets;
pub use session::Change;
pub use shell::Shell;
pub use types::{Collect, File, Mode, On, Order, Playbook, Step};
