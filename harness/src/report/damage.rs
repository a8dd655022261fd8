//! What is said of a run's folder of which a part cannot be used.

use super::Run;
use super::number::plural;
use crate::run_folder::FaultKind;

/// What cannot be used and is not in the figures, for below a table: a paragraph each.
pub(super) fn notes(run: Run<'_>) -> Vec<String> {
    let faults = run.faults;
    if faults.is_empty() {
        return Vec::new();
    }
    let mut notes = Vec::new();
    if faults.is_damage() {
        notes.push(format!(
            "DAMAGED: {}. The figures are of what could be read:",
            what_is_missing(run).join("; ")
        ));
    }
    notes.extend(faults.lines(None).into_iter().map(|line| format!("- {line}")));
    notes
}

/// The damage in a few words, a part each: `3 lines are no records`.
pub(super) fn what_is_missing(run: Run<'_>) -> Vec<String> {
    let words = |(kind, count): (&FaultKind, &u64)| {
        let n = u32::try_from(*count).unwrap_or(u32::MAX);
        let lines = plural(n, "line");
        let are = if n == 1 { "is" } else { "are" };
        Some(match kind {
            FaultKind::Torn => return None,
            FaultKind::Manifest => "the manifest cannot be used".to_owned(),
            FaultKind::Missing => "the records are missing".to_owned(),
            FaultKind::Unreadable => "the records cannot be read to their end".to_owned(),
            FaultKind::NotARecord => {
                format!("{lines} {are} no {}", if n == 1 { "record" } else { "records" })
            }
            FaultKind::TooLong => format!("{lines} {are} too long"),
            FaultKind::Schema => format!("{lines} {are} of another version of this program"),
            FaultKind::OtherRun => format!("{lines} {are} of another run"),
            FaultKind::Repeated if n == 1 => "1 line repeats a trial".to_owned(),
            FaultKind::Repeated => format!("{lines} repeat trials"),
        })
    };
    run.faults.counts().iter().filter_map(words).collect()
}

/// Instead of what a manifest says, where there is none.
pub(super) const UNKNOWN: &str =
    "On what this was measured is not known (QEMU, accelerator, guest, planned trials): its \
     figures cannot be compared with others.";
