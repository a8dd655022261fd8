//! What `--json` prints.

use super::{Run, note};
use crate::metric;
use crate::run_folder::{Git, Guest, Host, Qemu};
use crate::summary::Summary;
use camino::Utf8Path;
use serde::Serialize;

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
    /// Whether every planned trial has a record, or the run ended early as it was to.
    complete: bool,
    accelerator: &'a str,
    accelerator_reason: &'a str,
    guest: &'a Guest,
    qemu: &'a Qemu,
    host: &'a Host,
    git: Option<&'a Git>,
    harness_version: &'a str,
    /// Metrics that say nothing about KVM, because they were not measured under it.
    not_for_kvm: Vec<&'static str>,
    warnings: &'a [String],
    summary: &'a Summary,
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
        complete: note::is_complete(run),
        accelerator: &manifest.accelerator,
        accelerator_reason: &manifest.accelerator_reason,
        guest: &manifest.guest,
        qemu: &manifest.qemu,
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
    };
    let mut text = serde_json::to_string_pretty(&report)?;
    text.push('\n');
    Ok(text)
}
