//! Guests of ours on Proxmox, and what is left of them.

pub mod arguments;
mod existing;
mod files;
mod own;
mod spec;
mod stale;
mod sweep;
mod twin;

pub use existing::Existing;
pub use files::same_on_all;
pub use own::Guest;
pub use spec::{Boot, GuestSpec, MonitorFolder, Ours};
pub use stale::{Stale, free};
pub use sweep::{Swept, find, sweep};

use super::tasks::TaskEntry;
