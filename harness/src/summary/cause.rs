use crate::record::{Outcome, Record};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

/// The causes of a cell as they come up.
#[derive(Debug, Default)]
pub(super) struct Causes {
    /// Non-completed trials seen so far.
    seen: usize,
    /// By outcome, and by the reason without its numbers.
    kinds: BTreeMap<Outcome, BTreeMap<String, Kind>>,
}

#[derive(Debug)]
struct Kind {
    trials: Vec<u32>,
    /// The least trial, and which of those that claim its number came first.
    first: (u32, usize),
    /// Its words.
    reason: String,
}

impl Causes {
    pub fn add(&mut self, record: &Record) {
        if record.outcome == Outcome::Completed {
            return;
        }
        self.seen += 1;
        let reason = record.reason.as_deref().unwrap_or("no reason recorded");
        let this = (record.trial, self.seen);
        let kinds = self.kinds.entry(record.outcome).or_default();
        match kinds.get_mut(&without_numbers(reason)) {
            Some(kind) => {
                kind.trials.push(record.trial);
                if this < kind.first {
                    (kind.first, kind.reason) = (this, reason.to_owned());
                }
            }
            None => {
                let kind =
                    Kind { trials: vec![record.trial], first: this, reason: reason.to_owned() };
                kinds.insert(without_numbers(reason), kind);
            }
        }
    }

    /// Ordered by outcome, then by their first trial.
    pub fn in_order(self) -> Vec<Cause> {
        let mut causes = Vec::new();
        for (outcome, kinds) in self.kinds {
            let mut kinds: Vec<Kind> = kinds.into_values().collect();
            kinds.sort_by_key(|kind| kind.first);
            causes.extend(kinds.into_iter().map(|mut kind| {
                kind.trials.sort_unstable();
                Cause { outcome, reason: kind.reason, trials: kind.trials }
            }));
        }
        causes
    }
}

/// The text with each number (`12`, `1.5`, `1,234`) as `#`.
pub(super) fn without_numbers(text: &str) -> String {
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
        let mut causes = Causes::default();
        for record in &records {
            causes.add(record);
        }
        let causes = causes.in_order();
        assert_eq!(causes.len(), 2);
        assert_eq!(causes[0].reason, "still dirtying 20 MiB/s");
        assert_eq!(causes[0].trials, [3, 7]);
        assert_eq!(causes[1].reason, "no reason recorded");
        assert_eq!(causes[1].trials, [5]);
    }
}
