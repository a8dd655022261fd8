//! When insta may keep a baseline as it is.

use super::{Rules, Sample, Verdict, baseline, judge};
use insta::{Comparator, Snapshot};

/// Compares the texts of two samples as this crate judges them: what is equivalent or undecided
/// on the same cells matches, so that insta leaves the accepted baseline as it is. A change for
/// the worse or the better, other cells, another context or a text that cannot be read do not
/// match, and are for a person to review.
#[derive(Clone, Debug, Default)]
pub struct BaselineComparator {
    rules: Rules,
}

impl BaselineComparator {
    /// By these rules.
    #[must_use]
    pub const fn new(rules: Rules) -> Self {
        Self { rules }
    }

    /// Whether the accepted text stands against the new one.
    #[must_use]
    pub fn stands(&self, accepted: &str, new: &str) -> bool {
        let read = |text: &str| baseline::parse("baseline", text).ok();
        let (Some(accepted), Some(new)) = (read(accepted), read(new)) else { return false };
        same_matrix(&accepted, &new)
            && self.holds_the_gate(&accepted, &new)
            && accepted.context == new.context
            && judge(&accepted, &new, &self.rules).is_ok_and(|judgement| {
                matches!(judgement.verdict, Verdict::Equivalent | Verdict::Undecided)
            })
    }

    /// Whether the accepted sample has every metric of the gate that the new one has.
    fn holds_the_gate(&self, accepted: &Sample, new: &Sample) -> bool {
        let has = |sample: &Sample, name: &str| {
            sample.cells.values().any(|cell| cell.metrics.contains_key(name))
        };
        self.rules.gate().all(|rule| has(accepted, rule.name) || !has(new, rule.name))
    }
}

fn same_matrix(a: &Sample, b: &Sample) -> bool {
    a.experiment == b.experiment && a.cells.keys().eq(b.cells.keys())
}

impl Comparator for BaselineComparator {
    fn matches(&self, reference: &Snapshot, test: &Snapshot) -> bool {
        match (reference.as_text(), test.as_text()) {
            (Some(accepted), Some(new)) => self.stands(&accepted.to_string(), &new.to_string()),
            _ => false,
        }
    }

    fn dyn_clone(&self) -> Box<dyn Comparator> {
        Box::new(self.clone())
    }
}
