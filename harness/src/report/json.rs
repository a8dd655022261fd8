//! What `--json` prints.

use super::{Run, note};
use crate::claim::Tested;
use crate::judge::Judgement;
use crate::link_check::LinkCheck;
use crate::run_folder::{Fault, FaultKind, Git, Guest, Host, Manifest, Qemu};
use crate::summary::Summary;
use camino::Utf8Path;
use serde::Serialize;
use std::collections::BTreeMap;

/// Version of the layout, the field `schema`.
const SCHEMA: u32 = 1;

/// What a run's manifest tells is `null` when the folder has lost it.
#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    run: &'a str,
    folder: &'a Utf8Path,
    created: Option<jiff::Timestamp>,
    experiment: Option<&'a str>,
    seed: Option<u64>,
    plan_hash: Option<&'a str>,
    planned_trials: Option<u32>,
    planned_cells: Option<u32>,
    /// Whether every planned trial has a record, or the run ended early as it was to.
    complete: Option<bool>,
    accelerator: Option<&'a str>,
    accelerator_reason: Option<&'a str>,
    guest: Option<&'a Guest>,
    qemu: Option<&'a Qemu>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    qemus: BTreeMap<&'a str, Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<&'a str>,
    host: Option<&'a Host>,
    git: Option<&'a Git>,
    harness_version: Option<&'a str>,
    /// What the migration links carried before the run, and before each time it was resumed.
    link_checks: Option<&'a [LinkCheck]>,
    /// Metrics that say nothing about KVM, because they were not measured under it.
    not_for_kvm: Vec<&'static str>,
    warnings: &'a [String],
    /// Whether a part of the folder is lost, so that the summary is of less than it should be.
    damaged: bool,
    /// What could not be used: the first of each kind.
    faults: &'a [Fault],
    /// How many of each kind there are.
    fault_counts: &'a BTreeMap<FaultKind, u64>,
    summary: &'a Summary,
    /// `null` where there is no baseline.
    judgement: Option<&'a Judgement>,
    /// Empty where the experiment claims nothing.
    claims: &'a [Tested],
}

/// A QEMU that an experiment names: where it lies on one machine says nothing.
#[derive(Serialize)]
struct Named<'a> {
    version: &'a str,
    sha256: &'a str,
}

/// The run as one JSON object, ending in a newline.
///
/// # Errors
/// None that a manifest and a summary of ours can cause.
pub fn json(run: Run<'_>) -> Result<String, serde_json::Error> {
    fn of<'a, T>(run: Run<'a>, field: impl FnOnce(&'a Manifest) -> T) -> Option<T> {
        run.manifest.map(field)
    }
    let kvm = run.is_kvm();
    let report = Report {
        schema: SCHEMA,
        run: run.name(),
        folder: run.folder,
        created: of(run, |manifest| manifest.created),
        experiment: of(run, |manifest| manifest.name.as_str()),
        seed: of(run, |manifest| manifest.seed),
        plan_hash: of(run, |manifest| manifest.plan_hash.as_str()),
        planned_trials: of(run, |manifest| manifest.planned_trials),
        planned_cells: of(run, |manifest| manifest.planned_cells),
        complete: note::is_complete(run),
        accelerator: of(run, |manifest| manifest.accelerator.as_str()),
        accelerator_reason: of(run, |manifest| manifest.accelerator_reason.as_str()),
        guest: of(run, |manifest| &manifest.guest),
        qemu: of(run, |manifest| &manifest.qemu),
        qemus: of(run, |manifest| &manifest.qemus)
            .into_iter()
            .flatten()
            .map(|(name, Qemu { version, sha256, .. })| (name.as_str(), Named { version, sha256 }))
            .collect(),
        machine: of(run, |manifest| manifest.machine.as_deref()).flatten(),
        host: of(run, |manifest| &manifest.host),
        git: of(run, |manifest| manifest.git.as_ref()).flatten(),
        harness_version: of(run, |manifest| manifest.harness_version.as_str()),
        link_checks: of(run, |manifest| manifest.link_checks.as_slice()),
        not_for_kvm: run
            .metrics()
            .filter(|definition| !kvm && !definition.carries_over_to_kvm)
            .map(|definition| definition.name)
            .collect(),
        warnings: run.warnings,
        damaged: run.faults.is_damage(),
        faults: run.faults.first(),
        fault_counts: run.faults.counts(),
        summary: run.summary,
        judgement: run.judgement,
        claims: run.claims,
    };
    let mut text = serde_json::to_string_pretty(&report)?;
    text.push('\n');
    Ok(text)
}
