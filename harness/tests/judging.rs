//! Runs of real trials are judged as a user would judge them; what he is shown is a snapshot.

use camino::{Utf8Path, Utf8PathBuf};
use flate2::read::GzDecoder;
use harness::{
    judge::{self, BaselineComparator, Judgement, Rules, Sample, Verdict, baseline, judge, paired},
    report::Style,
    run_folder::RunFolder,
};
use std::{fs, io};
use tempfile::TempDir;

/// As a terminal of 100 columns that speaks Unicode shows it.
const STYLE: Style = Style { width: 100, unicode: true, colour: false };

/// A run folder whose records are packed, unpacked. It lives as long as the `TempDir`.
fn unpacked(packed: &Utf8Path) -> (TempDir, RunFolder) {
    let folder = TempDir::new().expect("a folder for temporary files");
    let path = Utf8PathBuf::try_from(folder.path().to_owned()).expect("UTF-8");
    fs::copy(packed.join("manifest.json"), path.join("manifest.json")).expect("a manifest");
    let records = fs::File::open(packed.join("records.jsonl.gz")).expect("packed records");
    let mut unpacked = fs::File::create(path.join("records.jsonl")).expect("a new file");
    io::copy(&mut GzDecoder::new(records), &mut unpacked).expect("they unpack");
    let run = RunFolder::open(path).expect("a run folder");
    (folder, run)
}

fn sample_with(name: &str, rules: &Rules) -> Sample {
    let (_folder, run) = unpacked(&Utf8Path::new("tests/fixtures/judging").join(name));
    let records = run.records().expect("records").records;
    Sample::of(&run.manifest().expect("a manifest"), rules, &records)
}

fn sample(name: &str) -> Sample {
    sample_with(name, &Rules::default())
}

fn against_accepted(name: &str) -> Judgement {
    judge(&sample("accepted"), &sample(name), &Rules::default()).expect("they have common cells")
}

/// Judges a run and shows it in all forms.
fn check(name: &str, verdict: Verdict) -> Judgement {
    let judgement = against_accepted(name);
    insta::assert_snapshot!(format!("{name}-text"), judge::text(&judgement, STYLE));
    insta::assert_snapshot!(format!("{name}-markdown"), judge::markdown(&judgement));
    assert_eq!(judgement.verdict, verdict);
    judgement
}

#[test]
fn a_run_of_the_same_is_equivalent() {
    let judgement = check("unchanged", Verdict::Equivalent);
    assert!(judgement.metrics.iter().all(|metric| metric.verdict == Verdict::Equivalent));
    insta::assert_snapshot!(judge::json(&judgement).expect("a judgement is JSON"));
}

#[test]
fn ten_percent_more_time_is_a_regression_of_that_metric() {
    let judgement = check("slower", Verdict::Regressed);
    let regressed: Vec<&str> = judgement
        .metrics
        .iter()
        .filter(|metric| metric.verdict == Verdict::Regressed)
        .map(|metric| metric.name.as_str())
        .collect();
    assert_eq!(regressed, ["total_time"]);
    // The other way round it is an improvement.
    let back = judge(&sample("slower"), &sample("accepted"), &Rules::default()).expect("common");
    assert_eq!(back.verdict, Verdict::Improved);
}

#[test]
fn too_few_trials_are_undecided_and_say_how_many_more() {
    let judgement = check("short", Verdict::Undecided);
    let undecided = judgement.metrics.iter().filter(|metric| metric.verdict == Verdict::Undecided);
    for metric in undecided {
        assert!(metric.because.is_some() && metric.more_trials.is_some(), "{metric:?}");
    }
}

#[test]
fn in_another_context_only_what_means_the_same_anywhere_is_judged() {
    let judgement = check("elsewhere", Verdict::Equivalent);
    let judged: Vec<&str> = judgement.metrics.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(judged, ["amplification", "rounds"]);
    let differ: Vec<&str> = judgement.contexts.iter().map(|d| d.what.as_str()).collect();
    assert_eq!(differ, ["CPU", "CPUs", "accelerator"]);
}

#[test]
fn two_levels_of_a_factor_are_compared_within_blocks() {
    let (_folder, run) = unpacked("../docs/precopy-2026-11-22".into());
    let (manifest, records) = (run.manifest().expect("one"), run.records().expect("them").records);
    let judge_levels = |a: &str, b: &str| paired(&manifest, &records, a, b, &Rules::default());
    let judgement =
        judge_levels("downtime_limit=50 ms", "downtime_limit=0.3 s").expect("both are levels");
    insta::assert_snapshot!("levels-text", judge::text(&judgement, STYLE));
    assert_eq!(judgement.verdict, Verdict::Regressed);
    // A shorter pause for some percent more time and bytes: neither is beyond doubt.
    let back = judge_levels("downtime_limit=300 ms", "downtime_limit=50 ms").expect("levels");
    insta::assert_snapshot!("levels-back-text", judge::text(&back, STYLE));
    assert_eq!(back.verdict, Verdict::Undecided);
    let errors: Vec<String> = [
        ("downtime_limit=50 ms", "downtime_limit=50 ms"),
        ("downtime_limit=50 ms", "memory=256 MiB"),
        ("downtime=50 ms", "downtime=300 ms"),
        ("memory=1 GiB", "memory=256 MiB"),
        ("pattern=random", "pattern=idle"),
        ("memory=256", "memory=256 MiB"),
        ("memory", "memory=256 MiB"),
    ]
    .iter()
    .map(|(a, b)| {
        let error = judge_levels(a, b).expect_err(a);
        format!("{a} | {b}\n  {error}\n  hint: {}", error.hint().unwrap_or("none"))
    })
    .collect();
    insta::assert_snapshot!("levels-errors", errors.join("\n"));
}

#[test]
fn the_text_of_a_real_baseline() {
    let accepted = sample("accepted");
    let text = baseline::render(&accepted);
    insta::assert_snapshot!("baseline", text);
    assert_eq!(
        baseline::parse("baseline.snap", &text).map_err(|r| r.to_string()),
        Ok(accepted.clone())
    );
    insta::assert_snapshot!(baseline::file_name(&accepted), @"quick--netns-qemu-tcg-19a2d0bd.snap");
}

#[test]
fn an_accepted_baseline_stands_until_something_changed() {
    let stands = |name: &str| {
        let text = |name| baseline::render(&sample(name));
        BaselineComparator::new(Rules::default()).stands(&text("accepted"), &text(name))
    };
    assert!(stands("accepted") && stands("unchanged"));
    assert!(!stands("slower"), "it regressed");
    assert!(!stands("short"), "it has other cells");
    assert!(!stands("elsewhere"), "it is of another context");
}
