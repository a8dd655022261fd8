//! How a trial that did not simply complete ended.

use super::observed::Observed;
use crate::record::Outcome;
use wire::{DiskVerification, Verification};

/// An outcome other than `completed`, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// What it is.
    pub outcome: Outcome,
    /// Why, in words.
    pub reason: String,
}

impl Ended {
    /// This outcome, for this reason.
    pub fn new(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: reason.into() }
    }
}

/// The integrity of the guest's memory and disk outweighs how the migration ended.
pub fn with_integrity(ended: Result<(), Ended>, observed: &Observed) -> Result<(), Ended> {
    let Some(found) = observed.verification else { return ended };
    let wrong: Vec<String> =
        [memory(&found, observed), disk(&found.disk, observed)].into_iter().flatten().collect();
    if wrong.is_empty() {
        return ended;
    }
    Err(Ended::new(Outcome::Corrupt, wrong.join("; ")))
}

/// What is wrong with the guest's memory.
fn memory(found: &Verification, observed: &Observed) -> Option<String> {
    let behind = observed.counter_behind();
    if found.pages_wrong > 0 {
        return Some(format!(
            "{} of {} pages do not hold what was written to them (the first is page {} of the workload)",
            found.pages_wrong, found.pages_checked, found.first_wrong_page
        ));
    }
    if !found.image_intact {
        return Some("the guest's own code or constants have changed".to_owned());
    }
    (behind > 0).then(|| {
        format!(
            "the guest forgot {behind} touches that the witness had seen: pages were lost together with their bookkeeping"
        )
    })
}

/// What is wrong with its disk.
fn disk(found: &DiskVerification, observed: &Observed) -> Option<String> {
    let behind = observed.disk_counter_behind();
    let blocks = found.blocks_checked + found.blocks_unreadable;
    let wrong = [
        (found.blocks_wrong > 0).then(|| {
            format!(
                "{} of {blocks} blocks of the guest's disk do not hold what was written to them (the first is block {})",
                found.blocks_wrong, found.first_wrong_block
            )
        }),
        (found.blocks_unreadable > 0).then(|| {
            format!(
                "{} of {blocks} blocks of the guest's disk cannot be read",
                found.blocks_unreadable
            )
        }),
        (found.errors > 0)
            .then(|| format!("the guest's disk answered {} writes with an error", found.errors)),
        (behind > 0).then(|| {
            format!(
                "the guest forgot {behind} disk writes that the witness had seen acknowledged"
            )
        }),
    ];
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{experiment::Experiment, trial::witness::Beat};
    use std::time::Duration;
    use wire::State;

    const RIGHT: Verification = Verification {
        pages_written: 100,
        pages_checked: 1000,
        pages_wrong: 0,
        first_wrong_page: u64::MAX,
        image_intact: true,
        took_ns: 1,
        disk: DiskVerification {
            writes: 40,
            blocks_checked: 512,
            blocks_wrong: 0,
            first_wrong_block: u64::MAX,
            blocks_unreadable: 0,
            errors: 0,
        },
    };

    /// What becomes of a trial that completed, by what the guest found; the witness had seen 40
    /// disk writes.
    fn ended(verification: Verification) -> Result<(), String> {
        let beat = |disk_writes| Beat {
            observer_ns: disk_writes,
            sequence: disk_writes,
            guest_ns: 0,
            state: State::Steady,
            pages_written: 100,
            pages_dropped: 0,
            disk_writes,
            disk_errors: 0,
        };
        let experiment = Experiment::parse("x.yaml", "name: x\nreplicates: 1\n").expect("good");
        let settings = experiment.cells()[0].settings.clone();
        let observed = Observed {
            beats: vec![beat(39), beat(40)],
            verification: Some(verification),
            ..Observed::new(settings, Duration::from_millis(1))
        };
        with_integrity(Ok(()), &observed).map_err(|ended| {
            assert_eq!(ended.outcome, Outcome::Corrupt);
            ended.reason
        })
    }

    #[test]
    fn a_disk_that_is_not_what_it_must_be_is_named() {
        assert_eq!(ended(RIGHT), Ok(()));
        let disk = |disk| ended(Verification { disk, ..RIGHT }).expect_err("corrupt");
        insta::assert_snapshot!(
            disk(DiskVerification { blocks_wrong: 3, first_wrong_block: 17, ..RIGHT.disk }),
            @"3 of 512 blocks of the guest's disk do not hold what was written to them (the first is block 17)"
        );
        let unreadable =
            DiskVerification { blocks_checked: 504, blocks_unreadable: 8, ..RIGHT.disk };
        insta::assert_snapshot!(disk(unreadable), @"8 of 512 blocks of the guest's disk cannot be read");
        insta::assert_snapshot!(disk(DiskVerification { errors: 2, ..RIGHT.disk }), @"the guest's disk answered 2 writes with an error");
        insta::assert_snapshot!(disk(DiskVerification { writes: 38, ..RIGHT.disk }), @"the guest forgot 2 disk writes that the witness had seen acknowledged");
        let both = Verification { pages_wrong: 1, first_wrong_page: 5, ..RIGHT };
        let both = Verification {
            disk: DiskVerification { blocks_wrong: 1, first_wrong_block: 2, ..RIGHT.disk },
            ..both
        };
        insta::assert_snapshot!(ended(both).expect_err("corrupt"), @"1 of 1000 pages do not hold what was written to them (the first is page 5 of the workload); 1 of 512 blocks of the guest's disk do not hold what was written to them (the first is block 2)");
    }
}
