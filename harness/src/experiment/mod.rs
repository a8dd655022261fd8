//! The experiment file: factors and their levels, and how often each combination is tried.

mod check;
pub(crate) mod factors;
mod fit;
mod qemus;
mod replicates;
mod steadiness;

pub use factors::{Factors, Filled, GUEST_OWN, Levels, LinkRate, NAMES, Selection, fillable};
pub use fit::{Misfit, fits, misfits};
pub use qemus::Qemus;
pub use replicates::{Percent, Precision, Replicates, UntilPrecise};
pub use steadiness::Steadiness;

use crate::claim::Claim;
use crate::judge::Rules;
use crate::settings::{
    Settings,
    level::{Level, LevelError},
};
use camino::Utf8Path;
use lab::{
    schema,
    units::Millis,
    yaml::{self, FileError, Report, with_hint},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, fmt};

/// An experiment, as its file declares it, defaults filled in. Serialised it is a file again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `name`, `replicates` and `factors`")]
pub struct Experiment {
    /// Its name: letters, digits, `-`, `_` and `.`, at most 40; beginning with a letter or digit.
    #[schemars(regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"))]
    pub name: String,
    /// One line on what it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Seed of the order of the trials, of the roles and of the guests' content. Default: 1.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// How often each cell is tried, 1 to 1000; or until its median is precise enough.
    pub replicates: Replicates,
    /// Longest time of a migration, 1 s to 1 h; one that takes longer has not converged.
    /// Default: 30 s.
    #[serde(default = "default_max_time")]
    pub max_time: Millis,
    /// The driver's rules during a migration. Default: `qemu`.
    #[serde(default)]
    pub policy: Policy,
    /// Time between two heartbeats of a guest, 1 ms to 100 ms. Default: 1 ms.
    #[serde(default = "default_heartbeat_interval")]
    pub heartbeat_interval: Millis,
    /// How steady a guest must be before it is migrated, such as `{ touch_rate: 5 % }`: for machines
    /// that are never quiet. Default: 2 % of the touch rate, 5 % of the disk's, 5 heartbeat
    /// intervals, 1 % of the heartbeats lost, within 30 s.
    #[serde(default, skip_serializing_if = "Steadiness::is_default")]
    pub gate: Steadiness,
    /// How its runs are judged: metrics with their margins, such as `{ total_time: 3 % }`; `off`
    /// takes one out. Default: `total_time` and `stream_bytes` 5 %, `vcpu_pause` 25 %.
    #[serde(default, skip_serializing_if = "Rules::is_default")]
    pub judge: Rules,
    /// Programs that the factor `qemu` names, by their names. Names that no level has are fine.
    #[serde(default, skip_serializing_if = "Qemus::is_empty")]
    #[schemars(schema_with = "qemus::schema")]
    pub qemus: Qemus,
    /// What is varied, and what is held. A factor that is left out has its default.
    #[serde(default)]
    pub factors: Factors,
    /// Cells that are left out: all that have the levels of one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Selection>,
    /// Cells that are tried besides: the levels given, and each other factor's first level.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Selection>,
    /// What is claimed of its outcome, tested in its report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Claim>,
}

const fn default_seed() -> u64 {
    1
}

const fn default_max_time() -> Millis {
    Millis(30_000)
}

const fn default_heartbeat_interval() -> Millis {
    Millis(1)
}

/// The driver's rules during a migration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// QEMU's defaults, with return-path on.
    #[default]
    Qemu,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Qemu => f.pad("qemu"),
        }
    }
}

impl Level for Policy {
    fn read(text: &str) -> Result<Self, LevelError> {
        match text {
            "qemu" => Ok(Self::Qemu),
            _ => Err(LevelError::new(text, &["qemu"], None)),
        }
    }
}

impl JsonSchema for Policy {
    fn schema_name() -> Cow<'static, str> {
        "Policy".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::words(&["qemu"])
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        yaml::from_text(deserializer, "the word for a policy", |text| match text {
            "proxmox" => Err(with_hint("policy `proxmox` is not built yet", Some("use `qemu`"))),
            _ => Self::read(text).map_err(|error| with_hint(&error, error.hint())),
        })
    }
}

/// One combination of levels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Its varying factors, `touch_rate=5000 pages/s, link_rate=lab`; `all` where nothing
    /// varies. It is also the filter that selects it.
    pub id: String,
    /// Its levels, as they are declared.
    pub levels: Levels,
    /// What its trials are told to do.
    pub settings: Settings,
}

impl Experiment {
    /// Reads and checks an experiment file's text; `file_name` is for the report.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Report> {
        Self::parse_with(file_name, text, &Qemus::new())
    }

    /// As [`Self::parse`]; these programs are added to those of the text, or replace them.
    fn parse_with(file_name: &str, text: &str, given: &Qemus) -> Result<Self, Report> {
        let mut parsed = yaml::parse::<Self>(file_name, text).map_err(factors_go_below)?;
        parsed.value.qemus.extend(given.clone());
        let problems = check::problems(&parsed);
        parsed.checked(problems)
    }

    /// Reads and checks an experiment file. The programs `given` are added to those that it
    /// names, or replace them; its own relative paths are from its folder.
    ///
    /// # Errors
    /// When it cannot be read, or anything is wrong with it.
    pub fn read(path: &Utf8Path, given: &Qemus) -> Result<Self, FileError> {
        let mut experiment = Self::parse_with(path.as_str(), &yaml::read_text(path)?, given)?;
        let folder = path.parent().unwrap_or(Utf8Path::new(""));
        for (name, program) in &mut experiment.qemus {
            if !given.contains_key(name) {
                *program = folder.join(&*program);
            }
        }
        Ok(experiment)
    }

    /// The levels of every cell: the factorial in its order less the excluded, then the included.
    #[must_use]
    pub fn combinations(&self) -> Vec<Levels> {
        let mut cells = self.factors.product();
        cells.retain(|levels| !self.exclude.iter().any(|selection| selection.matches(levels)));
        if let Some(first) = self.factors.first() {
            cells.extend(self.include.iter().map(|selection| selection.over(&first)));
        }
        cells
    }

    /// The factors in which the cells differ, in their order.
    #[must_use]
    pub fn varying(&self) -> Vec<&'static str> {
        let cells: Vec<_> = self.combinations().iter().map(Levels::texts).collect();
        let Some((first, others)) = cells.split_first() else { return Vec::new() };
        (0..NAMES.len())
            .filter(|&factor| others.iter().any(|cell| cell[factor].1 != first[factor].1))
            .map(|factor| NAMES[factor])
            .collect()
    }

    /// The cells, in a stable order.
    #[must_use]
    pub fn cells(&self) -> Vec<Cell> {
        let varying = self.varying();
        self.combinations()
            .into_iter()
            .map(|levels| Cell { id: id(&levels, &varying), settings: levels.settings(), levels })
            .collect()
    }
}

fn id(levels: &Levels, varying: &[&str]) -> String {
    if varying.is_empty() {
        return "all".to_owned();
    }
    let named = levels.texts().into_iter().filter(|(name, _)| varying.contains(name));
    named.map(|(name, level)| format!("{name}={level}")).collect::<Vec<_>>().join(", ")
}

/// A factor at the top of the file is a known word in the wrong place; the hint says so.
fn factors_go_below(mut report: Report) -> Report {
    for problem in &mut report.problems {
        for name in NAMES {
            if problem.message == format!("unknown key `{name}`") {
                problem.hint = Some(format!("`{name}` is a factor: write it below `factors:`"));
            }
        }
    }
    report
}

#[cfg(test)]
mod tests;
