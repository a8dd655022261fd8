//! Every migration log that was recorded, and what those of other versions have besides.

use lab::hypervisor::proxmox::migration_log::{MigrationLog, Outcome};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};

fn recorded() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/logs");
    let files =
        fs::read_dir(folder).expect("recordings").map(|entry| entry.expect("a file").path());
    let logs = files.map(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(path).expect("a log"))
    });
    logs.collect()
}

fn read(text: &str) -> MigrationLog {
    MigrationLog::read(text.lines())
}

/// Without the single lines of progress, of which there is the number.
fn told(log: &MigrationLog) -> Value {
    let mut told = serde_json::to_value(log).expect("JSON");
    for lines in ["progress", "xbzrle"] {
        let all = told[lines].as_array().expect("a list").clone();
        told[lines] = json!({"lines": all.len(), "last": all.last()});
    }
    told["why"] = json!(log.why());
    told["remedy"] = json!(log.remedy());
    told["was_cancelled"] = json!(log.was_cancelled());
    told["last_limit_ms"] = json!(log.last_limit_ms());
    told
}

#[test]
fn every_recorded_log_is_understood() {
    let mut outcomes = BTreeMap::new();
    for (name, text) in recorded() {
        if !text.contains("migration") {
            continue;
        }
        let log = read(&text);
        *outcomes.entry(format!("{:?}", log.outcome)).or_insert(0) += 1;
        insta::assert_json_snapshot!(name.replace('-', "_"), told(&log));
    }
    let expected = [("Aborted", 4), ("Completed", 25), ("Problems", 8), ("Unfinished", 1)];
    let expected = expected.map(|(name, n)| (name.to_owned(), n)).into_iter().collect();
    assert_eq!(outcomes, expected);
}

/// Counted in the text by other means than the parser's.
#[test]
fn nothing_is_missed() {
    for (name, text) in recorded() {
        let log = read(&text);
        let lines = |words: &str| text.lines().filter(|line| line.contains(words)).count();
        assert_eq!(log.progress.len(), lines("VM-state, "), "{name}");
        assert_eq!(log.xbzrle.len(), lines("xbzrle: "), "{name}");
        assert_eq!(log.increases.len(), lines("auto-increased"), "{name}");
        assert_eq!(log.mirrors.len(), lines("-scsi0: transferred"), "{name}");
        let dirty = log.progress.iter().filter(|p| p.is.dirtied.is_some()).count();
        assert_eq!(dirty, lines("dirties lots"), "{name}");
        assert_eq!(log.task.is_some(), lines("TASK ") == 1, "{name}");
        assert_eq!(log.average.is_some(), lines("average migration speed") == 1, "{name}");
        let done = log.transferred.is_some_and(|transferred| transferred.is_all);
        assert_eq!(done, lines("migration completed, transferred") == 1, "{name}");
    }
}

/// As `qemu-server` before 8.3.9 writes it: no line with all that was transferred.
#[test]
fn the_older_era_has_the_last_progress() {
    for (name, text) in recorded() {
        let newer = read(&text);
        let older: Vec<&str> = text
            .lines()
            .filter(|line| !line.contains("migration completed, transferred"))
            .filter(|line| !line.contains("conntrack"))
            .collect();
        let older = MigrationLog::read(older);
        assert_eq!(
            (&older.outcome, &older.average, older.duration_s),
            (&newer.outcome, &newer.average, newer.duration_s),
            "{name}"
        );
        assert_eq!(older.increases.len(), newer.increases.len(), "{name}");
        let last = older.progress.last().map(|last| last.is.transferred);
        assert_eq!(
            older.transferred.map(|t| (t.state, t.is_all)),
            last.map(|last| (last, false)),
            "{name}"
        );
    }
}

#[test]
fn what_other_versions_write_is_understood() {
    let text = "\
2026-01-31 23:59:58 use dedicated network address for sending migration traffic (192.0.2.12)
2026-01-31 23:59:58 starting migration of VM 9001 to node 'pve-2' (192.0.2.12)
2026-01-31 23:59:59 migration speed limit: 50.0 MiB/s
2026-01-31 23:59:59 migration downtime limit: 33.3 ms
2026-02-01 00:00:00 start migrate command to tcp:192.0.2.12:60000
2026-02-01 00:00:01 migration in status 'setup' - waiting for transition
2026-02-01 00:00:02 migration active, transferred 3.1 GiB of 2.0 GiB VM-state, 110.2 MiB/s (+ 1.2 GiB VFIO-state), VM dirties lots of memory: 201.5 MiB/s
2026-02-01 00:00:02 xbzrle: send updates to 9810 pages in 7.2 MiB encoded memory
2026-02-01 00:00:03 auto-increased downtime to continue migration: 1.024e+15 ms
2026-02-01 00:00:03 capping downtime limit to maximum possible: 2000000 ms
2026-02-01 00:00:04 migration device, transferred 3.2 GiB of 2.0 GiB VM-state, 90.0 MiB/s
drive-scsi0: transferred 1.0 GiB of 8.0 GiB (12.50%) in 1m 3s, still busy
2026-02-01 00:00:05 average migration speed: 806.6 MiB/s - downtime 59 ms
2026-02-01 00:00:05 migration completed, transferred 11.7 GiB VM-state (+ 1.2 GiB VFIO-state)
2026-02-01 00:00:05 migration status: completed
2026-02-01 00:00:06 migrated 12 conntrack state entries
2026-02-01 01:00:07 migration finished successfully (duration 01:00:09)
TASK WARNINGS: 1
";
    let log = read(text);
    insta::assert_json_snapshot!("other_versions", told(&log));
    assert_eq!(log.duration_s, Some(3609));
    assert_eq!(log.last_s, Some(3609), "over the end of a month");
}

#[test]
fn every_recorded_failure_has_its_remedy() {
    for (name, text) in recorded() {
        let log = read(&text);
        let failed = matches!(log.outcome, Outcome::Aborted | Outcome::Problems);
        // One was ended so early that nothing but an exit code is left of it.
        let early = name == "lab-8-early";
        assert_eq!(log.remedy().is_some(), failed && !early, "{name}: {:?}", log.why());
    }
    let told = |why: &str| {
        let text =
            format!("2026-11-22 09:47:20 ERROR: migration aborted (duration 00:00:01): {why}");
        MigrationLog::read([text.as_str()]).remedy().unwrap_or_default()
    };
    assert!(told("storage 'shared' is not available on node 'pve3'").contains("pvesm status"));
    assert!(told("can't open tunnel - no quorum on target node").contains("mtunnel"));
    assert!(told("VM is locked (backup)").contains("until its backup is done"));
}

#[test]
fn proxmoxs_own_figures_are_what_they_are() {
    // 279 MiB moved in 9 s are logged as 56.9 MiB/s: the guest's whole memory over whole seconds.
    let logs = recorded();
    let log = read(&logs["lab-escalation"]);
    let limits: Vec<f64> = log.increases.iter().map(|increase| increase.limit_ms).collect();
    assert_eq!(limits, [40.0, 80.0, 160.0, 320.0, 640.0]);
    assert_eq!(log.downtime_limit_ms, Some(20.0));
    assert_eq!(log.average.unwrap().downtime_ms, 11);
    let second = read(&logs["lab-escalation2"]);
    let limits: Vec<f64> = second.increases.iter().map(|increase| increase.limit_ms).collect();
    assert_eq!(limits, [20.0, 40.0, 80.0, 160.0, 320.0]);
    let killed = read(&logs["lab-8-sigkill"]);
    assert_eq!(killed.outcome, Outcome::Unfinished);
    assert_eq!(killed.task, None);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[ -~\\n]{0,400}", cut in 0usize..6000) {
        let _ = read(&text);
        let log = include_str!("../recordings/logs/lab-escalation.log");
        let _ = read(log.get(..cut).unwrap_or(log));
    }
}
