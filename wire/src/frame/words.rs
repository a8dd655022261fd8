//! Lists of texts within a frame: for each, its length in bytes (little-endian, four bytes), then
//! the bytes.

use super::FrameError;

/// A list of texts, as it lies in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words<'a> {
    bytes: &'a [u8],
    count: u32,
}

/// Appends texts to `out`, to be read by [`Words::unpack`].
pub fn pack<W: AsRef<str>>(
    texts: impl IntoIterator<Item = W>,
    out: &mut impl for<'b> Extend<&'b u8>,
) {
    for text in texts {
        write(text.as_ref(), &mut |bytes| out.extend(bytes));
    }
}

impl<'a> Words<'a> {
    /// No texts.
    pub const EMPTY: Self = Self { bytes: &[], count: 0 };

    /// All the texts that `bytes` hold.
    ///
    /// # Errors
    /// When they are something else.
    pub fn unpack(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let (mut rest, mut count) = (bytes, 0);
        while !rest.is_empty() {
            read(&mut rest)?;
            count += 1;
        }
        Ok(Self { bytes, count })
    }

    /// So many texts off the front of `rest`.
    pub(super) fn take(rest: &mut &'a [u8], count: u32) -> Result<Self, FrameError> {
        let all = *rest;
        for _ in 0..count {
            read(rest)?;
        }
        Ok(Self { bytes: &all[..all.len() - rest.len()], count })
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// One after another.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> {
        let mut rest = self.bytes;
        // They were read once already, when this was made.
        core::iter::from_fn(move || if rest.is_empty() { None } else { read(&mut rest).ok() })
    }
}

pub(super) fn write(text: &str, put: &mut dyn FnMut(&[u8])) {
    put(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    put(text.as_bytes());
}

pub(super) fn read<'a>(rest: &mut &'a [u8]) -> Result<&'a str, FrameError> {
    let length = u32::from_le_bytes(array(rest)?) as usize;
    let (bytes, after) = rest.split_at_checked(length).ok_or(FrameError::Length)?;
    *rest = after;
    text(bytes)
}

pub(super) fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], FrameError> {
    let (head, after) = rest.split_first_chunk::<N>().ok_or(FrameError::Length)?;
    *rest = after;
    Ok(*head)
}

pub(super) fn text(bytes: &[u8]) -> Result<&str, FrameError> {
    core::str::from_utf8(bytes).map_err(|_| FrameError::Text)
}
