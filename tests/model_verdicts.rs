//! Baselines, verdicts, comparisons and exit codes without QEMU: on the model lab, with the noise of
//! real trials.

use crate::support::{Bare, program::Ended};
use camino::{Utf8Path, Utf8PathBuf};
use harness::run_folder::RunFolder;
use serde_json::Value;
use std::fs;

/// Two cells that converge over a link of this rate.
fn experiment(seed: u32, link_rate: &str) -> String {
    format!(
        "
name: verdicts
seed: {seed}
replicates: 8
factors:
  memory: 128 MiB
  filled: memory
  working_set: 32 MiB
  touch_rate: [500 pages/s, 4000 pages/s]
  link_rate: {link_rate}
  downtime_limit: [100 ms, 300 ms]
"
    )
}

fn run(bare: &Bare, seed: u32, link_rate: &str, rest: &[&str]) -> (RunFolder, Ended) {
    let name = format!("{seed}-{}", link_rate.replace([' ', '/'], "-"));
    let file = bare.file(&format!("{name}.yaml"), &experiment(seed, link_rate));
    let out = bare.path().join(name);
    let args = ["experiment", file.as_str(), "--lab", "model", "--out", out.as_str()];
    let ended = bare.command(&[&args, rest].concat());
    (RunFolder::latest(&out).expect("a run"), ended)
}

fn verdict(ended: &Ended) -> Value {
    let report: Value = serde_json::from_str(&ended.stdout).expect("JSON on stdout");
    report["judgement"]["verdict"].clone()
}

fn with_extension(folder: &Utf8Path, extension: &str) -> Vec<Utf8PathBuf> {
    let entries = folder.read_dir_utf8().expect("listed");
    let paths = entries.map(|entry| entry.expect("entry").into_path());
    paths.filter(|path| path.extension() == Some(extension)).collect()
}

#[test]
fn runs_are_held_against_their_baseline() {
    let bare = Bare::new();
    let baselines = bare.path().join("baselines");
    let at = ["--baselines", baselines.as_str()];
    let (first, ended) = run(&bare, 1, "400 Mbit/s", &["--json"]);
    assert_eq!((ended.code, verdict(&ended)), (Some(0), Value::Null), "{}", ended.stderr);
    assert!(ended.stderr.contains("cargo xtask accept"), "{}", ended.stderr);
    let accepted = bare.command(&[&["accept", first.path().as_str()], &at[..]].concat());
    assert_eq!(accepted.code, Some(0), "{}", accepted.stderr);
    let [snapshot] = &with_extension(&baselines, "snap")[..] else { panic!("one baseline") };
    assert_eq!(accepted.stdout.trim(), snapshot.as_str());
    let text = fs::read_to_string(snapshot).expect("read");

    // Another seed is another measurement of the same.
    let (_, ended) = run(&bare, 2, "400 Mbit/s", &["--json"]);
    assert_eq!((ended.code, verdict(&ended)), (Some(0), "equivalent".into()), "{}", ended.stdout);
    let (slower, ended) = run(&bare, 3, "360 Mbit/s", &["--json"]);
    assert_eq!((ended.code, verdict(&ended)), (Some(3), "regressed".into()), "{}", ended.stdout);
    assert_eq!(with_extension(&baselines, "new").len(), 1, "what changed is to be reviewed");
    let (_, ended) = run(&bare, 4, "360 Mbit/s", &["--json", "--fail-on", "never"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let (faster, ended) = run(&bare, 5, "500 Mbit/s", &["--json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let report: Value = serde_json::from_str(&ended.stdout).expect("JSON on stdout");
    assert_eq!(report["judgement"]["metrics"][0]["name"], "total_time");
    assert_eq!(report["judgement"]["metrics"][0]["verdict"], "improved", "{}", ended.stdout);
    assert_eq!(fs::read_to_string(snapshot).expect("read"), text, "rewritten");

    // What the report says afterwards is the same, and ends well: a report is no gate.
    let report = bare.command(&[&["report", slower.path().as_str()], &at[..]].concat());
    assert_eq!(report.code, Some(0), "{}", report.stderr);
    assert!(report.stdout.contains("\nregressed: total_time is worse"), "{}", report.stdout);
    let markdown = fs::read_to_string(slower.report_path()).expect("a report");
    assert!(markdown.contains("## Against the baseline"), "{markdown}");

    let accepted = bare.command(&[&["accept", faster.path().as_str()], &at[..]].concat());
    assert_eq!(accepted.code, Some(0), "{}", accepted.stderr);
    assert_ne!(fs::read_to_string(snapshot).expect("read"), text, "not rewritten");
    assert!(with_extension(&baselines, "new").is_empty(), "what was proposed is left");
}

#[test]
fn levels_of_one_run_are_compared() {
    let bare = Bare::new();
    let (it, _) = run(&bare, 1, "400 Mbit/s", &[]);
    let compare = |a: &str, b: &str, rest: &[&str]| {
        bare.command(&[&["compare", "--run", it.path().as_str(), a, b], rest].concat())
    };
    let (short, long) = ("downtime_limit=100 ms", "downtime_limit=300 ms");
    let ended = compare(short, long, &["--json"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let judgement: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let regressed = judgement["metrics"].as_array().expect("metrics").iter();
    let regressed = regressed.filter(|metric| metric["verdict"] == "regressed");
    let names: Vec<&Value> = regressed.map(|metric| &metric["name"]).collect();
    assert_eq!(names, ["vcpu_pause"], "{judgement}");
    assert_eq!(compare(long, short, &[]).code, Some(0));
    let markdown = compare(short, long, &["--markdown", "--fail-on", "never"]);
    assert_eq!(markdown.code, Some(0), "{}", markdown.stderr);
    assert!(markdown.stdout.starts_with("### "), "{}", markdown.stdout);
    for (a, b, says) in [
        (short, "downtime_limit=200 ms", "downtime_limit=200 ms"),
        (short, "colour=red", "colour"),
        (short, it.path().as_str(), "another level of the same run"),
    ] {
        let ended = compare(a, b, &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
}

#[test]
fn a_part_of_an_experiment_is_no_baseline() {
    let bare = Bare::new();
    let (part, ended) = run(&bare, 1, "400 Mbit/s", &["--shard", "1/2"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let (whole, _) = run(&bare, 2, "400 Mbit/s", &[]);
    let records = whole.path().join("records.jsonl");
    let text = fs::read_to_string(&records).expect("records");
    fs::write(&records, text.split_inclusive('\n').take(7).collect::<String>()).expect("cut");
    let baselines = bare.path().join("elsewhere");
    for (run, says) in [(part, "a part of its experiment"), (whole, "not finished")] {
        let args = ["accept", run.path().as_str(), "--baselines", baselines.as_str()];
        let ended = bare.command(&args);
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
    assert!(!baselines.exists(), "something was accepted");
}

#[test]
fn claims_are_tested_and_metrics_followed_over_runs() {
    let bare = Bare::new();
    let file =
        Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments/reference-study.yaml");
    let (study, ended) = bare.run("study", &file, &["--json"]);
    let report: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let found: Vec<&Value> =
        report["claims"].as_array().expect("claims").iter().map(|it| &it["found"]).collect();
    assert_eq!(found.len(), 4, "{}", report["claims"]);
    assert_eq!((found[0], found[2]), (&"supported".into(), &"supported".into()));
    let markdown = fs::read_to_string(study.report_path()).expect("a report");
    assert!(markdown.contains("## Claims"), "{markdown}");

    let out = bare.path().join("history");
    for seed in [1, 2] {
        let file = bare.file("history.yaml", &experiment(seed, "400 Mbit/s"));
        let args = ["experiment", file.as_str(), "--lab", "model", "--out", out.as_str()];
        assert_eq!(bare.command(&args).code, Some(0));
    }
    let ended = bare.command(&["runs", "--metric", "total_time", "--out", out.as_str()]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.starts_with("total_time, ms over the runs of verdicts"),
        "{}",
        ended.stdout
    );
    assert_eq!(ended.stdout.lines().filter(|line| line.contains("-verdicts")).count(), 2);
    let ended = bare.command(&["runs", "--metric", "colour", "--out", out.as_str()]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}
