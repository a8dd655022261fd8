//! A place without anything that a lab needs: for what runs on the model.

use super::program::{Ended, Running};
use camino::{Utf8Path, Utf8PathBuf};
use harness::run_folder::RunFolder;
use std::fs;

/// A place where nothing is installed: no QEMU, no `ip`, no `git`.
pub struct Bare(tempfile::TempDir);

impl Bare {
    pub fn new() -> Self {
        Self(tempfile::Builder::new().prefix("precopy-model-").tempdir().expect("a folder"))
    }

    /// The folder.
    pub fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).expect("UTF-8")
    }

    /// Writes a file.
    pub fn file(&self, name: &str, text: &str) -> Utf8PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    /// Runs the program there, without a lab. Baselines are in `baselines` there.
    pub fn command(&self, args: &[&str]) -> Ended {
        let state = self.path().join("state");
        let env = [
            ("PATH", self.path().as_str()),
            ("PRECOPY_QEMU", "/nonexistent/qemu"),
            ("PRECOPY_LAB_STATE", state.as_str()),
        ];
        let baselines = self.path().join("baselines");
        let own = ["--baselines", baselines.as_str()];
        let judges = args.first() == Some(&"experiment") && !args.contains(&"--plan");
        let args = if judges { [args, &own].concat() } else { args.to_vec() };
        let ended = Running::start(&args, &env).end();
        assert!(!state.exists(), "a lab was made: {}", ended.stderr);
        ended
    }

    /// Runs an experiment into a folder of its own.
    pub fn run(&self, into: &str, file: &Utf8Path, rest: &[&str]) -> (RunFolder, Ended) {
        let out = self.path().join(into);
        let mut args = vec!["experiment", file.as_str(), "--lab", "model", "--out", out.as_str()];
        args.extend(rest);
        let ended = self.command(&args);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let runs = RunFolder::list(&out).expect("listed");
        let [run] = &runs[..] else { panic!("expected one run: {runs:?}") };
        (run.clone(), ended)
    }
}
