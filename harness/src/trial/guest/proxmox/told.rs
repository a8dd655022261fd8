//! What Proxmox tells of a migration besides what both QEMUs say.

use lab::hypervisor::{
    proxmox::{migrate::Migration, migration_log::MigrationLog},
    qemu::migration::{End, Side},
};
use serde_json::Value;

/// What its log says, and where its time went. Times are seconds since it was asked for, by this
/// machine's clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// The task's log.
    pub task: MigrationLog,
    /// When QEMU began, by its own count.
    pub began_s: Option<f64>,
    /// When it had ended, as far as that is known: with the guest running on the target, or when
    /// the source was heard of last.
    pub end_s: f64,
}

impl Told {
    /// What a migration tells.
    pub fn of(migration: &Migration) -> Self {
        let end_s = match &migration.log.end {
            End::Completed(_) => migration.resume_s().or_else(|| migration.completed_s()),
            _ => migration.log.samples.last().map(|sample| sample.at_s),
        };
        Self {
            task: migration.task.clone(),
            began_s: migration.began_s(),
            end_s: end_s.unwrap_or(migration.ended_s),
        }
    }
}

/// The task, its log, what was in force and what could not be done, in lines.
pub fn words(migration: &Migration) -> String {
    let Migration { upid, lines, capabilities, troubles, left_locked, .. } = migration;
    let mut words = vec![format!("task {upid}")];
    words.extend(lines.iter().map(|line| format!("proxmox: {line}")));
    for (side, answer) in capabilities {
        let side = match side {
            Side::Source => "source",
            Side::Target => "target",
        };
        words.push(format!("{side}: capabilities in force: {}", switched_on(answer)));
    }
    words.extend(troubles.iter().map(|trouble| format!("trouble: {}", trouble.replace('\n', " "))));
    words
        .extend(left_locked.iter().map(|lock| format!("trouble: the VM was left locked ({lock})")));
    words.iter().map(|line| format!("{line}\n")).collect()
}

/// Names of the capabilities that are on, of an answer to `query-migrate-capabilities`.
fn switched_on(answer: &Value) -> String {
    let all = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let on = all.iter().filter(|one| one["state"] == true);
    let names: Vec<&str> = on.filter_map(|one| one["capability"].as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_on_is_named() {
        let one = |name: &str, on: bool| json!({ "capability": name, "state": on });
        let answer = json!([one("xbzrle", true), one("events", false), one("auto-converge", true)]);
        assert_eq!(switched_on(&answer), "xbzrle, auto-converge");
        assert_eq!(switched_on(&json!([one("events", false)])), "none");
    }
}
