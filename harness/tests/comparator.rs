//! insta leaves an accepted baseline alone until something really changed: tried with insta
//! itself, in the modes that write.
//!
//! What insta does is set by the environment, which a test must not change under others that run
//! beside it. So the assertion is made in a process of its own: this very program, which is told
//! to run [`assertion`] alone.

use harness::judge::{BaselineComparator, Rules};
use lab::process::Command;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The folder of the baseline that [`assertion`] asserts.
const FOLDER: &str = "BASELINE_FOLDER";

/// A baseline with one cell, in which the migration takes about so many ms.
fn text(about_ms: u32) -> String {
    let values: Vec<String> = (0..6).map(|at| (about_ms + at).to_string()).collect();
    format!(
        r#"schema: 1
experiment: "quick"
context:
  lab: "netns-qemu"
  accelerator: "tcg"
  cpu_model: "a CPU"
  cpu_count: 2
  links: {{}}
  guest: "bare-metal"
  guest_sha256: "00"
  metrics: 1
subject:
  programs: {{}}
  kernel: "6.1"
  policy: "qemu"
  settings: {{}}
  harness: "0.1.0"
cells:
  "all":
    outcomes: {{ completed: 6 }}
    metrics:
      total_time: {{ unit: "ms", resolution: 1, values: [{}] }}
      stream_bytes: {{ unit: "B", resolution: 1, values: [10000, 10001, 10002, 10003, 10004, 10005] }}
      vcpu_pause: {{ unit: "ms", resolution: 0.001, values: [1.000, 1.001, 1.002, 1.003, 1.004, 1.005] }}
"#,
        values.join(", ")
    )
}

/// Not a test by itself: run by the others, in a process of its own.
#[test]
#[ignore = "the others run it, with the folder of a baseline in the environment"]
fn assertion() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let new = fs::read_to_string(folder.join("new")).expect("what is asserted");
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_comparator(Box::new(BaselineComparator::new(Rules::default())));
    settings.bind(|| insta::assert_snapshot!("accepted", new));
}

/// Asserts `new` against `accepted` with insta in this mode. Says whether it passed, and what is
/// in the accepted file then and in the one for review, if there is one.
fn assert_in(mode: &str, accepted: &str, new: &str) -> (bool, String, Option<String>) {
    let folder = TempDir::new().expect("a folder for temporary files");
    let file = folder.path().join("accepted.snap");
    let header = "---\nsource: harness/tests/comparator.rs\nexpression: new\n---\n";
    fs::write(&file, format!("{header}{accepted}")).expect("a file of ours");
    fs::write(folder.path().join("new"), new).expect("a file of ours");
    let passed = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "assertion", "--ignored"])
        .env(FOLDER, folder.path())
        .env("INSTA_UPDATE", mode)
        .env("INSTA_FORCE_PASS", "0")
        .env_remove("CI")
        .env_remove("TF_BUILD")
        .run()
        .is_ok();
    let read = |path: &Path| fs::read_to_string(path).ok();
    let now = read(&file).expect("it is still there");
    (passed, now, read(&file.with_extension("snap.new")))
}

#[test]
fn within_the_margin_a_baseline_is_left_alone_even_when_all_are_updated() {
    let accepted = text(1000);
    for mode in ["always", "new"] {
        let (passed, now, review) = assert_in(mode, &accepted, &text(1010));
        assert!(passed, "{mode}");
        assert!(now.ends_with(&accepted), "{mode} has rewritten it:\n{now}");
        assert_eq!(review, None, "{mode}");
    }
}

#[test]
fn what_is_undecided_leaves_it_alone_too() {
    let (passed, now, _) = assert_in("always", &text(1000), &text(1050));
    assert!(passed && now.ends_with(&text(1000)), "{now}");
}

#[test]
fn a_regression_is_there_to_review() {
    let (passed, now, review) = assert_in("new", &text(1000), &text(1100));
    assert!(!passed && now.ends_with(&text(1000)), "{now}");
    assert!(review.is_some_and(|review| review.contains("values: [1100, 1101")));
    // Whoever tells insta to take everything gets it.
    let (_, now, _) = assert_in("always", &text(1000), &text(1100));
    assert!(now.contains("values: [1100, 1101"), "{now}");
}

#[test]
fn an_improvement_is_there_to_review() {
    let (passed, _, review) = assert_in("new", &text(1000), &text(900));
    assert!(!passed && review.is_some());
}

#[test]
fn what_cannot_be_compared_is_there_to_review() {
    let elsewhere = text(1000).replace("a CPU", "another CPU");
    let cells = text(1000).replace("\"all\"", "\"memory=1 GiB\"");
    let unreadable = "no baseline at all\n".to_owned();
    for new in [elsewhere, cells, unreadable] {
        let (passed, _, review) = assert_in("new", &text(1000), &new);
        assert!(!passed && review.is_some(), "{new}");
    }
    let (passed, _, _) = assert_in("new", "no baseline at all\n", &text(1000));
    assert!(!passed);
}
