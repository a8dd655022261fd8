//! The UDP messages: little-endian, fixed layout, one datagram each.
//!
//! Layout: magic `PCL1`, one byte of kind, then the fields in the order of their declaration.
//! Requests carry a `request` number that the answer repeats, so that a request can be sent
//! again until it is answered: the guest answers a repeated number without acting twice.

const MAGIC: [u8; 4] = *b"PCL1";

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
        let mut out = Writer { buffer, length: 0 };
        out.bytes(&MAGIC);
        match *self {
            Self::Heartbeat(beat) => {
                out.u8(1);
                out.u64(beat.sequence);
                out.u64(beat.guest_ns);
                out.u8(state_code(beat.state));
                out.u64(beat.pages_written);
                out.u64(beat.pages_dropped);
                out.u64(beat.passes);
            }
            Self::Configure { request, config } => {
                out.u8(2);
                out.u32(request);
                out.u64(config.seed);
                out.u64(config.working_set_pages);
                out.u64(config.filled_pages);
                out.u32(config.touch_pages_per_s);
                out.u32(config.heartbeat_interval_us);
                out.u8(pattern_code(config.pattern));
                out.u8(content_code(config.content));
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
            }
            Self::Refused { request, refusal } => {
                out.u8(6);
                out.u32(request);
                out.u8(refusal_code(refusal));
            }
        }
        let length = out.length;
        &buffer[..length]
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// When it is not one of ours, is cut short, or holds a code this version does not know.
    pub fn decode(datagram: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader { rest: datagram };
        if input.array::<4>()? != MAGIC {
            return Err(DecodeError::Foreign);
        }
        let message = match input.u8()? {
            1 => Self::Heartbeat(Heartbeat {
                sequence: input.u64()?,
                guest_ns: input.u64()?,
                state: state_of(input.u8()?)?,
                pages_written: input.u64()?,
                pages_dropped: input.u64()?,
                passes: input.u64()?,
            }),
            2 => Self::Configure {
                request: input.u32()?,
                config: Config {
                    seed: input.u64()?,
                    working_set_pages: input.u64()?,
                    filled_pages: input.u64()?,
                    touch_pages_per_s: input.u32()?,
                    heartbeat_interval_us: input.u32()?,
                    pattern: pattern_of(input.u8()?)?,
                    content: content_of(input.u8()?)?,
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
                },
            },
            6 => Self::Refused { request: input.u32()?, refusal: refusal_of(input.u8()?)? },
            _ => return Err(DecodeError::UnknownCode),
        };
        if input.rest.is_empty() { Ok(message) } else { Err(DecodeError::Length) }
    }
}

/// Why a datagram could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It does not begin with our magic.
    Foreign,
    /// It is shorter or longer than its kind says.
    Length,
    /// It holds a code this version does not know.
    UnknownCode,
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Foreign => "not a precopy-lab datagram",
            Self::Length => "a datagram of the wrong length",
            Self::UnknownCode => "a datagram with an unknown code",
        })
    }
}

impl core::error::Error for DecodeError {}

/// Declares the two directions of an enum's one-byte code, so that they cannot disagree.
macro_rules! codes {
    ($to:ident, $from:ident, $type:ident { $($variant:ident = $code:literal),+ $(,)? }) => {
        const fn $to(value: $type) -> u8 {
            match value { $($type::$variant => $code),+ }
        }
        const fn $from(code: u8) -> Result<$type, DecodeError> {
            match code { $($code => Ok($type::$variant),)+ _ => Err(DecodeError::UnknownCode) }
        }
    };
}

codes!(state_code, state_of, State { Waiting = 0, Filling = 1, Steady = 2, Verifying = 3 });
codes!(pattern_code, pattern_of, Pattern { Idle = 0, Sequential = 1, Random = 2, Hotspot = 3 });
codes!(content_code, content_of, Content { Random = 0, Sparse = 1, Zero = 2 });
codes!(refusal_code, refusal_of, Refusal { TooManyPages = 0, AlreadyConfigured = 1, NotSteady = 2 });

struct Writer<'a> {
    buffer: &'a mut [u8; MAX_MESSAGE_BYTES],
    length: usize,
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        self.buffer[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }
    fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }
    fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }
    fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Length)?;
        self.rest = rest;
        Ok(*head)
    }
    fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }
    fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }
    fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }
}
