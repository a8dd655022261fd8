//! A figure that is not known exactly.

use serde::Serialize;

/// What is likely, and between what it lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Range<T> {
    /// For what fits best.
    pub likely: T,
    /// The least of all that fits.
    pub least: T,
    /// The most of it.
    pub most: T,
}

impl<T: Copy + PartialOrd> Range<T> {
    /// Of one value.
    pub const fn exactly(value: T) -> Self {
        Self { likely: value, least: value, most: value }
    }

    /// The same, with room for another value.
    #[must_use]
    pub fn with(self, value: T) -> Self {
        Self {
            likely: self.likely,
            least: if value < self.least { value } else { self.least },
            most: if value > self.most { value } else { self.most },
        }
    }

    /// The first value is the likely one. `None` of no values.
    pub fn of(values: impl IntoIterator<Item = T>) -> Option<Self> {
        let mut values = values.into_iter();
        let first = Self::exactly(values.next()?);
        Some(values.fold(first, Self::with))
    }
}
