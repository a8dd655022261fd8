//! How far a lab may be from its file. METHODOLOGY.md says each of these and why.

/// A link that carries more than its rate by this share is not shaped.
pub const RATE_OVER: f64 = 1.10;
/// A link that carries less than this share of its rate is slower than the lab says: TCP and its
/// headers take some 5 %.
pub const RATE_UNDER: f64 = 0.85;

/// Longest median round trip, milliseconds. Handing a guest over waits for about two of them,
/// which then are 10 ms, a thirtieth of the 300 ms that QEMU aims at by itself.
pub const ROUND_TRIP_MS: f64 = 5.0;
/// A link that loses more than this share of single small packets loses the guest's heartbeats
/// too.
pub const LOST: f64 = 0.10;

/// A shared file system with less space than this is as good as full, bytes.
pub const SPACE_BYTES: u64 = 64 << 20;
/// A small synced file that takes longer than this, milliseconds, tells of a file system that
/// would hold a guest's writes up for as long.
pub const WRITE_MS: f64 = 100.0;

/// An offset between clocks that is not known better than this, milliseconds, is as large as what
/// is measured with it: heartbeats come every few milliseconds.
pub const CLOCK_ERROR_MS: f64 = 2.0;
/// Clocks that differ by more, milliseconds, are corrected all the same, but nobody keeps them:
/// logs of the nodes do not fit together.
pub const CLOCK_OFFSET_MS: f64 = 100.0;
/// A clock that drifts more, parts per million, moves by the error above within a trial of 10 s.
pub const CLOCK_DRIFT_PPM: f64 = 200.0;

/// A machine with more processes than this share of its processors, on average over the last
/// minute, is busy with something else.
pub const LOAD: f64 = 0.5;
/// Processors of a virtual machine that lose more than this share of their time to others are not
/// there when a packet, a heartbeat or a page is to be sent.
pub const STOLEN: f64 = 0.05;
/// What a QEMU takes besides what its guest has filled, bytes: itself, and TCG's translations.
pub const QEMU_BYTES: u64 = 192 << 20;
