//! Verdicts on real QEMU: a run becomes the baseline, the same again stands against it, and a
//! change for the worse is called one, by its time, with its exit code.

use crate::support::{Sandbox, lax, program::Ended};
use camino::{Utf8Path, Utf8PathBuf};
use harness::run_folder::RunFolder;
use serde_json::Value;
use std::fs;

/// One cell whose time is the link's, with margins that a machine keeps which is busy with others at
/// times.
fn experiment(link_rate: &str) -> String {
    format!(
        "
name: gate
replicates: 6
max_time: 30 s
heartbeat_interval: 2 ms
judge: {{ total_time: 40 %, stream_bytes: 40 %, vcpu_pause: off }}
factors:
  memory: 64 MiB
  working_set: 4 MiB
  filled: memory
  touch_rate: 500 pages/s
  link_rate: {link_rate}
"
    )
}

fn verdict(ended: &Ended) -> (Value, Value) {
    let report: Value = serde_json::from_str(&ended.stdout).expect("JSON on stdout");
    let judgement = &report["judgement"];
    let metrics = judgement["metrics"].as_array();
    let time = metrics.and_then(|all| all.iter().find(|metric| metric["name"] == "total_time"));
    (judgement["verdict"].clone(), time.map_or(Value::Null, |time| time["verdict"].clone()))
}

/// The only file with this extension.
fn only(folder: &Utf8Path, extension: &str) -> Option<Utf8PathBuf> {
    let entries = folder.read_dir_utf8().ok()?;
    let paths = entries.map(|entry| entry.expect("entry").into_path());
    let mut with = paths.filter(|path| path.extension() == Some(extension));
    let found = with.next();
    assert!(with.next().is_none(), "more than one .{extension} in {folder}");
    found
}

fn newest(sandbox: &Sandbox) -> RunFolder {
    RunFolder::latest(&sandbox.runs()).expect("a run")
}

#[test]
fn the_same_stands_and_a_slower_link_is_a_regression() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("gate.yaml", &lax(&experiment("200 Mbit/s")));
    let baselines = sandbox.baselines();

    // Without a baseline there is nothing to judge, and the run is proposed as one.
    let first = sandbox.experiment(&file).succeed();
    assert_eq!(verdict(&first).0, Value::Null);
    assert!(first.stderr.contains("cargo xtask accept"), "{}", first.stderr);
    assert!(only(&baselines, "new").is_some(), "nothing was proposed");
    let run = newest(&sandbox);
    let accept = ["accept", run.path().as_str(), "--baselines", baselines.as_str()];
    sandbox.start(&accept).succeed();
    let snapshot = only(&baselines, "snap").expect("a baseline");
    let accepted = fs::read_to_string(&snapshot).expect("read");
    assert_eq!(only(&baselines, "new"), None, "what was accepted is still proposed");
    for private in [sandbox.path().as_str(), env!("CARGO_MANIFEST_DIR")] {
        assert!(!accepted.contains(private), "a path in the baseline:\n{accepted}");
    }

    let same = sandbox.experiment(&file).end();
    let (overall, _) = verdict(&same);
    assert!(overall == "equivalent" || overall == "undecided", "{overall}: {}", same.stdout);
    assert_eq!(same.code, Some(0), "{}", same.stderr);
    assert_eq!(only(&baselines, "new"), None, "a run that stands proposes nothing");

    let slower =
        sandbox.experiment(&sandbox.file("slow.yaml", &lax(&experiment("100 Mbit/s")))).end();
    assert_eq!(verdict(&slower), ("regressed".into(), "regressed".into()), "{}", slower.stdout);
    assert_eq!(slower.code, Some(3), "{}", slower.stderr);
    assert!(only(&baselines, "new").is_some(), "what changed is for a person to review");
    assert_eq!(fs::read_to_string(&snapshot).expect("read"), accepted, "rewritten");

    the_commands_agree(&sandbox, &run, &newest(&sandbox), &snapshot);
    sandbox.assert_nothing_left();
}

/// `compare` and `runs --metric` say of the same runs what the experiment said.
fn the_commands_agree(sandbox: &Sandbox, old: &RunFolder, new: &RunFolder, snapshot: &Utf8Path) {
    let (old, new) = (old.path().as_str(), new.path().as_str());
    for (baseline, code) in [(old, 3), (snapshot.as_str(), 3), (new, 0)] {
        let ended = sandbox.start(&["compare", baseline, new, "--json"]).end();
        assert_eq!(ended.code, Some(code), "{baseline}: {}", ended.stderr);
        let judgement: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        assert_eq!(judgement["verdict"] == "regressed", code == 3, "{judgement}");
    }
    let never = sandbox.start(&["compare", old, new, "--markdown", "--fail-on", "never"]).succeed();
    assert!(never.stdout.contains("| total_time"), "{}", never.stdout);
    let runs = sandbox.runs();
    let over_time = ["runs", "--metric", "total_time", "--json", "--out", runs.as_str()];
    let over_time = sandbox.start(&over_time).succeed();
    let histories: Value = serde_json::from_str(&over_time.stdout).expect("JSON");
    assert_eq!(histories.as_array().map(Vec::len), Some(1), "one context: {histories}");
    let shift = histories[0]["runs"][2]["shift"]["estimate"].as_f64();
    assert!(shift.is_some_and(|shift| (0.5..2.0).contains(&shift)), "{histories}");
}
