//! What a prediction is asked: a guest, a link, a limit, and the driver's rules.

use crate::{PAGE_BYTES, PAGE_HEADER_BYTES, Writer, ZERO_PAGE_BYTES};

/// Time of a sending step after which QEMU looks at what is left, seconds. Its rule says 50 ms;
/// the clock is looked at every [`STEP_PAGES`] pages, between two writes that wait for the
/// socket. Seen: 54.5 ms at 400 Mbit/s and at 1 Gbit/s (QEMU 10.0.2).
pub const STEP_S: f64 = 0.0545;
/// Pages between two looks at the clock within a step.
pub const STEP_PAGES: f64 = 64.0;
/// The bandwidth, and with it the threshold, is renewed no more often than this, seconds; a cap
/// lets through a tenth of itself in each such window.
pub const WINDOW_S: f64 = 0.1;

/// One migration that is to be predicted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scenario {
    /// Memory that the hypervisor has to send, zero pages included, bytes.
    pub memory_bytes: f64,
    /// The part of it that is zero pages, at the end of the memory, bytes.
    pub zero_bytes: f64,
    /// What the guest does to the lowest of its pages.
    pub writer: Writer,
    /// What the pages that it touches hold.
    pub content: Content,
    /// Payload that the link carries per second, bytes.
    pub link_bytes_per_s: f64,
    /// The sender's own cap, bytes per second; infinite for none. It does not bind the stop.
    pub cap_bytes_per_s: f64,
    /// The downtime that the sender aims at, seconds.
    pub downtime_limit_s: f64,
    /// A migration that takes longer has not converged, seconds.
    pub max_time_s: f64,
    /// The driver's rules.
    pub policy: Policy,
    /// What is neither guest nor link.
    pub costs: Costs,
}

/// What touched pages hold, as far as it matters to what they cost on the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// No page resembles what it was: nothing is saved.
    Random,
    /// A touch changes little of a page, so that sending the difference pays, where that is on.
    Sparse,
    /// Zeros.
    Zero,
}

/// The driver's rules during a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// QEMU's defaults: neither auto-converge nor differences, a limit that stays.
    Qemu,
    /// As Proxmox VE drives it: auto-converge and differences (XBZRLE) on, the downtime limit
    /// doubled when what is left grew more than five times between two polls.
    Proxmox,
}

/// Costs of the machine and of QEMU itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// From the beginning to the first byte, seconds.
    pub setup_s: f64,
    /// Stopping the guest, loading the devices and starting it again, seconds.
    pub stop_fixed_s: f64,
    /// What lies in the sender's socket and in the link's queue while it sends, bytes: it counts
    /// as sent, and when the guest is stopped it has to go first.
    pub backlog_bytes: f64,
    /// How fast zero pages are found to be zero, and differences are made, bytes of memory per
    /// second.
    pub scan_bytes_per_s: f64,
}

impl Costs {
    /// As fitted on the records of `docs/precopy-2026-11-22` with 128 MiB of memory (QEMU 10.0.2
    /// under TCG, two cores), but for the zero pages, which those hardly have: see METHODOLOGY.md.
    pub const LOCAL_LAB: Self = Self {
        setup_s: 0.002,
        stop_fixed_s: 0.007,
        backlog_bytes: 1.1e6,
        scan_bytes_per_s: 6.0 * 1_073_741_824.0,
    };
}

impl Scenario {
    /// Payload per second while the guest runs, bytes.
    #[must_use]
    pub fn live_bytes_per_s(&self) -> f64 {
        self.link_bytes_per_s.min(self.cap_bytes_per_s)
    }

    /// Whether the sender's own cap binds, and not the link.
    #[must_use]
    pub fn is_capped(&self) -> bool {
        self.cap_bytes_per_s < self.link_bytes_per_s
    }

    /// Time between two looks at what is left, seconds.
    #[must_use]
    pub fn step_s(&self) -> f64 {
        let window_bytes = self.cap_bytes_per_s * WINDOW_S;
        if self.is_capped() && window_bytes / self.link_bytes_per_s < STEP_S {
            // The window is used up before the step is over, and the rest of it waited for.
            return WINDOW_S;
        }
        let look_s = STEP_PAGES * (PAGE_BYTES + PAGE_HEADER_BYTES) / self.live_bytes_per_s();
        STEP_S.max(look_s)
    }

    /// Bytes that count as sent and wait before the link; none where the cap keeps it free.
    #[must_use]
    pub fn backlog_bytes(&self) -> f64 {
        if self.is_capped() { 0.0 } else { self.costs.backlog_bytes }
    }

    /// What the stop costs besides its bytes, seconds.
    #[must_use]
    pub fn stop_fixed_s(&self) -> f64 {
        self.costs.stop_fixed_s + self.backlog_bytes() / self.link_bytes_per_s
    }

    /// Bytes on the stream for a byte of the working set, the first time.
    pub(crate) fn first_share(&self) -> f64 {
        match self.content {
            Content::Zero => ZERO_SHARE,
            Content::Random | Content::Sparse => PAGE_SHARE,
        }
    }

    /// The same, each further time.
    pub(crate) fn again_share(&self) -> f64 {
        match (self.content, self.policy) {
            (Content::Sparse, Policy::Proxmox) => {
                let hits =
                    (cache_bytes(self.memory_bytes) / self.writer.working_set_bytes()).min(1.0);
                hits * DIFFERENCE_SHARE + (1.0 - hits) * PAGE_SHARE
            }
            _ => self.first_share(),
        }
    }
}

/// Bytes on the stream for a byte of an ordinary page.
pub(crate) const PAGE_SHARE: f64 = 1.0 + PAGE_HEADER_BYTES / PAGE_BYTES;
/// Bytes on the stream for a byte of zero pages.
pub(crate) const ZERO_SHARE: f64 = ZERO_PAGE_BYTES / PAGE_BYTES;
/// The same for the difference of a sparse page: eight words of eight bytes, each with two bytes
/// of lengths, and a header of 11 bytes.
const DIFFERENCE_SHARE: f64 = 91.0 / PAGE_BYTES;

/// Proxmox's cache of sent pages: a tenth of the memory, rounded up to a power of two.
fn cache_bytes(memory_bytes: f64) -> f64 {
    (memory_bytes / 10.0).max(PAGE_BYTES).log2().ceil().exp2()
}
