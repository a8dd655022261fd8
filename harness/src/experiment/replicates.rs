//! How often each cell is tried: a number, or as often as a precision takes.

use crate::metric;
use lab::{
    schema,
    yaml::{from_text, with_hint},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Error, value::MapAccessDeserializer},
};
use std::{borrow::Cow, collections::BTreeMap, fmt};

/// How often each cell is tried. In YAML a number, or `{ min, max, precision }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replicates {
    /// So often, 1 to 1000.
    Fixed(u32),
    /// Block after block, until the medians are precise enough.
    UntilPrecise(UntilPrecise),
}

impl Replicates {
    /// Blocks that are run whatever comes of them.
    #[must_use]
    pub const fn least(&self) -> u32 {
        match self {
            Self::Fixed(number) => *number,
            Self::UntilPrecise(rule) => rule.min,
        }
    }

    /// Blocks that are planned.
    #[must_use]
    pub const fn most(&self) -> u32 {
        match self {
            Self::Fixed(number) => *number,
            Self::UntilPrecise(rule) => rule.max,
        }
    }

    /// The rule by which a run may end early; `None` when it may not.
    #[must_use]
    pub const fn rule(&self) -> Option<&UntilPrecise> {
        match self {
            Self::Fixed(_) => None,
            Self::UntilPrecise(rule) => Some(rule),
        }
    }
}

/// From `min` blocks on a run ends once every median is precise enough, and at `max` anyway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `min`, `max` and `precision`")]
pub struct UntilPrecise {
    /// Blocks that are run at least.
    pub min: u32,
    /// Blocks that are run at most.
    pub max: u32,
    /// How precise is precise enough.
    pub precision: Precision,
}

/// The greatest half-width of a median's interval, relative to the median, by metric. In YAML one
/// percentage, which is that of `total_time`, or a mapping of metrics to percentages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precision(pub BTreeMap<String, Percent>);

/// A percentage, in thousandths of one per cent. Written `5 %` or `2.5 %`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(pub u32);

impl Percent {
    const EXPECTED: &str = "a percentage, such as `5 %`";

    /// As a part of one: 0.05 for `5 %`.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 100_000.0
    }

    fn parse(text: &str) -> Result<Self, String> {
        let refuse = |hint: Option<String>| {
            with_hint(format!("expected {}, got `{text}`", Self::EXPECTED), hint.as_deref())
        };
        let bare = text.trim();
        let Some(number) = bare.strip_suffix('%') else {
            let number = bare.parse::<f64>().is_ok();
            return Err(refuse(number.then(|| format!("add its unit: `{bare} %`"))));
        };
        let (whole, fraction) = number.trim().split_once('.').unwrap_or((number.trim(), "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 3 {
            return Err(refuse(None));
        }
        // Three digits after the point, whatever was written.
        let thousandths = format!("{whole}{fraction:0<3}");
        thousandths.parse().map(Self).map_err(|_| refuse(None))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1000, self.0 % 1000);
        f.pad(&format!("{} %", text.trim_end_matches('0').trim_end_matches('.')))
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::text(Self::EXPECTED, "^[0-9]+([.][0-9]{1,3})? *%$", &["5 %"])
    }
}

impl JsonSchema for Precision {
    fn schema_name() -> Cow<'static, str> {
        "Precision".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Percent>();
        let by_metric = schema::mapping(metric::every().map(|definition| {
            (definition.name.to_owned(), one.clone(), definition.meaning.to_owned())
        }));
        json_schema!({ "anyOf": [one, by_metric] })
    }
}

impl JsonSchema for Replicates {
    fn schema_name() -> Cow<'static, str> {
        "Replicates".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let number = json_schema!({ "type": "integer", "minimum": 1, "maximum": 1000 });
        json_schema!({ "anyOf": [number, generator.subschema_for::<UntilPrecise>()] })
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer, Self::EXPECTED, Self::parse)
    }
}

impl Serialize for Precision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.get(metric::TOTAL_TIME) {
            Some(percent) if self.0.len() == 1 => percent.serialize(serializer),
            _ => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Precision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMap;

        impl OneOrMap {
            /// Numbers come here too, so that their refusal says what is missing.
            fn one<E: Error>(text: &str) -> Result<Precision, E> {
                let percent = Percent::parse(text).map_err(E::custom)?;
                Ok(Precision([(metric::TOTAL_TIME.to_owned(), percent)].into()))
            }
        }

        impl<'de> de::Visitor<'de> for OneOrMap {
            type Value = Precision;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a percentage, such as `5 %`, or a mapping of metrics to percentages")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Precision, E> {
                Self::one(text)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Precision, E> {
                Self::one(&number.to_string())
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Precision, E> {
                Self::one(&number.to_string())
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Precision, E> {
                Self::one(&number.to_string())
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Precision, A::Error> {
                BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(Precision)
            }
        }

        deserializer.deserialize_any(OneOrMap)
    }
}

impl Serialize for Replicates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(number) => number.serialize(serializer),
            Self::UntilPrecise(rule) => rule.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Replicates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrRule;

        impl<'de> de::Visitor<'de> for NumberOrRule {
            type Value = Replicates;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or a mapping with `min`, `max` and `precision`")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Replicates, E> {
                // Whatever is beyond `u32` is beyond the limit that is checked later.
                Ok(Replicates::Fixed(u32::try_from(number).unwrap_or(u32::MAX)))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Replicates, A::Error> {
                UntilPrecise::deserialize(MapAccessDeserializer::new(map))
                    .map(Replicates::UntilPrecise)
            }
        }

        deserializer.deserialize_any(NumberOrRule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_read_back() {
        for (text, thousandths) in
            [("5 %", 5000), ("0.5 %", 500), ("2.25 %", 2250), ("100 %", 100_000), ("0.001 %", 1)]
        {
            let percent = Percent::parse(text).expect(text);
            assert_eq!((percent, percent.to_string().as_str()), (Percent(thousandths), text));
        }
        assert_eq!(Percent::parse("5%"), Ok(Percent(5000)));
        assert_eq!(Percent::parse("5.0 %").map(|p| p.to_string()), Ok("5 %".to_owned()));
        for text in ["", "%", "x %", "-5 %", "5", "0.0001 %", "1. %", "99999999 %", "5 percent"] {
            assert!(Percent::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn both_forms_survive_json() {
        for text in [
            "7",
            r#"{"min":5,"max":20,"precision":"5 %"}"#,
            r#"{"min":5,"max":20,"precision":{"total_time":"3 %","vcpu_pause":"20 %"}}"#,
        ] {
            let read: Replicates = serde_json::from_str(text).expect(text);
            assert_eq!(serde_json::to_string(&read).expect("written"), text);
        }
    }
}
