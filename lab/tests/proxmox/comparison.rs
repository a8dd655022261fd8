//! Whether something was lost between an answer and the type that it was read into.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::BTreeSet;

/// Reads a value into a type and writes that again: what both have must say the same. Gives the
/// keys that the type does not have.
pub fn unread<T: DeserializeOwned + Serialize>(original: &Value, name: &str) -> BTreeSet<String> {
    let read: T = serde_json::from_value(original.clone())
        .unwrap_or_else(|error| panic!("{name}: {error}: {original}"));
    let written = serde_json::to_value(read).expect("it is written");
    let mut unread = BTreeSet::new();
    compare(original, &written, name, "", &mut unread);
    unread
}

fn compare(
    original: &Value,
    written: &Value,
    name: &str,
    key: &str,
    unread: &mut BTreeSet<String>,
) {
    match (original, written) {
        (Value::Object(from), Value::Object(to)) => {
            for (own, value) in from {
                let inner = if key.is_empty() { own.clone() } else { format!("{key}.{own}") };
                match to.get(own) {
                    Some(to) => compare(value, to, name, &inner, unread),
                    None => drop(unread.insert(inner)),
                }
            }
        }
        (Value::Array(from), Value::Array(to)) => {
            assert_eq!(from.len(), to.len(), "{name}: {key}");
            for (from, to) in from.iter().zip(to) {
                compare(from, to, name, key, unread);
            }
        }
        // A list that Perl sends as text.
        (Value::String(from), Value::Array(to)) => {
            let from: BTreeSet<&str> = from.split(',').collect();
            let to: BTreeSet<&str> = to.iter().filter_map(Value::as_str).collect();
            assert_eq!(from, to, "{name}: {key}");
        }
        (from, to) => {
            assert!(same(from, to), "{name}: {key} was {from} and became {to}");
        }
    }
}

fn same(a: &Value, b: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Bool(is) => Some(f64::from(u8::from(*is))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

#[test]
fn what_is_lost_is_seen() {
    use serde_json::json;
    #[derive(serde::Deserialize, Serialize)]
    struct Wrong {
        #[serde(skip_deserializing)]
        number: u64,
    }
    let read = std::panic::catch_unwind(|| unread::<Wrong>(&json!({"number": 7}), "wrong"));
    assert!(read.is_err());
    let unread = unread::<Wrong>(&json!({"number": "0", "other": 1}), "right");
    assert_eq!(unread, BTreeSet::from(["other".to_owned()]));
}
