//! The files of the repository, as text.

use std::path::{Path, PathBuf};

/// Folders that hold nothing of the project's own.
const NOT_OURS: [&str; 3] = [".git", "target", "runs"];

/// A file.
pub struct File {
    /// From the repository's root.
    pub path: String,
    /// What it says.
    pub text: String,
}

impl File {
    /// Whether it holds tests and nothing else.
    pub fn is_test(&self) -> bool {
        self.path.contains("/tests/")
            || ["tests.rs", "_tests.rs", "fixture.rs"].iter().any(|end| self.path.ends_with(end))
    }
}

fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask lies in the repository").to_owned()
}

/// One file, which must be there.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file that is text.
pub fn files() -> Vec<File> {
    let mut files = Vec::new();
    walk(&root(), &mut files);
    assert!(files.len() > 100, "only {} files: the walk has gone astray", files.len());
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Every Rust file.
pub fn rust_files() -> Vec<File> {
    files().into_iter().filter(|file| file.path.ends_with(".rs")).collect()
}

fn walk(folder: &Path, files: &mut Vec<File>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository") {
        let entry = entry.expect("an entry");
        let (path, name) = (entry.path(), entry.file_name());
        if NOT_OURS.iter().any(|other| name == *other) {
            continue;
        }
        if entry.file_type().expect("a type").is_dir() {
            walk(&path, files);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let path = path.strip_prefix(root()).expect("below the root");
            files.push(File { path: path.to_string_lossy().into_owned(), text });
        }
    }
}
