//! The hypervisor `proxmox`: Proxmox VE, driven through its API.
//!
//! [`Client`] asks; what it may be told is in [`types`], [`tasks`], [`migration_log`] and
//! [`info_migrate`], what can go wrong in [`error`]. [`Capabilities`] says what depends on the
//! version. [`survey`] is what must be known of a cluster before anything is migrated on it.

mod answer;
mod call;
pub mod capabilities;
mod connect;
mod credentials;
pub mod dirty_rate;
mod endpoint;
pub mod error;
mod fingerprint;
mod form;
pub mod guest;
pub mod info_migrate;
mod lenient;
pub mod migrate;
pub mod migration_log;
pub mod observe;
mod reads;
mod secret;
mod session;
mod start;
pub mod survey;
pub mod tasks;
mod tls;
mod transport;
pub mod types;
mod upid;
mod upload;
pub mod version;

pub use call::{Client, Settings};
pub use capabilities::Capabilities;
pub use connect::of_made;
pub use credentials::{Credentials, secret_file};
pub use endpoint::{Endpoint, PORT, Trust};
pub use error::{Error, Fault};
pub use fingerprint::{Fingerprint, NotAFingerprint};
pub use form::{Form, encode};
pub use secret::Secret;
pub use start::Start;
pub use transport::Patience;
pub use upid::{NotAUpid, Upid};
