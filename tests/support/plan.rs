//! What `--plan --json` says, and records held against it.

use super::Sandbox;
use camino::Utf8Path;
use harness::record::Record;
use serde_json::Value;

/// The trials of a plan, in their order.
#[derive(Debug)]
pub struct Plan {
    /// What must be the same of each trial: number, block, cell, roles.
    pub trials: Vec<(u64, u64, String, [String; 3])>,
}

impl Plan {
    /// Asks the program.
    pub fn of(sandbox: &Sandbox, file: &Utf8Path) -> Self {
        let ended = sandbox.start(&["experiment", file.as_str(), "--plan", "--json"]).succeed();
        let said: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        let plan = &said["plan"];
        let number = |value: &Value| value.as_u64().expect("a number");
        let node = |value: &Value| format!("node{}", number(value) + 1);
        let trials = plan["trials"].as_array().expect("trials").iter().map(|trial| {
            let cell = &plan["cells"][usize::try_from(number(&trial["cell"])).expect("an index")];
            (
                number(&trial["trial"]),
                number(&trial["block"]),
                cell["id"].as_str().expect("an id").to_owned(),
                ["source", "target", "witness"].map(|role| node(&trial[role])),
            )
        });
        Self { trials: trials.collect() }
    }

    /// The records are the plan's trials in its order, from the first on.
    pub fn begins_with(&self, records: &[Record]) {
        let records: Vec<_> = records
            .iter()
            .map(|record| {
                let roles = record.roles.clone();
                (
                    u64::from(record.trial),
                    u64::from(record.block),
                    record.cell.clone(),
                    [roles.source, roles.target, roles.witness],
                )
            })
            .collect();
        assert_eq!(records[..], self.trials[..records.len().min(self.trials.len())]);
    }

    /// The records are the plan's trials, all of them, in its order.
    pub fn equals(&self, records: &[Record]) {
        assert_eq!(records.len(), self.trials.len());
        self.begins_with(records);
    }
}
