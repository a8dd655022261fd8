//! How a pre-copy live migration goes, by arithmetic alone: no I/O, no clock, no chance.
//!
//! Two models from the literature and from QEMU's rule as it is written, [`Textbook`] and
//! [`QemuRule`], are here to be compared with. What predicts is [`Scenario`].
//!
//! All numbers are `f64` in bytes, seconds and bytes per second; names end with the unit.
#![forbid(unsafe_code)]

pub mod closed_form;
mod course;
mod driver;
mod prediction;
mod qemu_rule;
mod ring;
mod scenario;
mod sender;
mod textbook;
pub mod throttle;
mod writer;

pub use course::Course;
pub use prediction::{Band, CASES, Case, Prediction, QUICK_CASES};
pub use qemu_rule::{QemuRule, Sync};
pub use scenario::{Content, Costs, Policy, STEP_PAGES, STEP_S, Scenario, WINDOW_S};
pub use textbook::{Textbook, TextbookRound};
pub use writer::{Part, Writer};

/// A page, bytes.
pub const PAGE_BYTES: f64 = 4096.0;
/// What QEMU's stream has ahead of a page's content, bytes (a page of the same memory block as
/// the one before it).
pub const PAGE_HEADER_BYTES: f64 = 8.0;
/// What a zero page costs on QEMU's stream, bytes: the header and a zero.
pub const ZERO_PAGE_BYTES: f64 = 9.0;
