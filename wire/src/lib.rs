//! The contract between the guest and everybody else: the UDP messages, which page each touch
//! of the workload goes to and which block of the disk each write, and what all must hold. And that
//! between the harness and its agent on a node: [`frame`].
//!
//! Pure `no_std` arithmetic without dependencies, so that the bare-metal guest links it and the
//! host tests it. Nothing here does I/O.
#![no_std]
#![forbid(unsafe_code)]

pub mod content;
pub mod disk;
pub mod frame;
mod hash;
mod message;
mod pace;
pub mod pattern;

pub use content::Page;
pub use message::{
    Config, Content, DecodeError, DiskVerification, Heartbeat, Layout, MAX_MESSAGE_BYTES, Message,
    Pattern, Refusal, State, Verification, is_of_same_trial,
};
pub use pace::{CATCH_UP_MS, Grid, Pace};

/// The UDP port on which the guest listens and from which it sends.
pub const GUEST_PORT: u16 = 7177;

/// The UDP port of the observer on the witness, to which an unconfigured guest broadcasts.
pub const OBSERVER_PORT: u16 = 7178;

/// Bytes of a page: the unit of the workload, of dirty tracking and of verification. A block of
/// the disk is as large.
pub const PAGE_BYTES: usize = 4096;

/// The first two bytes of every guest's MAC address; the other four are its IPv4 address.
///
/// `0x52` has the "locally administered" bit set and the "group" bit clear.
pub const MAC_PREFIX: [u8; 2] = [0x52, 0x50];

/// The MAC address that makes a guest take `ipv4` as its address.
#[must_use]
pub const fn mac_of_ipv4(ipv4: [u8; 4]) -> [u8; 6] {
    [MAC_PREFIX[0], MAC_PREFIX[1], ipv4[0], ipv4[1], ipv4[2], ipv4[3]]
}

/// The IPv4 address a guest with this MAC takes; `None` for a MAC that is not one of ours.
#[must_use]
pub const fn ipv4_of_mac(mac: [u8; 6]) -> Option<[u8; 4]> {
    if mac[0] == MAC_PREFIX[0] && mac[1] == MAC_PREFIX[1] {
        Some([mac[2], mac[3], mac[4], mac[5]])
    } else {
        None
    }
}
