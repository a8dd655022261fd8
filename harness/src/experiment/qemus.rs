//! The QEMUs that an experiment brings along: their names, and which of them take part.

use super::{Experiment, Selection};
use crate::settings::{NAME_PATTERN, QemuName, level::LevelError};
use camino::Utf8PathBuf;
use lab::yaml::{Parsed, Problem, did_you_mean, one_of};
use schemars::{Schema, SchemaGenerator, json_schema};
use std::collections::{BTreeMap, BTreeSet};

/// Programs by name.
pub type Qemus = BTreeMap<String, Utf8PathBuf>;

/// What [`check`] takes as programs by name.
pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "pattern": format!("^{NAME_PATTERN}$") },
        "additionalProperties": { "type": "string", "minLength": 1 },
    })
}

impl Experiment {
    /// The QEMUs that some cell runs, `lab` for the lab's own.
    #[must_use]
    pub fn qemus_that_run(&self) -> BTreeSet<QemuName> {
        let cells = self.combinations();
        let names = cells.iter().flat_map(|levels| levels.qemu.names());
        names.cloned().collect()
    }
}

/// Checks the names that the text gives to programs, and the programs themselves.
pub(super) fn check(parsed: &Parsed<Experiment>, problems: &mut Vec<Problem>) {
    for (name, program) in &parsed.value.qemus {
        let at = ["qemus", name.as_str()];
        if let Err(error) = QemuName::program(name) {
            problems.push(problem(parsed.at_key(&at), &error));
        }
        if program.as_str().is_empty() {
            let words = format!("`{name}` has no program");
            problems.push(parsed.problem(&at, words).hint("write the path of a QEMU"));
        }
    }
}

fn problem(place: lab::yaml::Place, error: &LevelError) -> Problem {
    let problem = Problem::new(place, error.to_string());
    match error.hint() {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// Checks that the level, which lies at `path`, names only programs that there are.
pub(super) fn unknown(
    parsed: &Parsed<Experiment>,
    path: &[&str],
    level: &Selection,
    problems: &mut Vec<Problem>,
) {
    let known = &parsed.value.qemus;
    let names = level.qemu.iter().flat_map(|pair| pair.names());
    let mut names: Vec<&QemuName> = names.filter(|name| !name.is_lab()).collect();
    names.dedup();
    for name in names {
        if known.contains_key(name.as_str()) {
            continue;
        }
        let all: Vec<&str> = ["lab"].into_iter().chain(known.keys().map(String::as_str)).collect();
        let meant = did_you_mean(name.as_str(), all.iter().copied())
            .map_or_else(String::new, |meant| format!("did you mean `{meant}`? "));
        problems.push(
            parsed.problem(path, format!("no QEMU is named `{name}`")).expected(one_of(&all)).hint(
                format!(
                    "{meant}name its program by `--qemu {name}=PATH`, or below `qemus:`; known \
                     here: {}",
                    one_of(&all)
                ),
            ),
        );
    }
}
