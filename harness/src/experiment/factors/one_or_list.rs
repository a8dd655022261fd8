//! The levels of a factor in YAML: one by itself, or a list of them.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, IntoDeserializer, SeqAccess, Visitor},
};
use std::{fmt, marker::PhantomData};

/// What [`deserialize`] reads.
pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let one = generator.subschema_for::<T>();
    let list = json_schema!({ "type": "array", "items": one, "minItems": 1, "uniqueItems": true });
    json_schema!({ "anyOf": [one, list] })
}

/// Reads one level, or a list of them.
pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct OneOrMore<T>(PhantomData<T>);

    impl<T> OneOrMore<T> {
        /// One level. Numbers come here too, so that their refusal says what is missing.
        fn one<'de, E: Error>(text: &str) -> Result<Vec<T>, E>
        where
            T: Deserialize<'de>,
        {
            T::deserialize(text.to_owned().into_deserializer()).map(|level| vec![level])
        }
    }

    impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMore<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("one level, or a list of levels, `[a, b]`")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
            Self::one(text)
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<Vec<T>, E> {
            Self::one(&number.to_string())
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<Vec<T>, E> {
            Self::one(&number.to_string())
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<Vec<T>, E> {
            Self::one(&number.to_string())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut levels = Vec::new();
            while let Some(level) = list.next_element()? {
                levels.push(level);
            }
            Ok(levels)
        }
    }

    deserializer.deserialize_any(OneOrMore(PhantomData))
}

/// Writes a single level by itself.
pub(super) fn serialize<T: Serialize, S: Serializer>(
    levels: &[T],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match levels {
        [one] => one.serialize(serializer),
        levels => levels.serialize(serializer),
    }
}
