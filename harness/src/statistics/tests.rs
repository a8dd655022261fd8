//! What the tests of several modules share, and tests of how the modules fit together.

mod agree;
mod enumerate;
mod scipy;
mod simulate;

use super::normal;
use proptest::prelude::*;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Small samples: whole numbers with many ties, or scattered values.
pub(super) fn sample(size: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    let whole = prop::collection::vec((-4i32..5).prop_map(f64::from), size.clone());
    // Quarters of whole numbers: shifted by whole numbers they are exact.
    let scattered = prop::collection::vec((-4000i32..4000).prop_map(|x| f64::from(x) / 4.0), size);
    prop_oneof![whole, scattered]
}

/// Random numbers, the same in each run of the tests.
pub(super) struct Lot(ChaCha8Rng);

impl Lot {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Between 0 and 1, without the ends.
    pub(super) fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    pub(super) fn normals(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| normal::quantile(self.uniform())).collect()
    }
}

/// Asserts that `covers` is true as often as `told`, within four standard errors of 2,000 times.
pub(super) fn covered(told: f64, mut covers: impl FnMut() -> bool) {
    let (share, error) = share(told, &mut covers);
    assert!((share - told).abs() <= 4.0 * error, "covers {share:.4}, told {told:.4}");
}

/// Asserts that `covers` is true at least as often as `told`, within the same.
pub(super) fn covered_at_least(told: f64, mut covers: impl FnMut() -> bool) -> f64 {
    let (share, error) = share(told, &mut covers);
    assert!(share >= told - 4.0 * error, "covers {share:.4}, told {told:.4}");
    share
}

fn share(told: f64, covers: &mut impl FnMut() -> bool) -> (f64, f64) {
    let times = 2_000;
    let hits = (0..times).filter(|_| covers()).count();
    (hits as f64 / f64::from(times), (told * (1.0 - told) / f64::from(times)).sqrt())
}
