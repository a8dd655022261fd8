use super::*;
use crate::playbook::{
    dry_run,
    fixture::{Boots, Here, Lab},
};
use proptest::prelude::*;
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

/// Runs it; gives what came of it and what was told.
fn play(lab: &mut Lab, steps: &str) -> (Result<Summary, RunError>, Vec<Event>) {
    let mut secrets = Secrets::default();
    secrets.insert("PASSWORD", "hunter2".to_owned()).expect("a good secret");
    let playbooks = lab.playbooks(steps);
    let events = Mutex::new(Vec::new());
    let progress = |event: &Event| events.lock().expect("not poisoned").push(event.clone());
    let folder = lab.folder.clone();
    let setup = Setup { folder: &folder, secrets: &secrets, reboot: Boots, progress: &progress };
    let result = block_on(run(&playbooks, &mut lab.nodes, &setup));
    let mut events = events.into_inner().expect("not poisoned");
    events.retain(|event| event.doing != Doing::Looking);
    (result, events)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

fn told(events: &[Event]) -> Vec<String> {
    events.iter().map(|e| format!("{} {}: {}", e.step, e.node, e.doing)).collect()
}

/// Every kind of step. `made` is where a script leaves its mark.
const STEPS: &str = r#"
  - name: files
    files:
      - {path: "{{ folder }}/etc/hosts", mode: "0644", content: "{{ name }}\n"}
      - {path: "{{ folder }}/etc/secret", mode: "0600", content: "it's \"$HOME\"\n"}
    verify: test -s {{ folder }}/etc/hosts
  - name: server
    on: first
    check: grep -q exported {{ lab }}/server
    action: |
      cat {{ folder }}/etc/hosts
      echo exported by {{ name }} >{{ lab }}/server
  - name: join
    order: serial
    check: grep -qx {{ name }} {{ lab }}/members
    action: echo {{ name }} >>{{ lab }}/members
    verify: test "$(tail -n 1 {{ lab }}/members)" = {{ name }}
  - name: kernel
    on: others
    check: test "$(cat {{ folder }}/boots)" -ge 1
    action: echo installing
    reboot: true
"#;

#[test]
fn every_step_acts_once_and_then_no_more() {
    let mut lab = Lab::new(&["node1", "node2", "node3"]);
    let (result, events) = play(&mut lab, STEPS);
    let summary = result.expect("it runs");
    assert_eq!(summary.to_string(), "9 acted, 0 were done already");
    assert_eq!(summary.nodes[0].acted, ["files", "server", "join"]);
    assert_eq!(summary.nodes[1].acted, ["files", "join", "kernel"]);
    assert_eq!(lab.nodes.iter().map(|node| node.boots).collect::<Vec<_>>(), [0, 1, 1]);
    assert_eq!(
        std::fs::read_to_string(lab.folder.join("members")).unwrap(),
        "node1\nnode2\nnode3\n"
    );
    assert_eq!(lab.read(1, "etc/secret").as_deref(), Some("it's \"$HOME\"\n"));
    // Nobody begins a step before the one before it is over on all of its nodes.
    let numbers: Vec<usize> = events.iter().map(|event| event.number.0).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    let joins: Vec<String> =
        told(&events).into_iter().filter(|told| told.starts_with("join")).collect();
    let expected = ["node1", "node2", "node3"]
        .map(|node| ["acting", "verifying", "done"].map(|doing| format!("join {node}: {doing}")))
        .concat();
    assert_eq!(joins, expected);
    let kept = std::fs::read_to_string(lab.folder.join("steps/02-server/node1.log")).unwrap();
    assert!(kept.contains("==> action\nnode1\n"), "{kept}");

    let (result, events) = play(&mut lab, STEPS);
    let summary = result.expect("it runs again");
    assert_eq!(summary.to_string(), "no step acted: all 9 were done already");
    assert!(events.iter().all(|event| event.doing == Doing::AlreadyDone), "{events:?}");
    assert_eq!(lab.nodes.iter().map(|node| node.boots).collect::<Vec<_>>(), [0, 1, 1]);
}

#[test]
fn a_step_that_is_undone_acts_again_and_only_it() {
    let mut lab = Lab::new(&["node1", "node2", "node3"]);
    play(&mut lab, STEPS).0.expect("it runs");
    std::fs::write(lab.nodes[1].folder.join("etc/hosts"), "tampered").expect("written");
    std::fs::write(lab.nodes[2].folder.join("boots"), "0").expect("written");
    let summary = play(&mut lab, STEPS).0.expect("it runs again");
    let acted: Vec<_> = summary.nodes.iter().map(|node| node.acted.join(" ")).collect();
    assert_eq!(acted, ["", "files", "kernel"]);
    assert_eq!(lab.read(1, "etc/hosts").as_deref(), Some("node2\n"));
}

#[test]
fn files_are_replaced_with_what_they_should_be() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let steps = "  - name: files\n    files:\n      - {path: \"{{ folder }}/a/b c\", mode: \"0640\", content: \"x\"}\n";
    for before in ["nothing", "content", "mode", "link", "leftover"] {
        let mut lab = Lab::new(&["node1"]);
        let folder = lab.nodes[0].folder.join("a");
        let path = folder.join("b c");
        std::fs::create_dir_all(&folder).expect("made");
        match before {
            "content" => std::fs::write(&path, "y").expect("written"),
            "mode" => std::fs::write(&path, "x").expect("written"),
            "link" => symlink("/dev/null", &path).expect("linked"),
            "leftover" => std::fs::create_dir(folder.join("b")).expect("made"),
            _ => std::fs::remove_dir(&folder).expect("removed"),
        }
        assert_eq!(play(&mut lab, steps).0.expect(before).acted(), 1, "{before}");
        let metadata = std::fs::symlink_metadata(&path).expect("it is there");
        assert!(metadata.is_file(), "{before}");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o640, "{before}");
        assert_eq!(std::fs::read_to_string(&path).expect("readable"), "x", "{before}");
        let names = std::fs::read_dir(&folder).expect("readable").count();
        assert_eq!(names, 1 + usize::from(before == "leftover"), "{before}: something is left");
        assert_eq!(play(&mut lab, steps).0.expect(before).acted(), 0, "{before}");
    }
}

const FAILING: &[(&str, &str)] = &[
    (
        "action",
        "  - name: one\n    check: test -e {{ folder }}/one\n    action: |\n      for i in $(seq 20); do echo line $i; done\n      echo to stderr >&2\n      x=$(cat /no/such/file)\n      touch {{ folder }}/one\n",
    ),
    (
        "action_exits",
        "  - name: one\n    check: test -e {{ folder }}/one\n    action: |\n      echo too old\n      exit 7\n",
    ),
    (
        "unset_variable",
        "  - name: one\n    check: test -e {{ folder }}/one\n    action: echo $nothing\n",
    ),
    (
        "verify",
        "  - name: one\n    check: test -e {{ folder }}/one\n    action: touch {{ folder }}/one\n    verify: test -e {{ folder }}/two\n",
    ),
    (
        "not_done",
        "  - name: one\n    check: |\n      test -e {{ folder }}\n      test -e {{ folder }}/one\n    action: 'true'\n",
    ),
    (
        "file_changed_back",
        "  - name: one\n    files: [{path: \"{{ folder }}/a\", mode: \"0644\", content: x}]\n    action: echo y >{{ folder }}/a\n",
    ),
    ("no_folder", "  - name: one\n    files: [{path: /proc/none/a, mode: \"0644\", content: x}]\n"),
    (
        "secret",
        "  - name: one\n    secrets: [TOKEN]\n    check: test -e {{ folder }}/one\n    action: 'true'\n",
    ),
    ("signal", "  - name: one\n    check: test -e {{ folder }}/one\n    action: kill -9 $$\n"),
];

#[test]
fn a_failure_says_where_and_shows_the_last_words() {
    for (name, steps) in FAILING {
        let mut lab = Lab::new(&["node1"]);
        let error = play(&mut lab, steps).0.expect_err(name);
        insta::assert_snapshot!(*name, lab.plain(&error.to_string()));
    }
}

#[test]
fn after_a_failure_the_others_finish_the_step_and_no_further_step_begins() {
    let steps = r#"
  - name: one
    check: test -e {{ folder }}/one
    action: |
      test ! -e {{ folder }}/broken
      touch {{ folder }}/one
  - name: two
    check: test -e {{ folder }}/two
    action: touch {{ folder }}/two
"#;
    let mut lab = Lab::new(&["node1", "node2", "node3"]);
    std::fs::write(lab.nodes[0].folder.join("broken"), "").expect("written");
    std::fs::write(lab.nodes[2].folder.join("broken"), "").expect("written");
    let (result, _) = play(&mut lab, steps);
    let RunError::Failed(failures) = result.expect_err("it fails") else { panic!("it fits") };
    let nodes: Vec<&str> = failures.iter().map(|failure| failure.node.as_str()).collect();
    assert_eq!(nodes, ["node1", "node3"]);
    let made = |lab: &Lab| {
        [0, 1, 2].map(|n| [lab.read(n, "one"), lab.read(n, "two")].map(|f| f.is_some()))
    };
    assert_eq!(made(&lab), [[false, false], [true, false], [false, false]]);
    for node in [0, 2] {
        std::fs::remove_file(lab.nodes[node].folder.join("broken")).expect("removed");
    }
    let summary = play(&mut lab, steps).0.expect("it goes on");
    assert_eq!(summary.to_string(), "5 acted, 1 were done already");
    assert_eq!(made(&lab), [[true, true]; 3]);
}

#[test]
fn serially_nobody_begins_after_a_failure() {
    let steps = "  - name: one\n    order: serial\n    check: test -e {{ folder }}/one\n    action: |\n      touch {{ folder }}/begun\n      test {{ name }} = node1\n      touch {{ folder }}/one\n";
    let mut lab = Lab::new(&["node1", "node2", "node3"]);
    play(&mut lab, steps).0.expect_err("it fails");
    assert_eq!([0, 1, 2].map(|node| lab.read(node, "begun").is_some()), [true, true, false]);
}

#[test]
fn what_takes_too_long_is_given_up_with_what_it_was_at() {
    let steps = "  - name: one\n    check: test -e {{ folder }}/one\n    action: |\n      echo waiting\n      mkfifo {{ folder }}/fifo\n      exec timeout 40 cat {{ folder }}/fifo\n    deadline: 700 ms\n";
    let mut lab = Lab::new(&["node1"]);
    let error = play(&mut lab, steps).0.expect_err("it waits").to_string();
    let start =
        "step `one` (1 of 1) failed on node1: it took longer than 700ms, and was at `action`";
    assert!(error.starts_with(start), "{error}");
    // With a writer come and gone, the reader ends.
    let fifo = lab.nodes[0].folder.join("fifo");
    std::fs::OpenOptions::new().read(true).write(true).open(fifo).expect("it reads");
}

#[test]
fn secrets_reach_scripts_and_nothing_else() {
    let steps = "  - name: one\n    secrets: [PASSWORD]\n    check: test -e {{ folder }}/one\n    action: |\n      test \"$PASSWORD\" = hunter\"2\"\n      read -r line || echo nothing to read $line\n      touch {{ folder }}/one\n    verify: |\n      echo the password is $PASSWORD\n      test \"$PASSWORD\" = wrong\n";
    let mut lab = Lab::new(&["node1"]);
    let error = play(&mut lab, steps).0.expect_err("it fails");
    assert!(lab.read(0, "one").is_some(), "the action did not have it: {error}");
    let kept = std::fs::read_to_string(lab.folder.join("steps/01-one/node1.log")).unwrap();
    assert!(kept.contains("the password is ***"), "{kept}");
    let started = lab.nodes[0].started.lock().expect("not poisoned").concat();
    for shown in [format!("{error} {error:?}"), kept, started] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_dry_run_changes_nothing_and_says_what_would() {
    let mut lab = Lab::new(&["node1", "node2", "node3"]);
    let playbooks = lab.playbooks(STEPS);
    let dry = |lab: &mut Lab| {
        let secrets = Secrets::default();
        let seen = block_on(dry_run(&playbooks, &mut lab.nodes, &secrets)).expect("it looks");
        lab.plain(&seen.to_string())
    };
    insta::assert_snapshot!("dry_run_before", dry(&mut lab));
    let made = std::fs::read_dir(&lab.folder).expect("readable").count();
    assert_eq!(made, 1, "there is more than the nodes' folders");
    play(&mut lab, STEPS).0.expect("it runs");
    std::fs::write(lab.nodes[1].folder.join("etc/hosts"), "tampered").expect("written");
    insta::assert_snapshot!("dry_run_after", dry(&mut lab));
}

#[test]
fn playbooks_of_other_steps_are_refused() {
    let mut lab = Lab::new(&["node1", "node2"]);
    let steps = "  - name: one\n    check: a\n    action: b\n{% if name == 'node2' %}\n  - name: two\n    check: a\n    action: b\n{% endif %}\n";
    let error = play(&mut lab, steps).0.expect_err("they differ").to_string();
    insta::assert_snapshot!("other_steps", error);
}

/// Cut off after any number of calls to its nodes, and run again: it is done, as if at once. (An
/// action that is cut off in its middle is that action's own care.)
#[test]
fn wherever_it_was_cut_off_it_goes_on() {
    let mut cut_off = 0;
    for calls in 0.. {
        let mut lab = Lab::new(&["node1", "node2"]);
        lab.nodes[0].calls_left.store(calls, Ordering::SeqCst);
        let whole = play(&mut lab, STEPS).0.is_ok();
        lab.nodes[0].calls_left.store(usize::MAX, Ordering::SeqCst);
        play(&mut lab, STEPS).0.unwrap_or_else(|e| panic!("after {calls} calls: {e}"));
        assert_eq!(play(&mut lab, STEPS).0.expect("done").acted(), 0, "after {calls} calls");
        let members = std::fs::read_to_string(lab.folder.join("members")).unwrap();
        assert_eq!(members, "node1\nnode2\n", "after {calls} calls");
        if whole {
            break;
        }
        cut_off += 1;
    }
    assert!(cut_off > 20, "only {cut_off} calls");
}

#[test]
fn dropping_a_run_drops_what_it_waits_for() {
    struct Counted<'a>(&'a AtomicUsize);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = AtomicUsize::new(0);
    let waiting = (0..3).map(|_| async {
        let _counted = Counted(&dropped);
        std::future::pending::<()>().await;
    });
    let all = concurrently(waiting);
    let timeout = std::time::Duration::from_millis(1);
    assert!(block_on(async { tokio::time::timeout(timeout, all).await }).is_err());
    assert_eq!(dropped.load(Ordering::SeqCst), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn files_hold_any_text(content in ".{0,60}\n?", name in "[a-z '\"$*é]{1,12}") {
        let mut lab = Lab::new(&["node1"]);
        let mut playbooks = lab.playbooks("  - name: one\n    files: [{path: /a, mode: \"0644\", content: a}]\n");
        let path = lab.nodes[0].folder.join(&name);
        playbooks[0].steps[0].files[0].path = path.clone();
        playbooks[0].steps[0].files[0].content = content.clone();
        let secrets = Secrets::default();
        let folder = lab.folder.clone();
        let setup = Setup { folder: &folder, secrets: &secrets, reboot: CannotReboot, progress: &|_: &Event| {} };
        for acted in [1, 0] {
            let summary = block_on(run::<Here, _>(&playbooks, &mut lab.nodes, &setup)).expect("it runs");
            prop_assert_eq!(summary.acted(), acted);
            prop_assert_eq!(std::fs::read_to_string(&path).expect("readable"), content.as_str());
        }
    }
}

/// The first leaves a text, which the others must have before they begin.
const SHARING: &str = r#"
  - name: word
    on: first
    check: test -s {{ folder }}/word
    action: echo swordfish >{{ folder }}/word
    collect:
      - {path: "{{ folder }}/word", share: "{{ folder }}/given/word"}
  - name: use
    on: others
    check: test -s {{ folder }}/used
    action: cp {{ folder }}/given/word {{ folder }}/used
"#;

#[test]
fn what_the_first_leaves_is_kept_and_given_to_the_others() {
    use std::os::unix::fs::PermissionsExt;
    let mut lab = Lab::new(&["a", "b", "c"]);
    play(&mut lab, SHARING).0.expect("it works");
    assert_eq!(lab.read(1, "used").as_deref(), Some("swordfish\n"));
    let kept = crate::playbook::collected(&lab.folder, "a", "/x/word".into());
    assert_eq!(std::fs::read_to_string(&kept).expect("it is kept"), "swordfish\n");
    for path in [kept.clone(), lab.nodes[2].folder.join("given/word")] {
        let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path}");
    }
    // Both copies are made again by a run that finds the step done.
    std::fs::remove_file(&kept).expect("it is there");
    std::fs::remove_file(lab.nodes[2].folder.join("given/word")).expect("it is there");
    std::fs::remove_file(lab.nodes[2].folder.join("used")).expect("it is there");
    let summary = play(&mut lab, SHARING).0.expect("it works");
    assert_eq!(summary.nodes[0].acted, Vec::<String>::new());
    assert_eq!(lab.read(2, "used").as_deref(), Some("swordfish\n"));
    assert!(kept.exists());
}

#[test]
fn what_is_promised_and_not_left_is_a_failure() {
    let mut lab = Lab::new(&["a"]);
    let steps = "  - name: word\n    check: 'true'\n    action: 'true'\n    collect: [{path: /none/of/it}]\n";
    let error = play(&mut lab, steps).0.expect_err("there is none").to_string();
    assert!(error.contains("/none/of/it"), "{error}");
}
