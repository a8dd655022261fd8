//! From which value on something holds.

use crate::prediction::tip::Tip;
use serde::Serialize;

/// From which value on, all else held. In this order.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// For any that was looked at.
    Any,
    /// From this on.
    From(f64),
    /// For none that was looked at.
    Never,
}

impl From<Tip> for Bound {
    /// Of a value that should be great.
    fn from(tip: Tip) -> Self {
        match tip {
            Tip::Never => Self::Any,
            Tip::Always => Self::Never,
            Tip::At { value, .. } => Self::From(value),
        }
    }
}
