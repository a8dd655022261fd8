//! Factors as they are displayed, taken from the settings by their names, whatever their types.

use crate::record::Record;
use crate::settings::Settings;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// What a setting that was left to the lab or to the hypervisor is shown as.
const DEFAULT: &str = "default";

/// A factor and one of its levels, as written in YAML.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// Name of the factor.
    pub name: String,
    /// The level.
    pub value: String,
}

/// A level that is a number and a unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity<'a> {
    /// The number as written.
    pub number: &'a str,
    /// The unit as written.
    pub unit: &'a str,
}

impl<'a> Quantity<'a> {
    /// Splits `256 MiB`; `None` for what is not a number, a space and a unit.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        let (number, unit) = value.split_once(' ')?;
        number.parse::<f64>().ok().filter(|number| number.is_finite())?;
        Some(Self { number, unit })
    }

    /// In base units, to order by.
    fn magnitude(self) -> f64 {
        let scale = match self.unit {
            "KiB" | "KiB/s" => 1024.0,
            "MiB" | "MiB/s" => 1024.0 * 1024.0,
            "GiB" | "GiB/s" => 1024.0 * 1024.0 * 1024.0,
            "kbit/s" | "s" => 1e3,
            "Mbit/s" => 1e6,
            "Gbit/s" => 1e9,
            "min" => 60e3,
            "h" => 3600e3,
            _ => 1.0,
        };
        self.number.parse::<f64>().unwrap_or(0.0) * scale
    }
}

/// All settings by name, in the order of their declaration.
fn settings(settings: &Settings) -> Vec<Factor> {
    let Ok(Value::Object(fields)) = serde_json::to_value(settings) else {
        return Vec::new();
    };
    fields.into_iter().map(|(name, value)| Factor { name, value: text_of(&value) }).collect()
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => DEFAULT.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The named ones among the settings.
pub(super) fn values_of(of: &Settings, names: &[String]) -> Vec<Factor> {
    settings(of).into_iter().filter(|factor| names.contains(&factor.name)).collect()
}

/// Names of the factors that make the cells, and the settings that are the same everywhere.
///
/// The cells' identities say which factors make them: a dependent setting (`filled` that follows
/// `memory`) varies too, but makes no cell. Where they say nothing, whatever varies does.
pub(super) fn factors_of(records: &[Record]) -> (Vec<String>, Vec<Factor>) {
    let all: Vec<Vec<Factor>> = records.iter().map(|record| settings(&record.settings)).collect();
    let Some(first) = all.first() else {
        return (Vec::new(), Vec::new());
    };
    let named: BTreeSet<&str> = records
        .iter()
        .flat_map(|record| record.cell.split(", "))
        .filter_map(|part| part.split_once('=').map(|(name, _)| name.trim()))
        .collect();
    let varies = |at: usize| all.iter().any(|other| other.get(at) != first.get(at));
    let mut names: Vec<String> = first
        .iter()
        .filter(|factor| named.contains(factor.name.as_str()))
        .map(|factor| factor.name.clone())
        .collect();
    if names.is_empty() {
        names =
            (0..first.len()).filter(|&at| varies(at)).map(|at| first[at].name.clone()).collect();
    }
    let constants = (0..first.len())
        .filter(|&at| !varies(at) && !names.contains(&first[at].name))
        .map(|at| first[at].clone())
        .collect();
    (names, constants)
}

/// Orders cells as a person would list them: by each factor in turn, numbers by magnitude.
pub(super) fn order(a: &[Factor], b: &[Factor]) -> Ordering {
    a.iter()
        .zip(b)
        .map(|(a, b)| order_of_values(&a.value, &b.value))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn order_of_values(a: &str, b: &str) -> Ordering {
    match (Quantity::parse(a), Quantity::parse(b)) {
        (Some(a), Some(b)) => a.magnitude().total_cmp(&b.magnitude()),
        (Some(_), None) => Ordering::Greater,
        (None, Some(_)) => Ordering::Less,
        (None, None) => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_by_magnitude() {
        let mut levels = ["2 GiB", "default", "1 Gbit/s", "256 MiB", "10 min", "5000 pages/s"];
        levels.sort_by(|a, b| order_of_values(a, b));
        assert_eq!(levels, ["default", "5000 pages/s", "10 min", "256 MiB", "1 Gbit/s", "2 GiB"]);
    }

    #[test]
    fn a_quantity_is_a_number_and_a_unit() {
        assert_eq!(Quantity::parse("256 MiB"), Some(Quantity { number: "256", unit: "MiB" }));
        assert_eq!(Quantity::parse("random"), None);
        assert_eq!(Quantity::parse("inf MiB"), None);
    }
}
