//! The text form of a factor's levels, the same in YAML, tables, filters and records.

use lab::{
    units::{BitRate, BlockRate, ByteRate, Bytes, Millis, PageRate, QuantityError},
    yaml::{self, did_you_mean, one_of},
};
use serde::Deserializer;
use std::fmt;

/// One level of a factor: a value with a text form that reads back.
pub trait Level: Clone + PartialEq + fmt::Display {
    /// Reads its text form.
    ///
    /// # Errors
    /// What was expected, with a hint where the text is a near miss.
    fn read(text: &str) -> Result<Self, LevelError>;
}

/// Why a text is not a level of the factor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LevelError {
    message: String,
    hint: Option<String>,
}

impl LevelError {
    /// What was probably meant.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// A text that is neither one of the words nor, where there is one, the quantity.
    pub(crate) fn new(text: &str, words: &[&str], quantity: Option<&QuantityError>) -> Self {
        let expected = match quantity {
            None => one_of(words),
            Some(quantity) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                format!("{} or {}", words.join(", "), quantity.expected())
            }
        };
        let hint = did_you_mean(text, words.iter().copied())
            .map(|meant| format!("did you mean `{meant}`?"))
            .or_else(|| quantity.and_then(QuantityError::hint).map(str::to_owned));
        Self { message: format!("expected {expected}, got `{text}`"), hint }
    }
}

impl LevelError {
    /// A refusal in words of its own.
    pub(crate) const fn said(message: String, hint: Option<String>) -> Self {
        Self { message, hint }
    }
}

impl From<QuantityError> for LevelError {
    fn from(error: QuantityError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

/// Reads a level where serde wants one.
///
/// # Errors
/// What [`Level::read`] refuses.
pub fn from_text<'de, D: Deserializer<'de>, T: Level>(deserializer: D) -> Result<T, D::Error> {
    yaml::from_text(deserializer, "one level, as a text", |text| {
        T::read(text).map_err(|error| yaml::with_hint(&error, error.hint()))
    })
}

macro_rules! quantities_are_levels {
    ($($type:ident),+) => {
        $(impl Level for $type {
            fn read(text: &str) -> Result<Self, LevelError> {
                Ok(text.parse()?)
            }
        })+
    };
}
quantities_are_levels!(BitRate, BlockRate, ByteRate, Bytes, Millis, PageRate);

/// Gives an enum of words, and of at most one quantity, its text form everywhere.
macro_rules! text_form {
    (@other $text:ident $words:ident) => {
        Err($crate::settings::level::LevelError::new($text, $words, None))
    };
    (@other $text:ident $words:ident $quantity:ident($inner:ty)) => {
        $text.parse::<$inner>().map(Self::$quantity).map_err(|error| {
            $crate::settings::level::LevelError::new($text, $words, Some(&error))
        })
    };
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? } $(or $quantity:ident($inner:ty))?) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$variant => f.pad($word),)+
                    $(Self::$quantity(inner) => std::fmt::Display::fmt(inner, f),)?
                }
            }
        }

        impl $crate::settings::level::Level for $type {
            fn read(text: &str) -> Result<Self, $crate::settings::level::LevelError> {
                const WORDS: &[&str] = &[$($word),+];
                match text {
                    $($word => return Ok(Self::$variant),)+
                    _ => {}
                }
                $crate::settings::level::text_form!(@other text WORDS $($quantity($inner))?)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                lab::schema::words_or(
                    generator,
                    &[$($word),+],
                    &[$(schemars::SchemaGenerator::subschema_for::<$inner>)?],
                )
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::settings::level::from_text(deserializer)
            }
        }
    };
}
pub(crate) use text_form;
