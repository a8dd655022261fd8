//! Drawing by lot, the same for ever.
//!
//! Only ChaCha8 itself is taken from a library; how its words become seeds and orders is fixed
//! here, because the libraries' own way may change between versions.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// What a stream of numbers is for; each purpose has streams of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The order within a block.
    Order = 1,
    /// The guests' seeds.
    Guest = 2,
    /// The rotation of the roles.
    Roles = 3,
    /// The noise of virtual trials.
    Noise = 4,
    /// Which blocks of real trials make an experiment again.
    Resample = 8,
}

/// A stream of random numbers.
pub(crate) struct Stream(ChaCha8Rng);

/// The stream of a seed, a purpose and a number: these three, little-endian, 8 bytes each, and 8
/// zero bytes are ChaCha8's key.
pub(crate) fn stream(seed: u64, purpose: Purpose, number: u64) -> Stream {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
    key[16..24].copy_from_slice(&number.to_le_bytes());
    Stream(ChaCha8Rng::from_seed(key))
}

impl Stream {
    /// Uniform over all of `u64`: two words of the cipher's stream, the low one first.
    pub(crate) fn next(&mut self) -> u64 {
        let low = u64::from(self.0.next_u32());
        low | u64::from(self.0.next_u32()) << 32
    }

    /// Uniform over `0..bound`; `bound` is not zero. Draws that would favour the low numbers
    /// are thrown away.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The largest multiple of `bound` that fits; what lies at or above it is uneven.
        let even = u64::MAX - (u64::MAX % bound + 1) % bound;
        loop {
            let drawn = self.next();
            if drawn <= even {
                return drawn % bound;
            }
        }
    }
}

/// Puts the items into a random order, each equally likely (Fisher and Yates, from the end).
pub(crate) fn shuffle<T>(items: &mut [T], stream: &mut Stream) {
    for last in (1..items.len()).rev() {
        let other = stream.below(last as u64 + 1);
        items.swap(last, usize::try_from(other).unwrap_or(last));
    }
}
