//! What is said of a run's folder of which a part cannot be used.

use super::Run;

/// What cannot be used and is not in the figures, for below a table: a paragraph each.
pub(super) fn notes(run: Run<'_>) -> Vec<String> {
    let faults = run.faults;
    if faults.is_empty() {
        return Vec::new();
    }
    let mut notes = Vec::new();
    if faults.is_damage() {
        notes.push(format!(
            "DAMAGED: {}. The figures are of the rest.",
            faults.summary().join("; ")
        ));
    }
    notes.extend(faults.lines(None).into_iter().map(|line| format!("- {line}")));
    notes
}

/// Instead of what a manifest says, where there is none.
pub(super) const UNKNOWN: &str = "On what this was measured is not known (QEMU, accelerator, guest, planned trials): its \
     figures cannot be compared with others.";
