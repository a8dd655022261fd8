//! What `--json` prints.

use super::Run;
use crate::claim::Tested;
use crate::judge::Judgement;
use crate::metric;
use crate::run_folder::{Git, Guest, Host, Qemu};
use crate::summary::Summary;
use camino::Utf8Path;
use serde::Serialize;
use std::collections::BTreeMap;

/// Version of the layout, the field `schema`.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    run: &'a str,
    folder: &'a Utf8Path,
    created: jiff::Timestamp,
    experiment: &'a str,
    seed: u64,
    plan_hash: &'a str,
    planned_trials: u32,
    planned_cells: u32,
    /// Whether every planned trial has a record.
    complete: bool,
    accelerator: &'a str,
    accelerator_reason: &'a str,
    guest: &'a Guest,
    qemu: &'a Qemu,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    qemus: BTreeMap<&'a str, Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<&'a str>,
    host: &'a Host,
    git: Option<&'a Git>,
    harness_version: &'a str,
    /// Metrics that say nothing about KVM, because they were not measured under it.
    not_for_kvm: Vec<&'static str>,
    warnings: &'a [String],
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
    let manifest = run.manifest;
    let kvm = manifest.accelerator.eq_ignore_ascii_case("kvm");
    let report = Report {
        schema: SCHEMA,
        run: &manifest.run,
        folder: run.folder,
        created: manifest.created,
        experiment: &manifest.name,
        seed: manifest.seed,
        plan_hash: &manifest.plan_hash,
        planned_trials: manifest.planned_trials,
        planned_cells: manifest.planned_cells,
        complete: run.summary.trials >= manifest.planned_trials,
        accelerator: &manifest.accelerator,
        accelerator_reason: &manifest.accelerator_reason,
        guest: &manifest.guest,
        qemu: &manifest.qemu,
        qemus: manifest
            .qemus
            .iter()
            .map(|(name, Qemu { version, sha256, .. })| (name.as_str(), Named { version, sha256 }))
            .collect(),
        machine: manifest.machine.as_deref(),
        host: &manifest.host,
        git: manifest.git.as_ref(),
        harness_version: &manifest.harness_version,
        not_for_kvm: metric::ALL
            .iter()
            .filter(|definition| !kvm && !definition.carries_over_to_kvm)
            .map(|definition| definition.name)
            .collect(),
        warnings: run.warnings,
        summary: run.summary,
        judgement: run.judgement,
        claims: run.claims,
    };
    let mut text = serde_json::to_string_pretty(&report)?;
    text.push('\n');
    Ok(text)
}
