//! How a trial that did not simply complete ended.

use super::observed::Observed;
use crate::record::Outcome;

/// An outcome other than `completed`, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// What it is.
    pub outcome: Outcome,
    /// Why, in words.
    pub reason: String,
}

impl Ended {
    /// This outcome, for this reason.
    pub fn new(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: reason.into() }
    }
}

/// The integrity of the guest's memory outweighs how the migration ended.
pub fn with_integrity(ended: Result<(), Ended>, observed: &Observed) -> Result<(), Ended> {
    let corrupt = |what: String| Err(Ended::new(Outcome::Corrupt, what));
    let Some(found) = observed.verification else { return ended };
    let behind = observed.counter_behind();
    if found.pages_wrong > 0 {
        return corrupt(format!(
            "{} of {} pages do not hold what was written to them (the first is page {} of the workload)",
            found.pages_wrong, found.pages_checked, found.first_wrong_page
        ));
    }
    if !found.image_intact {
        return corrupt("the guest's own code or constants have changed".to_owned());
    }
    if behind > 0 {
        return corrupt(format!(
            "the guest forgot {behind} touches that the witness had seen: pages were lost together with their bookkeeping"
        ));
    }
    ended
}
