//! Three virtual machines as a lab, whole: the box is built, Vagrant makes the nodes, the playbook
//! sets them up, guests with disks migrate between them, and all of it goes away again. On the way
//! the program and a node are killed.

use crate::support::{
    Running, Sandbox,
    check::{measured, verified, well_formed},
    lax, processes,
};
use camino::{Utf8Path, Utf8PathBuf};
use harness::{
    metric,
    record::{Outcome, Record},
    run_folder::RunFolder,
};
use rustix::process::Signal;
use std::{collections::BTreeMap, fs, time::Duration};

const NODES: [&str; 3] = ["node1", "node2", "node3"];
/// The lab's migration network and its guests' network.
const MIGRATION: &str = "eth3";
const GUESTS: &str = "eth1";
/// An emulated machine boots in minutes where another one takes seconds.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

#[test]
#[ignore = "makes three virtual machines, which takes minutes: `cargo xtask ci` runs it"]
fn three_virtual_machines_are_a_lab() {
    let sandbox = Sandbox::new();
    let lab = Nested { sandbox: &sandbox, file: shipped("labs/vagrant-qemu.yaml") };

    // Killed while the box is built, while the nodes boot, and while they are set up.
    let mut three = String::new();
    for moment in ["s: packages of Debian", "Waiting for domain", "network, node"] {
        let mut running = lab.start(&["lab-up"], &[]);
        let line = running.line(|line| {
            if line.contains("nodes up after") {
                line.clone_into(&mut three);
            }
            line.contains(moment)
        });
        running.signal(Signal::KILL);
        assert_eq!(running.end().code, None, "killed at: {line}");
    }
    let up = lab.start(&["lab-up"], &[]).succeed();
    assert!(up.stderr.contains("the nodes are set up: "), "{}", up.stderr);

    // What is up is looked at, and nothing acts.
    let again = lab.start(&["lab-up"], &[]).succeed();
    assert!(again.stderr.contains("no step acted"), "{}", again.stderr);
    assert!(!again.stderr.contains(": acting"), "{}", again.stderr);
    let preview = lab.start(&["lab-up"], &["--dry-run"]).succeed();
    assert!(preview.stdout.contains("no step would act"), "{}", preview.stdout);

    let before = lab.sent();
    let file = sandbox.file("nested.yaml", &nested());
    let records = lab.experiment("whole", &file, |running| running);
    let after = lab.sent();
    assert_eq!(records.len(), 6);
    records.iter().for_each(sound);
    let moved = |device: &str| after[device] - before[device];
    let streams: f64 = records.iter().map(|record| measured(record, metric::STREAM_BYTES)).sum();
    assert!(moved(MIGRATION) >= streams, "{} of {streams} bytes", moved(MIGRATION));
    // Heartbeats and requests alone go over the other one. (The check before an experiment sends
    // over the migration network, too, so that figure alone would not tell.)
    let [guests, migration] = [moved(GUESTS), moved(MIGRATION)];
    assert!(guests < migration / 4.0, "{guests} bytes beside {migration}, of them {streams}");

    let one = lab.loses_a_node();
    eprintln!("booting: {three}; alone, beside two that idle: {one}");

    let down = sandbox.start(&["lab-down", "--lab", lab.file.as_str()]).patient(PATIENCE).succeed();
    eprintln!("{}{}", down.stdout, down.stderr);
    let labs = sandbox.data().join("labs");
    let left: Vec<_> = labs.read_dir_utf8().expect("listed").collect();
    assert!(left.is_empty(), "{left:?}");
    sandbox.assert_nothing_left();
}

/// The lab, and where it is.
struct Nested<'a> {
    sandbox: &'a Sandbox,
    file: Utf8PathBuf,
}

impl Drop for Nested<'_> {
    /// A failed test leaves no machine running.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _down = self.start(&["lab-down"], &[]).end();
        }
    }
}

impl Nested<'_> {
    fn start(&self, command: &[&str], more: &[&str]) -> Running {
        let args = [command, &["--lab", self.file.as_str()], more].concat();
        self.sandbox.start(&args).patient(PATIENCE)
    }

    /// Runs an experiment, which `meanwhile` may look at.
    fn experiment(
        &self,
        into: &str,
        file: &Utf8Path,
        meanwhile: impl FnOnce(Running) -> Running,
    ) -> Vec<Record> {
        let (runs, baselines) = (self.sandbox.path().join(into), self.sandbox.baselines());
        let folders = ["--out", runs.as_str(), "--baselines", baselines.as_str()];
        let running = self.start(&["experiment", file.as_str()], &folders);
        let ended = meanwhile(running).succeed();
        eprintln!("{}", ended.stdout);
        let runs = RunFolder::list(&runs).expect("listed");
        let [run] = &runs[..] else { panic!("expected one run: {runs:?}") };
        run.records().expect("read").records
    }

    /// A node dies in the first of two trials, and is made to run again for the second. Gives what
    /// was said of its start.
    fn loses_a_node(&self) -> String {
        let text = nested();
        let two = text.replace("[100 pages/s, 400 pages/s]", "100 pages/s");
        let two =
            two.replace("replicates: 3", "replicates: 2").replace("name: nested", "name: lost");
        assert_ne!(text, two);
        let file = self.sandbox.file("lost.yaml", &two);
        let mut one = String::new();
        let records = self.experiment("lost", &file, |mut running| {
            let target =
                running.until("a target", || NODES.into_iter().find(|node| self.waits(node)));
            self.machine(target).kill();
            let failed = running.line(|line| line.contains("[1/2]"));
            assert!(failed.contains("failed"), "{failed}");
            let next = running.line(|line| line.contains("[2/2]"));
            assert!(next.contains(&format!("{target} does not answer: waiting for it")), "{next}");
            let back = self.start(&["lab-up"], &[]).succeed();
            let said = back.stderr.lines().find(|line| line.contains("node up after"));
            one.push_str(said.unwrap_or("it ran already"));
            running
        });
        let [lost, next] = &records[..] else { panic!("expected two records: {records:#?}") };
        assert_eq!(lost.outcome, Outcome::Failed, "{lost:#?}");
        sound(next);
        one
    }

    /// Whether a guest is awaited on the node.
    fn waits(&self, node: &str) -> bool {
        let look = "grep -lz -- '^-incoming$' /proc/[0-9]*/cmdline";
        let looked = self.start(&["lab-exec"], &[node, "--", "sh", "-c", look]).end();
        !looked.stdout.is_empty()
    }

    /// The QEMU that a node is.
    fn machine(&self, node: &str) -> processes::Found {
        let name = format!("guest=precopy-vagrant-qemu-{node},");
        let is = |found: &processes::Found| {
            let named = found.argv.iter().any(|argument| argument.starts_with(&name));
            named && found.mentions(self.sandbox.path())
        };
        processes::all().into_iter().find(is).expect("a machine")
    }

    /// Bytes that all nodes have sent, by device.
    fn sent(&self) -> BTreeMap<String, f64> {
        let mut sent = BTreeMap::new();
        for node in NODES {
            for device in [MIGRATION, GUESTS] {
                let counter = format!("/sys/class/net/{device}/statistics/tx_bytes");
                let said = self.start(&["lab-exec"], &[node, "--", "cat", &counter]).succeed();
                let bytes: f64 = said.stdout.trim().parse().expect("a number");
                *sent.entry(device.to_owned()).or_default() += bytes;
            }
        }
        sent
    }
}

/// The trial completed with everything intact.
fn sound(record: &Record) {
    well_formed(record);
    assert_eq!(record.outcome, Outcome::Completed, "{record:#?}");
    verified(record);
    assert!(measured(record, metric::DISK_BLOCKS_CHECKED) > 0.0);
    assert_eq!(measured(record, metric::DISK_BLOCKS_WRONG), 0.0);
}

/// The shipped experiment, for a machine that is busy with others, too.
fn nested() -> String {
    let text = fs::read_to_string(shipped("experiments/nested.yaml")).expect("read");
    let patient = text.replace("max_time: 30 s", "max_time: 120 s");
    assert_ne!(text, patient);
    lax(&patient)
}

fn shipped(path: &str) -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
