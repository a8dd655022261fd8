//! Factors as they are displayed, taken from the settings by their names, whatever their types.

use crate::{record::OtherGuest, settings::Settings};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// What a setting that was left to the lab or to the hypervisor is shown as.
const DEFAULT: &str = "default";

/// The factors that came later, each with the level that goes without saying: records from before
/// have no such field, and what has the level is not written.
const LATER: [(&str, &str); 5] = [
    ("network", "dedicated"),
    ("transport", "lab"),
    ("qemu", "lab"),
    ("disk", "none"),
    ("disk_write_rate", "0 blocks/s"),
];

/// Of these the subject of a comparison has always said the level.
const ALWAYS_SAID: &str = "qemu";

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

    /// In base units.
    #[must_use]
    pub fn magnitude(self) -> f64 {
        let scale = scale_of(self.unit).map_or(1, |(_, scale)| scale);
        self.number.parse::<f64>().unwrap_or(0.0) * scale as f64
    }
}

/// What the unit measures, and how many base units it is.
fn scale_of(unit: &str) -> Option<(&'static str, u64)> {
    Some(match unit {
        "B" => ("size", 1),
        "KiB" => ("size", 1 << 10),
        "MiB" => ("size", 1 << 20),
        "GiB" => ("size", 1 << 30),
        "B/s" => ("rate", 1),
        "KiB/s" => ("rate", 1 << 10),
        "MiB/s" => ("rate", 1 << 20),
        "GiB/s" => ("rate", 1 << 30),
        "bit/s" => ("bits", 1),
        "kbit/s" => ("bits", 1_000),
        "Mbit/s" => ("bits", 1_000_000),
        "Gbit/s" => ("bits", 1_000_000_000),
        "ms" => ("time", 1),
        "s" => ("time", 1_000),
        "min" => ("time", 60_000),
        "h" => ("time", 3_600_000),
        _ => return None,
    })
}

/// Levels that measure the same, as whole numbers of the smallest unit among them: `500 Mbit/s`
/// and `1 Gbit/s` are 500 and 1000 `Mbit/s`. `None` where that is not possible or the numbers
/// would be long.
#[must_use]
pub fn in_one_unit(levels: &[&str]) -> Option<(String, Vec<String>)> {
    let levels: Vec<Quantity<'_>> =
        levels.iter().map(|level| Quantity::parse(level)).collect::<Option<_>>()?;
    let first = levels.first()?;
    if levels.iter().all(|level| level.unit == first.unit) {
        let numbers = levels.iter().map(|level| level.number.to_owned()).collect();
        return Some((first.unit.to_owned(), numbers));
    }
    let scales: Vec<(&str, u64)> =
        levels.iter().map(|level| scale_of(level.unit)).collect::<Option<_>>()?;
    let (at, &(what, smallest)) = scales.iter().enumerate().min_by_key(|(_, (_, scale))| *scale)?;
    let numbers: Vec<String> = levels
        .iter()
        .zip(&scales)
        .map(|(level, &(measures, scale))| {
            let number: u64 = level.number.parse().ok()?;
            let number = number.checked_mul(scale / smallest)?;
            (measures == what && number < 100_000).then(|| number.to_string())
        })
        .collect::<Option<_>>()?;
    Some((levels[at].unit.to_owned(), numbers))
}

/// All settings by name, in the order of their declaration.
#[must_use]
pub fn settings(settings: &Settings) -> Vec<Factor> {
    let Ok(Value::Object(fields)) = serde_json::to_value(settings) else {
        return Vec::new();
    };
    let mut all: Vec<Factor> = fields
        .into_iter()
        .filter(|(name, _)| LATER.iter().all(|(later, _)| later != name))
        .map(|(name, value)| Factor { name, value: text_of(&value) })
        .collect();
    let later = [
        settings.network.to_string(),
        settings.transport.to_string(),
        settings.qemu.to_string(),
        settings.disk.to_string(),
        settings.disk_write_rate.to_string(),
    ];
    all.extend(
        LATER
            .iter()
            .zip(later)
            .map(|((name, _), value)| Factor { name: (*name).to_owned(), value }),
    );
    all
}

/// Whether a setting that is the same everywhere needs no word.
pub(super) fn goes_without_saying(factor: &Factor) -> bool {
    LATER.iter().any(|(name, level)| factor.name == *name && factor.value == *level)
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

/// The settings seen in a run, each once.
#[derive(Debug, Default)]
pub(super) struct Levels {
    first: Option<Settings>,
    distinct: BTreeSet<Settings>,
    guest: Option<OtherGuest>,
}

impl Levels {
    pub fn add(&mut self, settings: &Settings) {
        if self.first.is_none() {
            self.first = Some(settings.clone());
        }
        if !self.distinct.contains(settings) {
            self.distinct.insert(settings.clone());
        }
    }

    /// The guest is one of which the settings do not say everything.
    pub fn are_of(&mut self, guest: &OtherGuest) {
        if self.guest.is_none() {
            self.guest = Some(guest.clone());
        }
    }

    /// Names of the factors that make the cells, and the settings that are the same everywhere.
    ///
    /// The cells' identities say which factors make them: a dependent setting (`filled` that
    /// follows `memory`) varies too, but makes no cell. Where they say nothing, whatever varies
    /// does.
    pub fn factors<'a>(
        &self,
        cells: impl Iterator<Item = &'a String>,
    ) -> (Vec<String>, Vec<Factor>) {
        let Some(first) = &self.first else {
            return (Vec::new(), Vec::new());
        };
        let first = settings(first);
        let all: Vec<Vec<Factor>> = self.distinct.iter().map(settings).collect();
        let named: BTreeSet<&str> = cells
            .flat_map(|cell| cell.split(", "))
            .filter_map(|part| part.split_once('=').map(|(name, _)| name.trim()))
            .collect();
        let varies = |at: usize| all.iter().any(|other| other.get(at) != first.get(at));
        let mut names: Vec<String> = first
            .iter()
            .filter(|factor| named.contains(factor.name.as_str()))
            .map(|factor| factor.name.clone())
            .collect();
        if names.is_empty() {
            names = (0..first.len())
                .filter(|&at| varies(at))
                .map(|at| first[at].name.clone())
                .collect();
        }
        let constants = (0..first.len())
            .filter(|&at| !varies(at) && !names.contains(&first[at].name))
            .filter(|&at| !goes_without_saying(&first[at]))
            .filter(|&at| self.guest.as_ref().is_none_or(|guest| guest.has(&first[at].name)))
            .map(|at| first[at].clone())
            .collect();
        (names, constants)
    }
}

/// The factors that a cell's identity names; none for `all`.
pub fn factors_of_cell(id: &str) -> Vec<Factor> {
    let pairs = id.split(", ").filter_map(|part| part.split_once('='));
    pairs.map(|(name, value)| Factor { name: name.to_owned(), value: value.to_owned() }).collect()
}

/// Orders identities of cells as a person would list them.
#[must_use]
pub fn order_of_cells(a: &str, b: &str) -> Ordering {
    order(&factors_of_cell(a), &factors_of_cell(b)).then_with(|| a.cmp(b))
}

/// The settings that are the same everywhere and that no cell's identity names, as text.
#[must_use]
pub fn constants<'a>(
    of: impl IntoIterator<Item = &'a Settings>,
    cells: impl IntoIterator<Item = &'a str>,
) -> BTreeMap<String, String> {
    let named: BTreeSet<String> =
        cells.into_iter().flat_map(factors_of_cell).map(|factor| factor.name).collect();
    let mut of = of.into_iter().map(settings);
    let mut same = of.next().unwrap_or_default();
    for other in of {
        same.retain(|factor| other.contains(factor));
    }
    // Baselines from before the later factors say nothing of them either.
    let unnamed = same
        .into_iter()
        .filter(|factor| !named.contains(&factor.name))
        .filter(|factor| factor.name == ALWAYS_SAID || !goes_without_saying(factor));
    unnamed.map(|factor| (factor.name, factor.value)).collect()
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

    #[test]
    fn levels_share_the_smallest_unit() {
        let shared = |levels: &[&str]| {
            in_one_unit(levels).map(|(unit, numbers)| format!("{} {unit}", numbers.join(" ")))
        };
        assert_eq!(shared(&["1 Gbit/s", "500 Mbit/s"]).as_deref(), Some("1000 500 Mbit/s"));
        assert_eq!(shared(&["5000 pages/s", "0 pages/s"]).as_deref(), Some("5000 0 pages/s"));
        assert_eq!(shared(&["3 h", "1 ms"]), None, "10800000 ms is not readable");
        assert_eq!(shared(&["1 GiB", "1 GiB/s"]), None);
        assert_eq!(shared(&["default", "1 GiB/s"]), None);
        assert_eq!(shared(&[]), None);
    }
}
