use crate::record::{Outcome, Record};
use serde::{Deserialize, Serialize};

/// Why trials of a cell did not complete: reasons that differ only in their numbers are one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// How these trials ended.
    pub outcome: Outcome,
    /// The words of the first of them.
    pub reason: String,
    /// Which trials, in their order.
    pub trials: Vec<u32>,
}

/// The causes of a cell, ordered by outcome, then by their first trial.
pub(super) fn causes_of(records: &[&Record]) -> Vec<Cause> {
    let mut records: Vec<&Record> =
        records.iter().copied().filter(|record| record.outcome != Outcome::Completed).collect();
    records.sort_by_key(|record| (record.outcome, record.trial));
    let mut causes: Vec<(String, Cause)> = Vec::new();
    for record in records {
        let reason = record.reason.as_deref().unwrap_or("no reason recorded");
        let kind = without_numbers(reason);
        let known = causes
            .iter_mut()
            .find(|(other, cause)| *other == kind && cause.outcome == record.outcome);
        match known {
            Some((_, cause)) => cause.trials.push(record.trial),
            None => causes.push((
                kind,
                Cause {
                    outcome: record.outcome,
                    reason: reason.to_owned(),
                    trials: vec![record.trial],
                },
            )),
        }
    }
    causes.into_iter().map(|(_, cause)| cause).collect()
}

/// The text with each number (`12`, `1.5`, `1,234`) as `#`.
fn without_numbers(text: &str) -> String {
    let mut kind = String::with_capacity(text.len());
    let mut in_number = false;
    for (at, c) in text.char_indices() {
        let next_is_digit = text[at + c.len_utf8()..].starts_with(|c: char| c.is_ascii_digit());
        if c.is_ascii_digit() {
            if !in_number {
                kind.push('#');
            }
            in_number = true;
        } else if !(in_number && ".,".contains(c) && next_is_digit) {
            in_number = false;
            kind.push(c);
        }
    }
    kind
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn numbers_do_not_make_a_cause_another() {
        assert_eq!(without_numbers("sent 11.7 MiB/s, 1,234 left. 3"), "sent # MiB/s, # left. #");
        assert_eq!(without_numbers("a.b,c"), "a.b,c");
        let mut records: Vec<Record> =
            [7, 3, 5].map(|trial| fixture::not_converged(trial, 5000)).into();
        records[0].reason = Some("still dirtying 19.5 MiB/s".into());
        records[1].reason = Some("still dirtying 20 MiB/s".into());
        records[2].reason = None;
        records.push(fixture::completed(9, 5000));
        let causes = causes_of(&records.iter().collect::<Vec<_>>());
        assert_eq!(causes.len(), 2);
        assert_eq!(causes[0].reason, "still dirtying 20 MiB/s");
        assert_eq!(causes[0].trials, [3, 7]);
        assert_eq!(causes[1].reason, "no reason recorded");
        assert_eq!(causes[1].trials, [5]);
    }
}
