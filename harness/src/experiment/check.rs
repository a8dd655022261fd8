//! What an experiment file may not say although its types allow it.

use super::Experiment;
use lab::yaml::{Parsed, Problem};

/// Everything that is wrong.
pub(super) fn problems(_parsed: &Parsed<Experiment>) -> Vec<Problem> {
    Vec::new()
}
