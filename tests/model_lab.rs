//! Experiments on the model lab: the whole program without QEMU, root, network or waiting.

use crate::support::Bare;
use camino::{Utf8Path, Utf8PathBuf};
use harness::{
    metric,
    model_lab::METRICS,
    record::{Metric, Outcome, Record},
    run_folder::RunFolder,
    statistics::median,
};
use std::{collections::BTreeSet, fs};

const TWO_CELLS: &str = "
name: two
replicates: 8
max_time: 20 s
factors:
  memory: 128 MiB
  filled: memory
  working_set: 32 MiB
  touch_rate: [500 pages/s, 4000 pages/s]
  link_rate: 400 Mbit/s
  downtime_limit: 200 ms
";

/// The records as bytes, without the name of the run, which has the time in it.
fn bytes(run: &RunFolder) -> String {
    let text = fs::read_to_string(run.path().join("records.jsonl")).expect("records");
    text.replace(run.name(), "RUN")
}

fn records(run: &RunFolder) -> Vec<Record> {
    let read = run.records().expect("read");
    assert!(read.faults.is_empty(), "{:?}", read.faults);
    read.records
}

/// Median of a metric over a cell's completed trials.
fn middle(records: &[Record], cell: &str, name: &str) -> f64 {
    let of_cell = records.iter().filter(|record| record.cell.contains(cell));
    let values: Vec<f64> = of_cell
        .filter_map(|record| match record.metrics.get(name) {
            Some(Metric::Measured(measured)) => Some(measured.value),
            _ => None,
        })
        .collect();
    median::median(&values).unwrap_or_else(|| panic!("no {name} in {cell}"))
}

fn shipped(name: &str) -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../experiments/{name}.yaml"))
}

#[test]
fn the_whole_matrix_is_the_same_for_a_seed() {
    let bare = Bare::new();
    let precopy = shipped("precopy");
    let (first, ended) = bare.run("first", &precopy, &["--json"]);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON on stdout");
    assert_eq!(report["complete"], true);
    assert_eq!(
        (&report["accelerator"], &report["summary"]["trials"]),
        (&"model".into(), &320.into())
    );
    for file in ["manifest.json", "summary.json", "report.md"] {
        assert!(first.path().join(file).is_file(), "{file}");
    }
    let of_all = records(&first);
    assert_eq!(of_all.len(), 320);
    let ends: BTreeSet<Outcome> = of_all.iter().map(|record| record.outcome).collect();
    assert_eq!(ends, [Outcome::Completed, Outcome::NotConverged].into());
    for record in &of_all {
        assert_eq!(record.metrics.len(), metric::ALL.len());
        let checked = &record.metrics[metric::PAGES_CHECKED];
        assert!(matches!(checked, Metric::Unavailable(_)), "nothing was checked: {checked:?}");
    }

    let (again, _) = bare.run("again", &precopy, &[]);
    assert!(bytes(&again) == bytes(&first), "other records");

    let text = fs::read_to_string(&precopy).expect("shipped").replace("seed: 1", "seed: 2");
    let (other, _) = bare.run("other", &bare.file("other.yaml", &text), &[]);
    let of_other = records(&other);
    let totals = |records: &[Record]| -> BTreeSet<String> {
        let total = |record: &Record| serde_json::to_string(&record.metrics["stream_bytes"]);
        records.iter().map(|record| total(record).expect("JSON")).collect()
    };
    assert_ne!(totals(&of_all), totals(&of_other));
}

#[test]
fn the_report_says_that_nothing_was_measured() {
    let bare = Bare::new();
    let file = bare.file("two.yaml", TWO_CELLS);
    let (run, ended) = bare.run("runs", &file, &["--keep-lab"]);
    for words in ["Computed by the model in virtual time, no guest was run", "Verified: nothing"] {
        assert!(ended.stdout.contains(words), "{}", ended.stdout);
    }
    for words in ["QEMU none", "0/8", "MODEL"] {
        assert!(!ended.stdout.contains(words), "{words}: {}", ended.stdout);
    }
    assert!(ended.stderr.contains("`--keep-lab` is ignored"), "{}", ended.stderr);
    let manifest = run.manifest().expect("a manifest");
    assert_eq!(
        (manifest.accelerator.as_str(), &manifest.lab["hypervisor"]),
        ("model", &"model".into())
    );
    let report = fs::read_to_string(run.report_path()).expect("a report");
    assert!(report.contains("--lab model") && !report.contains("| QEMU |"), "{report}");
    // Every metric that it claims to give, it gives here.
    let first = &records(&run)[0];
    let given = |name: &&&str| matches!(first.metrics[**name], Metric::Measured(_));
    let lacking: Vec<_> = METRICS.iter().filter(|name| !given(name)).collect();
    assert_eq!(lacking, [&metric::REMAINING], "only what is left at a cancellation");
}

#[test]
fn an_interrupted_run_goes_on_as_if_nothing_had_been() {
    let bare = Bare::new();
    let file = bare.file("two.yaml", TWO_CELLS);
    let (run, _) = bare.run("runs", &file, &[]);
    let (whole, path) = (bytes(&run), run.path().join("records.jsonl"));
    let text = fs::read_to_string(&path).expect("records");
    let half: String = text.split_inclusive('\n').take(7).collect();
    fs::write(&path, half).expect("cut");
    let ended = bare.command(&["experiment", "--resume", run.path().as_str()]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(bytes(&run) == whole, "other records");

    let manifest = run.path().join("manifest.json");
    let text = fs::read_to_string(&manifest).expect("a manifest");
    let other = text.replace("\"noise\": \"SHA-256 ", "\"noise\": \"SHA-256 0");
    assert_ne!(other, text);
    fs::write(&manifest, other).expect("written");
    let ended = bare.command(&["experiment", "--resume", run.path().as_str()]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("the noise of the model lab was another"), "{}", ended.stderr);
}

#[test]
fn filter_shards_and_plan_are_as_on_a_real_lab() {
    let bare = Bare::new();
    let file = bare.file("two.yaml", TWO_CELLS);
    let (whole, _) = bare.run("whole", &file, &[]);
    let (calm, _) = bare.run("calm", &file, &["--filter", "touch_rate=500 pages/s"]);
    let untimed = |run: &RunFolder| -> Vec<(u32, String)> {
        let values = |record: &Record| serde_json::to_string(&record.metrics).expect("JSON");
        let mut all: Vec<_> = records(run).iter().map(|r| (r.trial, values(r))).collect();
        all.sort();
        all
    };
    let all = untimed(&whole);
    assert_eq!(all.len(), 16);
    assert!(untimed(&calm).iter().all(|trial| all.contains(trial)) && untimed(&calm).len() == 8);
    let mut shards = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let into = format!("shard-{}", &shard[..1]);
        shards.extend(untimed(&bare.run(&into, &file, &["--shard", shard]).0));
    }
    shards.sort();
    assert_eq!(shards, all);

    let plan = bare.command(&["experiment", file.as_str(), "--lab", "model", "--plan"]);
    assert!(plan.stdout.starts_with("two: 16 trials (2 of 2 cells, 8 blocks)"), "{}", plan.stdout);
    assert!(plan.stderr.contains("computes them at once"), "{}", plan.stderr);
}

#[test]
fn a_changed_setting_shows() {
    let bare = Bare::new();
    let (before, _) = bare.run("before", &bare.file("before.yaml", TWO_CELLS), &[]);
    let slower =
        TWO_CELLS.replace("400 Mbit/s", "360 Mbit/s").replace("replicates", "seed: 7\nreplicates");
    let (after, _) = bare.run("after", &bare.file("after.yaml", &slower), &[]);
    let (before, after) = (records(&before), records(&after));
    for cell in ["touch_rate=500 ", "touch_rate=4000 "] {
        let of = |records: &[Record]| middle(records, cell, metric::TOTAL_TIME);
        let ratio = of(&after) / of(&before);
        assert!((1.05..1.3).contains(&ratio), "a link of nine tenths: {ratio} in {cell}");
    }
}

#[test]
fn a_run_ends_when_it_is_precise() {
    let bare = Bare::new();
    let open = |precision| {
        let rule = format!("replicates: {{ min: 3, max: 20, precision: {precision} }}");
        TWO_CELLS.replace("replicates: 8", &rule)
    };
    let file = bare.file("quiet.yaml", &open("5 %"));
    let (quiet, ended) = bare.run("quiet", &file, &[]);
    let blocks = records(&quiet).iter().map(|record| record.block).max().expect("trials") + 1;
    assert!((6..20).contains(&blocks), "{blocks} blocks");
    assert_eq!(records(&quiet).len(), 2 * blocks as usize, "whole blocks");
    let words = format!("Stopping: precise after {blocks} of at most 20 blocks");
    assert!(ended.stdout.contains(&words), "{}", ended.stdout);
    assert!(!ended.stdout.contains("--resume"), "nothing is missing: {}", ended.stdout);

    // It resumes to nothing, and from the middle of a block to the same end.
    let whole = bytes(&quiet);
    let path = quiet.path().join("records.jsonl");
    for keep in [usize::MAX, 2 * blocks as usize - 1, 5] {
        let text = fs::read_to_string(&path).expect("records");
        let kept: String = text.split_inclusive('\n').take(keep).collect();
        fs::write(&path, kept).expect("cut");
        let ended = bare.command(&["experiment", "--resume", quiet.path().as_str()]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(bytes(&quiet) == whole, "other records: {}", ended.stderr);
    }

    let file = bare.file("strict.yaml", &open("{ total_time: 5 %, vcpu_pause: 0.1 % }"));
    let (strict, ended) = bare.run("strict", &file, &["--json"]);
    assert_eq!(records(&strict).len(), 40);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let stopping = &report["summary"]["stopping"];
    assert_eq!((&stopping["state"], &report["complete"]), (&"not_precise".into(), &true.into()));
    assert_eq!(stopping["imprecise"][0]["metric"], "vcpu_pause");

    let plan = bare.command(&["experiment", file.as_str(), "--lab", "model", "--plan"]);
    assert!(plan.stdout.starts_with("two: 6 to 40 trials (2 of 2 cells, 3 to 20 blocks)"));
}

#[test]
fn a_rule_that_cannot_be_is_refused_where_it_stands() {
    let bare = Bare::new();
    let text = TWO_CELLS.replace("8\n", "{ min: 9, max: 7, precision: 5 % }\n");
    let file = bare.file("bad.yaml", &text);
    let ended = bare.command(&["experiment", file.as_str(), "--lab", "model"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("bad.yaml:3:20") && ended.stderr.contains("`max` is 7"));
}
