//! Values as Perl sends them: numbers may be texts, booleans are 0, 1, texts of those, or absent.

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

/// A number, or the text of one.
pub(super) fn number<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    let value = Value::deserialize(from)?;
    whole(&value)
        .ok_or_else(|| D::Error::custom(format!("a whole number is expected, not {value}")))
}

/// A number, the text of one, or nothing: absent, `null` or empty.
pub(super) fn some_number<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    let value = Value::deserialize(from)?;
    if is_nothing(&value) {
        return Ok(None);
    }
    let number = whole(&value);
    number
        .map(Some)
        .ok_or_else(|| D::Error::custom(format!("a whole number is expected, not {value}")))
}

/// A number with a fraction, the text of one, or nothing.
pub(super) fn some_fraction<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    let value = Value::deserialize(from)?;
    if is_nothing(&value) {
        return Ok(None);
    }
    let number = fraction(&value);
    number.map(Some).ok_or_else(|| D::Error::custom(format!("a number is expected, not {value}")))
}

/// Whether something is so. Perl's falsehoods are 0, `"0"` and `""`.
pub(super) fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(some_flag(from)?.unwrap_or(false))
}

/// Whether something is so, where that is said.
pub(super) fn some_flag<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    match Value::deserialize(from)? {
        Value::Null => Ok(None),
        Value::Bool(is) => Ok(Some(is)),
        Value::Number(number) if number.as_u64() == Some(0) => Ok(Some(false)),
        Value::Number(number) if number.as_u64() == Some(1) => Ok(Some(true)),
        Value::String(text) if text.is_empty() || text == "0" => Ok(Some(false)),
        Value::String(text) if text == "1" => Ok(Some(true)),
        other => Err(D::Error::custom(format!("0 or 1 is expected, not {other}"))),
    }
}

/// A text, or a number taken as one, or nothing.
pub(super) fn some_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(from)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        other => Err(D::Error::custom(format!("a text is expected, not {other}"))),
    }
}

/// Words with commas between them, in the order of the alphabet: Perl sends them in any.
pub(super) fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let text = some_text(from)?.unwrap_or_default();
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let mut words: Vec<String> = words.map(str::to_owned).collect();
    words.sort();
    Ok(words)
}

fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Null) || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn whole<T: TryFrom<u64>>(value: &Value) -> Option<T> {
    let number = match value {
        // Perl's sums of large whole numbers may come as 1.5e9 or 12.0.
        Value::Number(number) => number.as_u64().or_else(|| from_fraction(number.as_f64()?)),
        Value::String(text) => {
            text.trim().parse().ok().or_else(|| from_fraction(text.trim().parse().ok()?))
        }
        _ => None,
    };
    T::try_from(number?).ok()
}

fn from_fraction(number: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "only whole numbers that a fraction holds exactly"
    )]
    (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
}

/// A number that may have a fraction, or the text of one.
pub(super) fn fraction(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, PartialEq, Deserialize)]
    struct All {
        #[serde(deserialize_with = "number")]
        number: u64,
        #[serde(default, deserialize_with = "some_number")]
        some: Option<u16>,
        #[serde(default, deserialize_with = "some_fraction")]
        fraction: Option<f64>,
        #[serde(default, deserialize_with = "flag")]
        flag: bool,
        #[serde(default, deserialize_with = "some_text")]
        text: Option<String>,
        #[serde(default, deserialize_with = "words")]
        words: Vec<String>,
    }

    fn read(value: Value) -> Result<All, String> {
        serde_json::from_value(value).map_err(|e| e.to_string())
    }

    #[test]
    fn perl_is_understood() {
        let strings = json!({"number": "102", "some": "7", "fraction": "1.26", "flag": "1",
            "text": 512, "words": "images,iso"});
        let numbers = json!({"number": 102, "some": 7, "fraction": 1.26, "flag": 1,
            "text": "512", "words": "iso, images"});
        let all = All {
            number: 102,
            some: Some(7),
            fraction: Some(1.26),
            flag: true,
            text: Some("512".to_owned()),
            words: vec!["images".to_owned(), "iso".to_owned()],
        };
        assert_eq!(read(strings), Ok(all));
        assert_eq!(read(numbers.clone()), read(numbers));
        let nothing = All {
            number: 1_500_000_000,
            some: None,
            fraction: None,
            flag: false,
            text: None,
            words: vec![],
        };
        for value in [
            json!({"number": 1.5e9}),
            json!({"number": "1.5e9", "some": "", "fraction": null, "flag": "", "text": null}),
            json!({"number": 1_500_000_000u64, "some": null, "flag": false, "words": ""}),
        ] {
            assert_eq!(read(value), Ok(All { ..read(json!({"number": 1.5e9})).unwrap() }));
        }
        assert_eq!(read(json!({"number": 1.5e9})), Ok(nothing));
    }

    #[test]
    fn what_is_none_of_it_is_an_error() {
        for value in [
            json!({"number": "many"}),
            json!({"number": -1}),
            json!({"number": 1.5}),
            json!({"number": 1, "some": 70_000}),
            json!({"number": 1, "flag": 2}),
            json!({"number": 1, "flag": "yes"}),
            json!({"number": 1, "fraction": "NaN"}),
            json!({"number": 1, "text": []}),
            json!({}),
        ] {
            assert!(read(value.clone()).is_err(), "{value}");
        }
    }
}
