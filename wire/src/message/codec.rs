//! How numbers and enums lie in a datagram, and why one could not be read.

use super::{Content, MAX_MESSAGE_BYTES, Pattern, Refusal, State};

/// What every datagram of ours begins with.
const NAME: [u8; 3] = *b"PCL";
/// Version of the format: what follows the name. It rises with every change of a layout, so that
/// a guest and an observer of two versions tell each other apart, whatever the lengths are.
const VERSION: u8 = b'2';

/// Why a datagram could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It does not begin with our magic.
    Foreign,
    /// It is ours, of another version of the format.
    OtherVersion,
    /// It is shorter or longer than its kind says.
    Length,
    /// It holds a code this version does not know.
    UnknownCode,
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Foreign => "not a precopy-lab datagram",
            Self::OtherVersion => "a datagram of another version of precopy-lab",
            Self::Length => "a datagram of the wrong length",
            Self::UnknownCode => "a datagram with an unknown code",
        })
    }
}

impl core::error::Error for DecodeError {}

/// Declares the two directions of an enum's one-byte code, so that they cannot disagree.
macro_rules! codes {
    ($to:ident, $from:ident, $type:ident { $($variant:ident = $code:literal),+ $(,)? }) => {
        pub(super) const fn $to(value: $type) -> u8 {
            match value { $($type::$variant => $code),+ }
        }
        pub(super) const fn $from(code: u8) -> Result<$type, DecodeError> {
            match code { $($code => Ok($type::$variant),)+ _ => Err(DecodeError::UnknownCode) }
        }
    };
}

codes!(state_code, state_of, State { Waiting = 0, Filling = 1, Steady = 2, Verifying = 3 });
codes!(pattern_code, pattern_of, Pattern { Idle = 0, Sequential = 1, Random = 2, Hotspot = 3 });
codes!(content_code, content_of, Content { Random = 0, Sparse = 1, Zero = 2 });
codes!(refusal_code, refusal_of, Refusal {
    TooManyPages = 0, AlreadyConfigured = 1, NotSteady = 2, TooManyBlocks = 3,
});

/// Writes a datagram into a buffer that holds any of them.
pub(super) struct Writer<'a> {
    buffer: &'a mut [u8; MAX_MESSAGE_BYTES],
    length: usize,
}

impl<'a> Writer<'a> {
    /// Begins with the magic.
    pub(super) fn begin(buffer: &'a mut [u8; MAX_MESSAGE_BYTES]) -> Self {
        let mut out = Self { buffer, length: 0 };
        out.bytes(&NAME);
        out.u8(VERSION);
        out
    }

    /// What has been written.
    pub(super) fn written(self) -> &'a [u8] {
        &self.buffer[..self.length]
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.buffer[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }
}

/// Reads a datagram from its beginning to its end.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Takes the magic off.
    pub(super) fn begin(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Self { rest: datagram };
        if input.array()? != NAME {
            return Err(DecodeError::Foreign);
        }
        if input.u8()? != VERSION {
            return Err(DecodeError::OtherVersion);
        }
        Ok(input)
    }

    /// Nothing may be left.
    pub(super) const fn end(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Length) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Length)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }
}
