//! A test's own place: experiment files, lab state and runs in a temporary folder.

use super::{processes, program::Running};
use camino::{Utf8Path, Utf8PathBuf};
use harness::run_folder::RunFolder;
use lab::state::{self, Lock};
use std::{collections::BTreeSet, fs};

/// A temporary folder with everything of one test, and the right to migrate on this machine: two
/// migrations side by side would disturb each other.
pub struct Sandbox {
    folder: tempfile::TempDir,
    links: String,
    kept_namespaces: Vec<String>,
    _alone: Lock,
}

impl Sandbox {
    /// Waits until no other test migrates.
    pub fn new() -> Self {
        let lock = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("end-to-end.lock");
        let alone = state::lock(&lock).expect("a lock");
        let folder = tempfile::Builder::new().prefix("precopy-e2e-").tempdir().expect("a folder");
        let kept_namespaces = kept_namespaces();
        Self { folder, links: host_links(), kept_namespaces, _alone: alone }
    }

    /// The folder.
    pub fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).expect("UTF-8")
    }

    /// Where labs keep their state.
    pub fn state(&self) -> Utf8PathBuf {
        self.path().join("state")
    }

    /// Where labs keep what is large, such as the folders that nodes share.
    pub fn data(&self) -> Utf8PathBuf {
        self.path().join("data")
    }

    /// Where runs are put.
    pub fn runs(&self) -> Utf8PathBuf {
        self.path().join("runs")
    }

    /// Where baselines are looked for and put.
    pub fn baselines(&self) -> Utf8PathBuf {
        self.path().join("baselines")
    }

    /// Writes a file.
    pub fn file(&self, name: &str, text: &str) -> Utf8PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    /// Writes a program. Another process does it: a file that this one had open for writing cannot
    /// be executed while a test beside this one forks ("text file busy").
    pub fn script(&self, name: &str, text: &str) -> Utf8PathBuf {
        let path = self.path().join(name);
        let write = ["-c", "cat > \"$0\" && chmod 755 \"$0\"", path.as_str()];
        lab::process::Command::new("sh").args(write).stdin(text).run().expect("written");
        path
    }

    /// Starts the program.
    pub fn start(&self, args: &[&str]) -> Running {
        self.start_with(args, &[])
    }

    /// Starts the program with more environment variables.
    pub fn start_with(&self, args: &[&str], env: &[(&str, &str)]) -> Running {
        let (state, data) = (self.state(), self.data());
        let own = [("PRECOPY_LAB_STATE", state.as_str()), ("PRECOPY_LAB_DATA", data.as_str())];
        Running::start(args, &[&own, env].concat())
    }

    /// Starts an experiment whose run goes into [`Self::runs`].
    pub fn experiment(&self, file: &Utf8Path) -> Running {
        let (runs, baselines) = (self.runs(), self.baselines());
        let folders = ["--out", runs.as_str(), "--baselines", baselines.as_str()];
        self.start(&[&["experiment", file.as_str(), "--json"], &folders[..]].concat())
    }

    /// Goes on with a run.
    pub fn resume(&self, run: &RunFolder) -> Running {
        let baselines = self.baselines();
        let run = run.path().as_str();
        let baselines = baselines.as_str();
        self.start(&["experiment", "--resume", run, "--json", "--baselines", baselines])
    }

    /// The only run there is.
    pub fn run(&self) -> RunFolder {
        let runs = RunFolder::list(&self.runs()).expect("listed");
        let [run] = &runs[..] else { panic!("expected one run: {runs:?}") };
        run.clone()
    }

    /// Asserts that the labs of this test have left nothing but what a later command needs:
    /// no process, no network device on the host, no folder, no mount.
    pub fn assert_nothing_left(&self) {
        processes::assert_none_mentions(self.path());
        assert_eq!(host_links(), self.links, "network devices of the host have changed");
        let left: BTreeSet<String> = self
            .state()
            .read_dir_utf8()
            .map(|entries| entries.map(|e| e.expect("entry").file_name().to_owned()).collect())
            .unwrap_or_default();
        let not_locks: Vec<_> = left.iter().filter(|name| !name.ends_with(".lock")).collect();
        assert!(not_locks.is_empty(), "state is left: {left:?}");
        let shared = self.data().join("shared");
        let shared = shared.read_dir_utf8().map(Iterator::count).unwrap_or_default();
        assert_eq!(shared, 0, "folders that nodes shared are left");
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
        assert!(!mounts.contains(self.path().as_str()), "mounts are left:\n{mounts}");
        assert_eq!(kept_namespaces(), self.kept_namespaces, "namespaces are left");
    }
}

/// Namespaces that a mount keeps. One that no process (looked for above) and no mount keeps is gone.
fn kept_namespaces() -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    mounts.lines().filter(|line| line.contains(" - nsfs ")).map(str::to_owned).collect()
}

/// The host's network devices, without what changes by itself.
fn host_links() -> String {
    let output = lab::process::Command::new("ip").args(["-br", "link"]).run().expect("ip");
    output.text()
}
