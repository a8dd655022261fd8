//! How much of a shift does not matter, as it is written in an experiment.

use crate::metric::{Judged, Scale};
use lab::{
    schema,
    yaml::{self, with_hint},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::str::FromStr;
use std::{borrow::Cow, fmt};

/// The margin of a metric: `5 %` of ratios, `5 points` of differences, `off` for a metric that
/// is not in the gate. To a hundredth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Margin {
    /// Not in the gate.
    Off,
    /// Hundredths of a percent.
    Percent(u32),
    /// Hundredths of the metric's unit.
    Points(u32),
}

/// The greatest margin, in hundredths: a tenfold value.
const MOST: u32 = 100_000;

/// Why a text is no margin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a margin, such as `5 %`, or `off`, got `{got}`")]
pub struct MarginError {
    got: String,
    hint: Option<String>,
}

impl MarginError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl Margin {
    /// As a fraction of ratios, or in the metric's unit; `None` for `off`, and for a margin of
    /// the other scale.
    #[must_use]
    pub fn on(self, scale: Scale) -> Option<f64> {
        match (self, scale) {
            (Self::Percent(hundredths), Scale::Ratio) => Some(f64::from(hundredths) / 1e4),
            (Self::Points(hundredths), Scale::Difference) => Some(f64::from(hundredths) / 1e2),
            _ => None,
        }
    }

    /// The default of a metric.
    #[must_use]
    pub fn default_of(judged: &Judged) -> Self {
        let hundredths = |value: f64| (value * 100.0).round() as u32;
        match judged.scale {
            Scale::Ratio => Self::Percent(hundredths(judged.margin * 100.0)),
            Scale::Difference => Self::Points(hundredths(judged.margin)),
        }
    }
}

impl fmt::Display for Margin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hundredths, unit) = match self {
            Self::Off => return f.pad("off"),
            Self::Percent(hundredths) => (hundredths, "%"),
            Self::Points(hundredths) => (hundredths, "points"),
        };
        let (whole, rest) = (hundredths / 100, hundredths % 100);
        let rest = format!("{rest:02}");
        match rest.trim_end_matches('0') {
            "" => f.pad(&format!("{whole} {unit}")),
            rest => f.pad(&format!("{whole}.{rest} {unit}")),
        }
    }
}

impl FromStr for Margin {
    type Err = MarginError;

    fn from_str(text: &str) -> Result<Self, MarginError> {
        let refuse = |hint: Option<&str>| MarginError {
            got: text.to_owned(),
            hint: hint.map(str::to_owned),
        };
        let text = text.trim();
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::Off);
        }
        let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let variant = match unit.trim() {
            "%" => Self::Percent,
            "points" | "point" => Self::Points,
            "" if !number.is_empty() => {
                return Err(refuse(Some(&format!("add its unit, such as `{number} %`"))));
            }
            "percent" => return Err(refuse(Some("write %"))),
            _ => return Err(refuse(None)),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if fraction.is_empty() || fraction.len() > 2 {
            return Err(refuse(Some("at most two digits after the point")));
        }
        let digits = format!("{whole}{fraction:0<2}");
        match digits.parse::<u32>() {
            Ok(0) => Err(refuse(Some(
                "nothing is ever equivalent within a margin of 0; 0.01 is the least",
            ))),
            Ok(hundredths) if hundredths <= MOST => Ok(variant(hundredths)),
            Ok(_) => Err(refuse(Some("1000 is the most"))),
            Err(_) => Err(refuse(None)),
        }
    }
}

impl JsonSchema for Margin {
    fn schema_name() -> Cow<'static, str> {
        "Margin".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let expected = "a margin: a percentage, points of the metric's unit, or `off`";
        let pattern = "^([Oo][Ff][Ff]|[0-9]*([.][0-9]{1,2})? *(%|points?))$";
        schema::text(expected, pattern, &["5 %", "5 points", "off"])
    }
}

impl Serialize for Margin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Margin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        yaml::from_text(deserializer, "a margin, such as `5 %`, or `off`", |text| {
            text.parse().map_err(|error: MarginError| with_hint(&error, error.hint()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn margins_are_read() {
        let read = |text: &str| text.parse::<Margin>().map_err(|error| error.hint);
        assert_eq!(read("5 %"), Ok(Margin::Percent(500)));
        assert_eq!(read(" 2.5% "), Ok(Margin::Percent(250)));
        assert_eq!(read("0.25 points"), Ok(Margin::Points(25)));
        assert_eq!(read("off"), Ok(Margin::Off));
        for bad in
            ["", "%", "5", "-5 %", "5.125 %", "5. %", "0 %", "1001 %", "5 ms", "4294967296 %"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(read("5"), Err(Some("add its unit, such as `5 %`".to_owned())));
    }

    proptest! {
        #[test]
        fn a_written_margin_reads_back(hundredths in 1..=MOST, points: bool) {
            let margin = if points { Margin::Points(hundredths) } else { Margin::Percent(hundredths) };
            prop_assert_eq!(margin.to_string().parse(), Ok(margin));
        }
    }
}
