//! What is to be expected of the migrations of somebody's VM on Proxmox, from how fast it was seen
//! to dirty its memory and what the links carry: whether it converges by itself, what Proxmox has
//! to do to end it, what secure costs, what bandwidth a downtime needs. Pure arithmetic, by the
//! crate `model`.
//!
//! Wherever something is not known it is a range: the model is asked for all that fits what was
//! seen.

mod bound;
mod links;
mod outlook;
mod range;
mod writers;

pub use bound::Bound;
pub use links::{Way, links, no_tunnel};
pub use outlook::{Ending, Outlook, Over, Share};
pub use range::Range;
pub use writers::{Dirtying, Seen, Shape, Writers};

use lab::hypervisor::proxmox::observe::Observed;
use serde::Serialize;

/// The downtime that Proxmox aims at where a VM says nothing, seconds.
pub const PROXMOX_LIMIT_S: f64 = 0.1;
/// A migration that takes longer is taken never to end, seconds: a day.
const LONGEST_S: f64 = 86_400.0;

/// What a way from node to node carries of a migration, and how that is known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// Payload a second, bytes.
    pub bytes_per_s: f64,
    /// Where the figure comes from, in words.
    pub source: String,
}

/// What migrations are carried by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Links {
    /// As it is.
    pub insecure: Rate,
    /// Through SSH, where that is known.
    pub secure: Option<Rate>,
    /// The datacenter's cap on all migrations, bytes a second.
    pub cap_bytes_per_s: Option<f64>,
}

/// What is to be said of one VM.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    /// As it was seen.
    pub vm: Observed,
    /// What its workload does to its memory, as far as that was seen.
    pub dirtying: Dirtying,
    /// The downtime that its migrations aim at, seconds.
    pub limit_s: f64,
    /// The lower of its own and the datacenter's cap, bytes a second.
    pub cap_bytes_per_s: Option<f64>,
    /// Over the link as it is.
    pub insecure: Outlook,
    /// Through SSH, where it is known what that carries.
    pub secure: Option<Outlook>,
    /// The downtime that bandwidth is asked for, seconds: [`Advice::limit_s`] unless another was
    /// wanted.
    pub wanted_s: f64,
    /// The least payload, bytes a second, over which [`Advice::wanted_s`] is kept to without the
    /// guest being throttled or the limit raised. No cap is counted.
    pub needs_bytes_per_s: Range<Bound>,
}

impl Advice {
    /// Asks the model. `wanted_s` is a downtime other than the VM's own limit.
    #[must_use]
    pub fn of(vm: &Observed, links: &Links, wanted_s: Option<f64>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "bytes are far below 2^53")]
        let (memory_bytes, own_cap) =
            (vm.memory_bytes as f64, vm.migrate_speed_bytes_s.map(|cap| cap as f64));
        let seen: Vec<Seen> = vm.windows.iter().map(|it| Seen::of(it, memory_bytes)).collect();
        let writers = Writers::of(&seen, memory_bytes);
        let caps = own_cap.into_iter().chain(links.cap_bytes_per_s);
        let cap_bytes_per_s = caps.reduce(f64::min);
        let limit_s = vm.migrate_downtime_s.unwrap_or(PROXMOX_LIMIT_S);
        let over = |rate: &Rate, limit_s: f64, cap: Option<f64>| Over {
            memory_bytes,
            link_bytes_per_s: rate.bytes_per_s,
            cap_bytes_per_s: cap.unwrap_or(f64::INFINITY),
            limit_s,
        };
        let outlook = |rate: &Rate| Outlook::of(over(rate, limit_s, cap_bytes_per_s), &writers);
        let wanted_s = wanted_s.unwrap_or(limit_s);
        Self {
            vm: vm.clone(),
            dirtying: writers.dirtying(),
            limit_s,
            cap_bytes_per_s,
            insecure: outlook(&links.insecure),
            secure: links.secure.as_ref().map(outlook),
            wanted_s,
            needs_bytes_per_s: over(&links.insecure, wanted_s, None).least_link(&writers),
        }
    }
}

#[cfg(test)]
mod tests;
