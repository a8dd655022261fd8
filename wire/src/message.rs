//! The UDP messages: little-endian, fixed layout, one datagram each.
//!
//! Layout: magic `PCL2` (the digit is the version of the format), one byte of kind, then the
//! fields in the order of their declaration.
//! Requests carry a `request` number that the answer repeats, so that a request can be sent
//! again until it is answered: the guest answers a repeated number without acting twice. Each trial
//! counts on from a number of its own, because a datagram for a guest that is gone may reach the next
//! one at the same address: see [`is_of_same_trial`].

mod codec;

pub use codec::DecodeError;

use codec::{Reader, Writer};

/// Upper bound of an encoded message, in bytes; a buffer of this size holds any of them.
pub const MAX_MESSAGE_BYTES: usize = 96;

/// What the guest is doing when it beats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Booted, waiting for a `Configure`; it broadcasts its beats until then.
    Waiting,
    /// Writing the first content of its pages.
    Filling,
    /// The workload runs at its pace.
    Steady,
    /// The workload has stopped for good; memory is being checked.
    Verifying,
}

/// In which order the workload touches the pages of its working set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Touches nothing; only the heartbeat runs.
    Idle,
    /// One page after another, around and around.
    Sequential,
    /// Each touch goes to a page drawn uniformly, independent of all others.
    Random,
    /// Nine touches of ten go to the first tenth of the working set, uniformly; the rest
    /// uniformly to the other pages.
    Hotspot,
}

/// What pages hold, and so what a touch changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Every word pseudo-random; a touch rewrites all of them.
    Random,
    /// One pseudo-random word in each 512 bytes, zero elsewhere; a touch rewrites those words.
    Sparse,
    /// All zero; a touch writes zeros, so the page is dirty and yet a zero page.
    Zero,
}

/// What the guest is asked to do, once, after its boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Seed of pattern and content.
    pub seed: u64,
    /// Pages that the workload touches.
    pub working_set_pages: u64,
    /// Pages that are filled before the guest is steady, working set included; further pages
    /// stay as they were at boot: zero.
    pub filled_pages: u64,
    /// Pages touched per second, paced.
    pub touch_pages_per_s: u32,
    /// Microseconds from one heartbeat to the next; 0 beats not at all.
    pub heartbeat_interval_us: u32,
    /// Order of the touches.
    pub pattern: Pattern,
    /// Content of the pages.
    pub content: Content,
    /// Blocks of the disk that may be written, from its beginning; 0 writes none.
    pub disk_blocks: u64,
    /// Blocks written per second, paced.
    pub disk_writes_per_s: u32,
}

/// How the guest's memory is laid out, told in answer to `Configure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Pages of RAM that the firmware reported as usable.
    pub memory_pages: u64,
    /// Pages that `filled_pages` may at most ask for.
    pub workload_pages: u64,
    /// Pages of the guest's own (image, tables, stacks, queues) that are not zero.
    pub own_pages: u64,
}

/// One beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Counts up by one from 0, from boot on.
    pub sequence: u64,
    /// The guest's own clock, nanoseconds; it may stop while the guest is paused.
    pub guest_ns: u64,
    /// What the guest is doing.
    pub state: State,
    /// Touches done since the workload began (while filling: pages filled).
    pub pages_written: u64,
    /// Touches that fell due but were given up because the guest was too far behind.
    pub pages_dropped: u64,
    /// Complete passes over the working set: `pages_written / working_set_pages`.
    pub passes: u64,
    /// Writes that the disk has acknowledged and the guest has seen acknowledged.
    pub disk_writes: u64,
    /// Writes that the disk has answered with an error.
    pub disk_errors: u32,
}

/// What verification found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Touches done when the workload stopped.
    pub pages_written: u64,
    /// Pages compared with what they must hold: working set, filled and zero pages.
    pub pages_checked: u64,
    /// Pages that did not hold it.
    pub pages_wrong: u64,
    /// Index of the first wrong page in the workload's region; `u64::MAX` when there is none.
    pub first_wrong_page: u64,
    /// Whether the guest's own code and constants still have the checksum they had at boot.
    pub image_intact: bool,
    /// How long the check took by the guest's clock, nanoseconds.
    pub took_ns: u64,
    /// What was found on the disk; all 0 for a guest that writes to none.
    pub disk: DiskVerification,
}

/// What verification found on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskVerification {
    /// Writes acknowledged when the workload had stopped and none was in flight any more.
    pub writes: u64,
    /// Blocks compared with what they must hold, those never written (zero) included.
    pub blocks_checked: u64,
    /// Blocks that did not hold it.
    pub blocks_wrong: u64,
    /// The first of them; without a meaning when there is none.
    pub first_wrong_block: u64,
    /// Blocks that could not be read, and so are not among those checked.
    pub blocks_unreadable: u64,
    /// Writes and flushes that the disk has answered with an error.
    pub errors: u32,
}

/// Why the guest did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// More pages asked for than the guest has, or a working set larger than what is filled.
    TooManyPages,
    /// A second `Configure` with another request number.
    AlreadyConfigured,
    /// `Verify` before `Configure` or before the fill ended.
    NotSteady,
    /// More blocks asked for than the guest's disk has, or it has none.
    TooManyBlocks,
}

/// Requests of one trial, and many more.
const REQUESTS: u32 = 1000;

/// Whether a request is of the trial that had its guest configured by the request `configured`. What
/// another trial asked may have waited, for the address to be resolved, until there was a guest
/// again.
#[must_use]
pub const fn is_of_same_trial(configured: u32, request: u32) -> bool {
    request.wrapping_sub(configured) < REQUESTS
}

/// A datagram between guest and observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Guest to observer, unasked.
    Heartbeat(Heartbeat),
    /// Observer to guest: begin. The guest beats to the sender of this datagram from then on.
    Configure {
        /// Number of the request.
        request: u32,
        /// What to do.
        config: Config,
    },
    /// Guest to observer: begun.
    Configured {
        /// Number of the request.
        request: u32,
        /// The guest's memory.
        layout: Layout,
    },
    /// Observer to guest: stop the workload for good and check all memory.
    Verify {
        /// Number of the request.
        request: u32,
    },
    /// Guest to observer: checked.
    Verified {
        /// Number of the request.
        request: u32,
        /// What was found.
        verification: Verification,
    },
    /// Guest to observer: not done.
    Refused {
        /// Number of the request.
        request: u32,
        /// Why.
        refusal: Refusal,
    },
}

impl Message {
    /// The number of the request this message asks or answers; `None` for a heartbeat.
    #[must_use]
    pub const fn request(&self) -> Option<u32> {
        match self {
            Self::Heartbeat(_) => None,
            Self::Configure { request, .. }
            | Self::Configured { request, .. }
            | Self::Verify { request }
            | Self::Verified { request, .. }
            | Self::Refused { request, .. } => Some(*request),
        }
    }

    /// Writes the message and returns the bytes written.
    #[must_use]
    pub fn encode<'a>(&self, buffer: &'a mut [u8; MAX_MESSAGE_BYTES]) -> &'a [u8] {
        let mut out = Writer::begin(buffer);
        match *self {
            Self::Heartbeat(beat) => {
                out.u8(1);
                out.u64(beat.sequence);
                out.u64(beat.guest_ns);
                out.u8(codec::state_code(beat.state));
                out.u64(beat.pages_written);
                out.u64(beat.pages_dropped);
                out.u64(beat.passes);
                out.u64(beat.disk_writes);
                out.u32(beat.disk_errors);
            }
            Self::Configure { request, config } => {
                out.u8(2);
                out.u32(request);
                out.u64(config.seed);
                out.u64(config.working_set_pages);
                out.u64(config.filled_pages);
                out.u32(config.touch_pages_per_s);
                out.u32(config.heartbeat_interval_us);
                out.u8(codec::pattern_code(config.pattern));
                out.u8(codec::content_code(config.content));
                out.u64(config.disk_blocks);
                out.u32(config.disk_writes_per_s);
            }
            Self::Configured { request, layout } => {
                out.u8(3);
                out.u32(request);
                out.u64(layout.memory_pages);
                out.u64(layout.workload_pages);
                out.u64(layout.own_pages);
            }
            Self::Verify { request } => {
                out.u8(4);
                out.u32(request);
            }
            Self::Verified { request, verification } => {
                out.u8(5);
                out.u32(request);
                out.u64(verification.pages_written);
                out.u64(verification.pages_checked);
                out.u64(verification.pages_wrong);
                out.u64(verification.first_wrong_page);
                out.u8(u8::from(verification.image_intact));
                out.u64(verification.took_ns);
                out.u64(verification.disk.writes);
                out.u64(verification.disk.blocks_checked);
                out.u64(verification.disk.blocks_wrong);
                out.u64(verification.disk.first_wrong_block);
                out.u64(verification.disk.blocks_unreadable);
                out.u32(verification.disk.errors);
            }
            Self::Refused { request, refusal } => {
                out.u8(6);
                out.u32(request);
                out.u8(codec::refusal_code(refusal));
            }
        }
        out.written()
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// When it is not one of ours, is of another version, is cut short, or holds a code this
    /// version does not know.
    pub fn decode(datagram: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::begin(datagram)?;
        let message = match input.u8()? {
            1 => Self::Heartbeat(Heartbeat {
                sequence: input.u64()?,
                guest_ns: input.u64()?,
                state: codec::state_of(input.u8()?)?,
                pages_written: input.u64()?,
                pages_dropped: input.u64()?,
                passes: input.u64()?,
                disk_writes: input.u64()?,
                disk_errors: input.u32()?,
            }),
            2 => Self::Configure {
                request: input.u32()?,
                config: Config {
                    seed: input.u64()?,
                    working_set_pages: input.u64()?,
                    filled_pages: input.u64()?,
                    touch_pages_per_s: input.u32()?,
                    heartbeat_interval_us: input.u32()?,
                    pattern: codec::pattern_of(input.u8()?)?,
                    content: codec::content_of(input.u8()?)?,
                    disk_blocks: input.u64()?,
                    disk_writes_per_s: input.u32()?,
                },
            },
            3 => Self::Configured {
                request: input.u32()?,
                layout: Layout {
                    memory_pages: input.u64()?,
                    workload_pages: input.u64()?,
                    own_pages: input.u64()?,
                },
            },
            4 => Self::Verify { request: input.u32()? },
            5 => Self::Verified {
                request: input.u32()?,
                verification: Verification {
                    pages_written: input.u64()?,
                    pages_checked: input.u64()?,
                    pages_wrong: input.u64()?,
                    first_wrong_page: input.u64()?,
                    image_intact: input.u8()? != 0,
                    took_ns: input.u64()?,
                    disk: DiskVerification {
                        writes: input.u64()?,
                        blocks_checked: input.u64()?,
                        blocks_wrong: input.u64()?,
                        first_wrong_block: input.u64()?,
                        blocks_unreadable: input.u64()?,
                        errors: input.u32()?,
                    },
                },
            },
            6 => Self::Refused { request: input.u32()?, refusal: codec::refusal_of(input.u8()?)? },
            _ => return Err(DecodeError::UnknownCode),
        };
        input.end()?;
        Ok(message)
    }
}
