//! Labs brought up and taken down.

use crate::labs;
use anyhow::Result;
use lab::{Lifetime, provider::netns, spec::LabSpec};
use std::time::Instant;

/// One lab's coming and going.
#[derive(Clone, Copy, Debug)]
pub struct LabCycle {
    /// Seconds until it was up.
    pub up_s: f64,
    /// Seconds until it was gone.
    pub down_s: f64,
}

/// Brings a lab of this kind up and down again, `n` times.
///
/// # Errors
/// When one does not come up.
pub fn measure(spec: &LabSpec, n: usize) -> Result<Vec<LabCycle>> {
    let program = labs::program()?;
    let cycle = |_| {
        let begun = Instant::now();
        // A lab that lasts is made and ended the same way; this one cannot be left behind.
        let lab = netns::up(spec.clone(), Lifetime::Ephemeral, &program)?;
        let up_s = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        drop(lab);
        Ok(LabCycle { up_s, down_s: begun.elapsed().as_secs_f64() })
    };
    (0..n).map(cycle).collect()
}
