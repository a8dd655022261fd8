//! What is said around the figures, in words: what was measured, what each outcome's cause was,
//! what the figures do not say.

use super::figure::{FIGURES, Shown, outcome_words};
use super::number::{self, MIB, plural};
use super::{Run, damage, table, text};
use crate::record::Outcome;
use crate::run_folder::Manifest;
use crate::stopping::State;
use crate::summary::{Cause, CellSummary};
use crate::{metric, model_lab};

/// What a cell is called: its identity, which `--filter` understands.
pub(super) fn label(cell: &CellSummary) -> &str {
    if cell.cell.is_empty() { "the only cell" } else { &cell.cell }
}

/// What was run on what, above a table.
pub(super) fn heading(run: Run<'_>) -> Vec<String> {
    let Run { manifest, summary, .. } = run;
    let cells = u32::try_from(summary.cells.len()).unwrap_or(u32::MAX);
    let constants: Vec<String> = summary
        .constants
        .iter()
        .map(|factor| format!("{} {}", factor.name.replace('_', " "), factor.value))
        .collect();
    let policies: Vec<&str> = summary.policies.iter().map(String::as_str).collect();
    let Some(manifest) = manifest else {
        let counts = [plural(summary.trials, "trial"), plural(cells, "cell")].join(" in ");
        let mut lines = vec![format!("{}: {counts}", run.name())];
        if !constants.is_empty() {
            lines.push(format!("Same in all: {}", constants.join(", ")));
        }
        return lines;
    };
    let mut lines = vec![
        format!(
            "{}: {} in {} (run {})",
            manifest.name,
            plural(summary.trials, "trial"),
            plural(cells, "cell"),
            manifest.run
        ),
        made_by(run, manifest)
            + if policies.is_empty() { "" } else { ", policy " }
            + &text::list(&policies),
    ];
    if !constants.is_empty() {
        lines.push(format!("Same in all: {}", constants.join(", ")));
    }
    lines
}

fn made_by(run: Run<'_>, manifest: &Manifest) -> String {
    if is_model(run) {
        return "Computed by the model in virtual time, no guest was run".to_owned();
    }
    format!(
        "QEMU {}{} under {}, {} guest",
        versions(manifest),
        manifest.machine.as_ref().map(|it| format!(" (machine {it})")).unwrap_or_default(),
        manifest.accelerator.to_uppercase(),
        manifest.guest.kind
    )
}

/// Whether nothing was measured, but computed.
pub(super) fn is_model(run: Run<'_>) -> bool {
    run.manifest.is_some_and(|manifest| manifest.accelerator == model_lab::ACCELERATOR)
}

/// The version of the one QEMU, or each name with its version.
fn versions(manifest: &Manifest) -> String {
    let versions = manifest.programs().into_iter().map(|(name, qemu)| match name {
        Some(name) => format!("`{name}` {}", qemu.version),
        None => qemu.version.clone(),
    });
    versions.collect::<Vec<_>>().join(", ")
}

/// What the reader of a table must know, a paragraph each.
pub(super) fn below_table(run: Run<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if run.summary.trials > 0 {
        notes.push(how_to_read(run));
        notes.extend(carries_over(run));
        notes.push(format!("{}.", table::trials_in_words(run.summary)));
    }
    for cell in &run.summary.cells {
        for cause in &cell.causes {
            notes.push(format!("- {}: {}", label(cell), cause_in_words(cell, cause)));
        }
    }
    notes.extend(stopping(run));
    notes.extend(missing(run));
    notes.extend(damage::notes(run));
    notes.extend(lab_faults(run));
    notes.extend(run.warnings.iter().map(|warning| format!("warning: {warning}")));
    notes.push(format!("Run folder: {}", run.folder));
    notes
}

pub(super) fn how_to_read(run: Run<'_>) -> String {
    let mut note = "Figures are medians over a cell's completed trials. ".to_owned();
    note.push_str(if is_model(run) {
        "Verified: nothing, for there was no guest that could have lost anything."
    } else {
        "Verified: guests whose every page was checked and right."
    });
    let bound = |cell: &CellSummary| {
        FIGURES.iter().any(|figure| matches!(figure.of(cell), Shown::AtLeast(_)))
    };
    if run.summary.cells.iter().any(bound) {
        note.push_str(
            " In a cell where no trial completed: what was measured until the cancellation (≥: it \
             was still growing).",
        );
    }
    note
}

/// Which figures of the table say nothing about KVM; nothing when KVM was measured.
pub(super) fn carries_over(run: Run<'_>) -> Option<String> {
    let Some(manifest) = run.manifest else {
        return Some(damage::UNKNOWN.to_owned());
    };
    if run.is_kvm() {
        return None;
    }
    if is_model(run) {
        return Some(
            "Computed for a local lab under TCG, with the noise of real trials on one: an \
             expectation, and no measurement of this machine, of any QEMU or of KVM."
                .to_owned(),
        );
    }
    let names: Vec<(String, bool)> = FIGURES
        .iter()
        .filter_map(|figure| {
            let definition = metric::definition(figure.metric)?;
            Some((figure.name(), definition.carries_over_to_kvm))
        })
        .collect();
    let named = |carries: bool| {
        let names: Vec<&str> = names
            .iter()
            .filter(|(_, it_does)| *it_does == carries)
            .map(|(name, _)| name.as_str())
            .collect();
        text::list(&names)
    };
    Some(format!(
        "Measured under {} ({}), where the guest's CPU is emulated: {} do not carry over to KVM; {} do.",
        manifest.accelerator.to_uppercase(),
        manifest.accelerator_reason,
        named(false),
        named(true)
    ))
}

/// A cause with how many it is of, and what is known besides.
pub(super) fn cause_in_words(cell: &CellSummary, cause: &Cause) -> String {
    let n = u32::try_from(cause.trials.len()).unwrap_or(u32::MAX);
    let first = cause.trials.first().copied().unwrap_or_default();
    let which = match n {
        1 => format!("trial {first}"),
        2 => format!("trial {first}; the other alike"),
        n => format!("trial {first}; the other {} alike", n - 1),
    };
    let reason = cause.reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut words = format!("{n} {}: {reason} ({which})", outcome_words(cause.outcome).0);
    if cause.outcome == Outcome::NotConverged
        && (n > 1 || !reason.contains("/s"))
        && let Some(known) = known_of_unfinished(cell)
    {
        words.push_str(&format!("; {known}"));
    }
    words
}

/// Dirty rate against throughput, of the trials of a cell that did not converge.
fn known_of_unfinished(cell: &CellSummary) -> Option<String> {
    let parts: Vec<String> = [
        (metric::DIRTY_RATE, "dirty rate ", "MiB/s"),
        (metric::THROUGHPUT, "true speed ", "MiB/s"),
        (metric::REMAINING, "", "MiB left"),
    ]
    .into_iter()
    .filter_map(|(name, words, unit)| {
        let value = cell.metric(Outcome::NotConverged, name)?.spread?.median / MIB;
        let digits = number::decimals([value], 0.0);
        Some(format!("{words}{} {unit}", number::fixed(value, digits)))
    })
    .collect();
    if parts.is_empty() { None } else { Some(format!("medians: {}", parts.join(", "))) }
}

/// What was wrong with the lab while trials were made, by their records.
pub(super) fn lab_faults(run: Run<'_>) -> Option<String> {
    let faults = &run.summary.lab_faults;
    if faults.is_empty() {
        return None;
    }
    let faults = faults.iter().map(|(fault, trials)| match *trials == run.summary.trials {
        true => fault.clone(),
        false => format!("{fault} (in {trials} of {})", plural(run.summary.trials, "trial")),
    });
    let faults = faults.collect::<Vec<_>>().join("; ");
    Some(format!("warning: measured on a lab that failed its check: {faults}"))
}

/// Why a run whose number of trials was open has as many as it has.
pub(super) fn stopping(run: Run<'_>) -> Option<String> {
    Some(format!("Stopping: {}.", run.summary.stopping.as_ref()?.words()))
}

/// Whether the run has all that it was to have; `None` where nothing says what that is.
pub(super) fn is_complete(run: Run<'_>) -> Option<bool> {
    match &run.summary.stopping {
        Some(stopping) => Some(stopping.state != State::GoesOn),
        None => Some(run.summary.trials >= run.manifest?.planned_trials),
    }
}

/// Planned trials without a record.
pub(super) fn missing(run: Run<'_>) -> Option<String> {
    let manifest = run.manifest?;
    if is_complete(run)? {
        return None;
    }
    let folder = match run.folder.file_name() {
        Some(name) if name == manifest.run => name,
        _ => run.folder.as_str(),
    };
    if run.summary.stopping.is_some() && !run.faults.is_damage() {
        return Some(format!(
            "warning: this run is not finished; `cargo xtask experiment --resume {folder}` goes on until its medians are precise enough"
        ));
    }
    let missing = manifest.planned_trials.checked_sub(run.summary.trials)?;
    let have = if missing == 1 { "has" } else { "have" };
    let planned = plural(manifest.planned_trials, "planned trial");
    if run.faults.is_damage() {
        // What to do is said with the damage.
        return Some(format!("warning: {missing} of {planned} {have} no record that can be read"));
    }
    Some(format!(
        "warning: {missing} of {planned} {have} no record; `cargo xtask experiment --resume {folder}` runs what is missing"
    ))
}
