//! Several QEMUs in one experiment: each alone, and a guest that moves from one to another.

use crate::support::{
    Sandbox,
    bad_qemu::BadQemu,
    check::{verified, well_formed},
    lax,
};
use harness::record::{Outcome, Program, Record};
use lab::process::Command;

const EXPERIMENT: &str = "
name: qemus
replicates: 1
factors:
  memory: 64 MiB
  working_set: 8 MiB
  touch_rate: 1000 pages/s
  qemu: [lab, again, lab to again]
";

/// From an old QEMU to this machine's. The old one loses pages that are touched while it sends
/// them, so none is.
const OLD_TO_NEW: &str = "
name: old-to-new
replicates: 2
factors:
  memory: 64 MiB
  working_set: 8 MiB
  filled: 32 MiB
  touch_rate: 0 pages/s
  pattern: idle
  qemu: [old to lab, lab to old]
";

const LAB: &str = "name: qemus\nprovider: netns\nhypervisor: qemu\nqemu: {accelerator: tcg}\n";

#[test]
fn a_guest_moves_between_qemus() {
    let sandbox = Sandbox::new();
    let installed = lab::hypervisor::qemu::find::choose(None).expect("a QEMU").qemu;
    // The same program by another name, through a script that keeps what it is started with.
    let (started, path) = (sandbox.path().join("started"), installed.path.display());
    let text = format!("#!/bin/sh\necho \"$@\" >> {started}\nexec {path} \"$@\"\n");
    let again = sandbox.script("again", &text);
    let file = sandbox.file("qemus.yaml", &lax(EXPERIMENT));
    let (runs, baselines) = (sandbox.runs(), sandbox.baselines());
    let given = format!("again={again}");
    let args = [
        "experiment",
        file.as_str(),
        "--out",
        runs.as_str(),
        "--baselines",
        baselines.as_str(),
        "--qemu",
        &given,
        "--json",
    ];
    let ended = sandbox.start(&args).succeed();

    let run = sandbox.run();
    let manifest = run.manifest().expect("read");
    let machine = manifest.machine.clone().expect("pinned");
    assert!(machine.starts_with("pc-i440fx-"), "{machine}");
    assert_eq!(manifest.qemus.keys().collect::<Vec<_>>(), ["again", "lab"]);
    assert_eq!(manifest.qemus["again"].path, again);
    assert_eq!(manifest.qemus["lab"], manifest.qemu);
    assert_ne!(manifest.qemus["again"].sha256, manifest.qemu.sha256);

    let mut records = run.records().expect("read").records;
    records.sort_by(|a, b| a.cell.cmp(&b.cell));
    let ends = [("again", "again"), ("lab", "lab"), ("lab", "again")];
    let cells: Vec<&str> = records.iter().map(|record| record.cell.as_str()).collect();
    assert_eq!(cells, ["qemu=again", "qemu=lab", "qemu=lab to again"]);
    for (record, (source, target)) in records.iter().zip(ends) {
        completed(record);
        let programs = record.programs.clone().expect("programs");
        let program = |name: &str| Program {
            name: name.to_owned(),
            version: installed.full_version.clone(),
            sha256: manifest.qemus[name].sha256.clone(),
        };
        assert_eq!((programs.source, programs.target), (program(source), program(target)));
        assert_eq!(programs.machine.as_deref(), Some(machine.as_str()));
    }
    // It ran the guest of its own cell, and received two.
    let started = std::fs::read_to_string(started).expect("it was started");
    let guests: Vec<&str> = started.lines().filter(|line| line.contains(" -netdev ")).collect();
    assert_eq!(guests.len(), 3, "{started}");
    let pin = format!("-machine {machine},");
    assert!(guests.iter().all(|guest| guest.contains(&pin)), "{started}");
    assert_eq!(guests.iter().filter(|guest| guest.contains("-incoming")).count(), 2, "{started}");
    // One trial of each says nothing, but what is compared is named by its version.
    let compare = ["compare", "--run", run.path().as_str(), "qemu=lab", "qemu=again", "--json"];
    let compared = sandbox.start(&compare).succeed();
    let judgement: serde_json::Value = serde_json::from_str(&compared.stdout).expect("JSON");
    let version = installed.full_version.split(' ').next().expect("a version");
    assert_eq!(judgement["subjects"][0]["candidate"], format!("again ({version})"));
    let report = std::fs::read_to_string(run.report_path()).expect("a report");
    for text in [&report, &ended.stdout] {
        assert!(text.contains("lab to again") && !text.contains(again.as_str()), "{text}");
    }
    sandbox.assert_nothing_left();
}

fn completed(record: &Record) {
    assert_eq!(record.outcome, Outcome::Completed, "{}: {:?}", record.cell, record.reason);
    well_formed(record);
    verified(record);
}

#[test]
fn a_qemu_that_is_not_there_is_an_invalid_input() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("qemus.yaml", &lax(EXPERIMENT));
    let runs = sandbox.runs();
    let baselines = sandbox.baselines();
    let args =
        ["experiment", file.as_str(), "--out", runs.as_str(), "--baselines", baselines.as_str()];
    let ended = sandbox.start(&args).end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("qemus.yaml:8:15"), "{}", ended.stderr);
    assert!(ended.stderr.contains("no QEMU is named `again`"), "{}", ended.stderr);

    let given = [&args[..], &["--qemu", "again=/no/such/qemu"]].concat();
    let ended = sandbox.start(&given).end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    let words = "the QEMU `again` cannot be used: `/no/such/qemu`: there is no such file";
    assert!(ended.stderr.contains(words), "{}", ended.stderr);
    for made in [sandbox.state(), runs] {
        assert!(!made.exists(), "{made} was made");
    }
    sandbox.assert_nothing_left();
}

/// With the known bad QEMU ([`crate::support::bad_qemu`]) as the old one.
#[test]
fn a_calm_guest_moves_from_an_old_qemu_to_a_new_one_and_back() {
    let Some(bad) = BadQemu::asked_for() else { return };
    let sandbox = Sandbox::new();
    let old = sandbox.script("old", &bad.starter());
    let version = Command::new(old.as_str()).arg("--version").run().expect("it starts").text();
    assert!(version.contains("version 7.2"), "{version}");
    let file = sandbox.file("old-to-new.yaml", &lax(OLD_TO_NEW));
    let lab = sandbox.file("lab.yaml", LAB);
    let (runs, baselines) = (sandbox.runs(), sandbox.baselines());
    let given = format!("old={old}");
    let args = [
        "experiment",
        file.as_str(),
        "--lab",
        lab.as_str(),
        "--out",
        runs.as_str(),
        "--baselines",
        baselines.as_str(),
    ];
    let args = [&args[..], &["--qemu", &given]].concat();
    sandbox.start(&args).succeed();

    let run = sandbox.run();
    let manifest = run.manifest().expect("read");
    assert_eq!(manifest.machine.as_deref(), Some("pc-i440fx-7.2"));
    let warnings = manifest.warnings.join("\n");
    assert!(warnings.contains("(`old`) is older than 10"), "{warnings}");
    assert!(warnings.contains("the QEMU `old` is a script"), "{warnings}");
    let records = run.records().expect("read").records;
    // The way back is nobody's promise: what came of it is well recorded, whatever it was.
    assert_eq!(records.len(), 4);
    for record in &records {
        eprintln!("{}: {:?} {:?}", record.cell, record.outcome, record.reason);
        well_formed(record);
    }
    let forward = records.iter().filter(|record| record.cell == "qemu=old to lab");
    assert_eq!(forward.clone().count(), 2);
    for record in forward {
        completed(record);
        let programs = record.programs.clone().expect("programs");
        assert!(programs.source.version.starts_with("7.2"), "{programs:?}");
        assert_eq!(programs.target.version, manifest.qemu.version);
        assert_ne!(programs.source.sha256, programs.target.sha256);
    }
    sandbox.assert_nothing_left();
}
