//! Packages for nodes: fetched once by this machine, served to all of them.
//!
//! Nodes need no way out. [`PackageCache::serve`] is an HTTP proxy for apt on any listener, and
//! knows nothing of how nodes reach it (`set_up` leads them here); this machine fetches by its own means, so that its own
//! proxies and credentials apply. What never changes under its name is kept between runs;
//! indexes are asked for again by each new [`PackageCache`]. apt on the node checks signatures and
//! hashes of all it gets, so nothing here needs to be trusted.

mod cache;
mod fetch;
mod key;
mod serve;
mod time;
mod url;

pub use cache::{Found, PackageCache, Statistics};
pub use fetch::{Fetch, FetchError, Fetcher};
pub use key::keyring;
pub use serve::Listen;
pub use url::{host, is_local};
