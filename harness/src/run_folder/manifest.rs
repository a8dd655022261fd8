use super::fault::{Fault, FaultKind};
use super::read::words_of;
use crate::lab_check::LabCheck;
use crate::link_check::LinkCheck;
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::ErrorKind;

/// What its file is called.
pub(super) const FILE: &str = "manifest.json";

/// Version of the manifest's layout, the field `schema`.
pub const SCHEMA: u32 = 1;

/// What makes a run repeatable; written before its first trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Name of the run, which is its folder's.
    pub run: String,
    /// When the run was begun, UTC.
    pub created: jiff::Timestamp,
    /// Name of the experiment.
    pub name: String,
    /// Where the experiment was read from, as the user named it.
    pub experiment_file: Option<Utf8PathBuf>,
    /// The experiment, resolved: every factor and level spelt out.
    pub experiment: serde_json::Value,
    /// SHA-256 of the plan (cells, order, settings), hexadecimal. A resumed run must have it too.
    pub plan_hash: String,
    /// Trials the plan has.
    pub planned_trials: u32,
    /// Cells the plan has.
    pub planned_cells: u32,
    /// Where the lab was read from, as the user named it.
    pub lab_file: Option<Utf8PathBuf>,
    /// The lab, resolved.
    pub lab: serde_json::Value,
    /// Seed of the order and of everything pseudo-random in the guests.
    pub seed: u64,
    /// Versions of the tools that took part besides QEMU, by name: `iproute2`.
    pub versions: BTreeMap<String, String>,
    /// The machine.
    pub host: Host,
    /// The nodes, where they are other machines than that one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeHost>,
    /// `tcg` or `kvm`.
    pub accelerator: String,
    /// Why this one: what the probe found.
    pub accelerator_reason: String,
    /// The guest.
    pub guest: Guest,
    /// The lab's own QEMU, whether it took part or not: see [`Self::programs`].
    pub qemu: Qemu,
    /// The QEMUs that took part, by the names that the experiment calls them, `lab` for the lab's
    /// own; empty where that one alone took part.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub qemus: BTreeMap<String, Qemu>,
    /// The machine type that every guest had, pinned because several QEMUs took part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The source tree this was built from, where there is one.
    pub git: Option<Git>,
    /// Version of this program.
    pub harness_version: String,
    /// Version of the metrics' definitions, [`crate::metric::DEFINITIONS`]; runs that do not say
    /// have the first.
    #[serde(default = "first_definitions")]
    pub metric_definitions: u32,
    /// What the check of every link measured before the run, and then before each time it was
    /// resumed.
    pub link_checks: Vec<LinkCheck>,
    /// What the lab was when the run was begun, and then each time it was resumed; empty in runs
    /// from before labs were checked, and where nothing was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lab_checks: Vec<LabCheck>,
    /// Which cells of the experiment were run, when not all (`--filter`).
    pub filter: Option<String>,
    /// Which part of the trials was run, when not all (`--shard`), as `1/3`.
    pub shard: Option<String>,
    /// What a reader of this run must know.
    pub warnings: Vec<String>,
}

const fn first_definitions() -> u32 {
    1
}

impl Manifest {
    /// The QEMUs that took part: name and program. The name of the only one is not said.
    #[must_use]
    pub fn programs(&self) -> Vec<(Option<&str>, &Qemu)> {
        if self.qemus.is_empty() {
            return vec![(None, &self.qemu)];
        }
        self.qemus.iter().map(|(name, qemu)| (Some(name.as_str()), qemu)).collect()
    }
}

/// The machine that a run was made on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// The kernel's release.
    pub kernel: String,
    /// Name of the CPU's model.
    pub cpu_model: String,
    /// CPUs this process may use.
    pub cpu_count: u32,
    /// Memory, bytes.
    pub memory_bytes: u64,
}

/// A node that is a machine of its own. What runs guests is the same on all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeHost {
    /// Its name.
    pub name: String,
    /// What it is.
    pub host: Host,
    /// How fast the guest filled memory there before the run, MiB/s: deadlines follow it.
    pub fill_mib_per_s: f64,
}

/// What is migrated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guest {
    /// `bare-metal`, or the kind of another guest.
    pub kind: String,
    /// Hash of its image, hexadecimal.
    pub sha256: String,
}

/// A program that runs guests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Qemu {
    /// Which program.
    pub path: Utf8PathBuf,
    /// Its own version.
    pub version: String,
    /// Hash of the program, hexadecimal.
    pub sha256: String,
}

/// State of the source tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Git {
    /// The commit, hexadecimal.
    pub commit: String,
    /// Whether files differed from it.
    pub dirty: bool,
}

/// Reads a manifest.
///
/// # Errors
/// What is wrong with it, and where.
pub(super) fn read(path: &Utf8Path) -> Result<Manifest, Fault> {
    let fault = |place: Option<(usize, usize)>, message: String| Fault {
        kind: FaultKind::Manifest,
        file: FILE.into(),
        line: place.map(|(line, _)| line as u64),
        column: place.map(|(_, column)| column as u64),
        message,
    };
    let text = std::fs::read(path).map_err(|error| {
        fault(
            None,
            match error.kind() {
                ErrorKind::NotFound => "there is no such file".to_owned(),
                _ => format!("cannot be read: {error}"),
            },
        )
    })?;
    // Some editors put a mark before the text.
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
    if text.trim_ascii().is_empty() {
        return Err(fault(None, "the file is empty".to_owned()));
    }
    let wrong = |error: &serde_json::Error| {
        let words = words_of(error, false);
        fault(Some((error.line(), error.column())), format!("not a manifest: {words}"))
    };
    // Before the fields of another version, or of something else, are found wanting one by one.
    let is: Is = serde_json::from_slice(text).map_err(|error| wrong(&error))?;
    match is {
        Is { schema: Some(schema), .. } if schema != u64::from(SCHEMA) => {
            let words = format!(
                "a manifest with schema {schema}, of another version of precopy-lab: this one reads schema {SCHEMA}"
            );
            Err(fault(None, words))
        }
        Is { schema: None, run: None } => {
            Err(fault(None, "JSON of something else: it names no `schema` and no `run`".to_owned()))
        }
        Is { .. } => serde_json::from_slice(text).map_err(|error| wrong(&error)),
    }
}

/// What tells a manifest from other JSON.
#[derive(Deserialize)]
struct Is {
    schema: Option<u64>,
    run: Option<serde_json::Value>,
}
