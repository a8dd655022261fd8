//! A lab is checked against its file, and an experiment on one that fails says so in each record:
//! with faults made for real, behind the lab's back.

use crate::support::Sandbox;
use camino::Utf8Path;
use serde_json::Value;

const LAB: &str = "name: checked\nprovider: netns\nhypervisor: qemu\n";

const EXPERIMENT: &str = "
name: faulty
replicates: 1
factors:
  memory: 64 MiB
  working_set: 8 MiB
  touch_rate: 1000 pages/s
";

struct Lab<'a> {
    sandbox: &'a Sandbox,
    file: &'a Utf8Path,
}

impl Drop for Lab<'_> {
    /// A failed test leaves no lab up.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _down = self.sandbox.start(&["lab-down", "--lab", self.file.as_str()]).end();
        }
    }
}

impl Lab<'_> {
    fn run(&self, command: &str) {
        self.sandbox.start(&[command, "--lab", self.file.as_str()]).succeed();
    }

    /// Runs a command on a node.
    fn on(&self, node: &str, command: &str) {
        let mut args = vec!["lab-exec", node, "--lab", self.file.as_str(), "--"];
        args.extend(command.split(' '));
        self.sandbox.start(&args).succeed();
    }

    /// What the check says.
    fn check(&self) -> Value {
        let args = ["lab-check", "--lab", self.file.as_str(), "--json"];
        let ended = self.sandbox.start(&args).end();
        let answer: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        let passed = answer["passed"].as_bool().expect("passed or not");
        assert_eq!(ended.code, Some(if passed { 0 } else { 4 }), "{}", ended.stderr);
        answer["check"].clone()
    }
}

/// Whether the check says that this machine's host gave its processors to others: links cannot be
/// kept full then, nor answers be prompt, and the check says so as it should.
fn is_disturbed(check: &Value) -> bool {
    let findings = check["findings"].as_array().expect("findings").iter();
    let mut disturbed =
        findings.filter(|it| it["what"] == "stolen").map(|it| it["severity"] == "warn");
    disturbed.next().expect("it is looked at")
}

/// Whether it is that answers, or what clocks say, came late.
fn is_late(words: &str) -> bool {
    ["round_trip", "clock"].iter().any(|what| words.contains(&format!(" {what} ")))
}

/// What failed: subject, nodes and what was measured, in the order of the answer.
fn failed(check: &Value) -> Vec<String> {
    let findings = check["findings"].as_array().expect("findings").iter();
    let failed = findings.filter(|finding| finding["severity"] == "fail");
    let words = failed.map(|finding| {
        assert!(finding["remedy"].is_string(), "{finding}");
        let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        let nodes = finding["nodes"].as_array().expect("nodes").iter();
        let nodes: Vec<&str> = nodes.filter_map(Value::as_str).collect();
        format!("{} {} {}: {}", text("network"), text("what"), nodes.join(" "), text("measured"))
    });
    words.collect()
}

#[test]
fn a_lab_is_checked_and_its_faults_are_in_every_record() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("checked.yaml", LAB);
    let lab = Lab { sandbox: &sandbox, file: &file };
    lab.run("lab-up");
    let check = lab.check();
    let mut faults = failed(&check);
    if is_disturbed(&check) {
        eprintln!("this machine's processors are taken away: {faults:?}");
        faults.retain(|words| !words.starts_with("migration rate") && !is_late(words));
    }
    assert_eq!(faults, Vec::<String>::new());
    let measured = &check["measured"];
    assert_eq!(measured["ways"].as_array().map(Vec::len), Some(12), "6 in each network");
    assert_eq!(measured["storage"].as_array().map(Vec::len), Some(3));
    let folder = measured["storage"][0]["folder"].as_str().expect("a folder").to_owned();

    // Behind the lab's back: one link is slower, another takes smaller packets, and what is
    // mounted over the shared folder cannot be written.
    lab.on("node1", "tc qdisc replace dev mig0 root tbf rate 310mbit burst 100kb limit 1000kb");
    lab.on("node2", "ip link set mig0 mtu 1400");
    lab.on("node3", &format!("mount -t tmpfs -o ro tmpfs {folder}"));
    let check = lab.check();
    let mut failed = failed(&check);
    for (subject, measured) in [
        ("migration rate node1 node2", " Mbit/s"),
        ("migration rate node1 node3", " Mbit/s"),
        ("migration mtu node2 node1", "1400 B"),
        ("migration mtu node2 node3", "1400 B"),
        (" storage_write node1", "Read-only file system"),
        (" storage_write node3", "Read-only file system"),
    ] {
        let found = |words: &&String| words.starts_with(subject) && words.contains(measured);
        assert!(failed.iter().any(|words| found(&words)), "no {subject} in {failed:#?}");
    }
    if is_disturbed(&check) {
        failed.retain(|words| !words.starts_with("migration rate node3") && !is_late(words));
    }
    let of_others = |words: &&String| words.contains("guest ") || words.contains("rate node3");
    assert_eq!(failed.iter().find(of_others), None, "{failed:#?}");

    lab.on("node3", &format!("umount {folder}"));
    let experiment = sandbox.file("faulty.yaml", EXPERIMENT);
    let (runs, baselines) = (sandbox.runs(), sandbox.baselines());
    let folders = ["--out", runs.as_str(), "--baselines", baselines.as_str()];
    let args = ["experiment", experiment.as_str(), "--lab", file.as_str(), "--json"];
    let ended = sandbox.start(&[&args, &folders[..]].concat()).succeed();
    let fault = "migration MTU node2→node1: 1400 B instead of 1500 B";
    for words in ["the lab failed its check; every record says so", fault, "remedy: "] {
        assert!(ended.stderr.contains(words), "no `{words}` in:\n{}", ended.stderr);
    }
    let run = sandbox.run();
    let records = run.records().expect("read").records;
    assert_eq!(records.len(), 1);
    let checks = run.manifest().expect("read").lab_checks;
    let disturbed = is_disturbed(&serde_json::to_value(&checks[0]).expect("JSON"));
    for record in &records {
        // Of many only the first few are named, and a machine that is busy with others has more.
        let told =
            |it: &String| it == fault || (disturbed && it.ends_with(" more, in the manifest"));
        assert!(record.lab_faults.iter().any(told), "{:?}", record.lab_faults);
        assert!(!record.lab_faults.iter().any(|it| it.starts_with("storage")), "it is mended");
    }
    let report = std::fs::read_to_string(run.report_path()).expect("report.md");
    assert!(report.contains("measured on a lab that failed its check: "), "{report}");
    assert_eq!(checks.len(), 1);
    assert!(!checks[0].passed());

    lab.run("lab-down");
    sandbox.assert_nothing_left();
}
