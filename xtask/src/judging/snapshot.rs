//! Baselines as insta snapshots.
//!
//! insta answers by a panic, and takes from the environment whether and where it writes. So what
//! is written is written by this program started as a child of itself, with the environment that
//! is wanted: the verdict and the exit code are our own.

use crate::build;
use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use harness::judge::{BaselineComparator, Rules};
use lab::process::Command;
use serde::{Deserialize, Serialize};
use std::io::Read;

/// The argument by which this program starts itself.
pub const ARGUMENT: &str = "__snapshot";

/// This program, also where its file is another by now: whoever builds it while an experiment runs
/// replaces the file.
const THIS: &str = "/proc/self/exe";

/// What the child is told on its stdin.
#[derive(Serialize, Deserialize)]
struct Order {
    /// The folder of the baselines, absolute.
    folder: Utf8PathBuf,
    /// The file's name without `.snap`.
    name: String,
    /// The new content.
    text: String,
    /// What decides whether the accepted content stands.
    rules: Rules,
}

/// Writes `<name>.snap.new` when the accepted snapshot does not stand against the text, and
/// removes an older `.snap.new` when it does. The accepted one is never touched.
///
/// # Errors
/// When the folder cannot be written.
pub fn propose(folder: &Utf8Path, name: &str, text: &str, rules: &Rules) -> Result<()> {
    write(folder, name, text, rules, "new").context("failed to propose a baseline")
}

/// Writes the text as the accepted snapshot.
///
/// # Errors
/// When the folder cannot be written.
pub fn accept(folder: &Utf8Path, name: &str, text: &str, rules: &Rules) -> Result<()> {
    write(folder, name, text, rules, "force").context("failed to accept a baseline")?;
    match std::fs::remove_file(proposal(folder, name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("failed to remove what was proposed")
        }
        _ => Ok(()),
    }
}

/// Where a proposed snapshot lies.
pub fn proposal(folder: &Utf8Path, name: &str) -> Utf8PathBuf {
    folder.join(format!("{name}.snap.new"))
}

fn write(folder: &Utf8Path, name: &str, text: &str, rules: &Rules, update: &str) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("failed to create `{folder}`"))?;
    let folder =
        folder.canonicalize_utf8().with_context(|| format!("failed to find `{folder}`"))?;
    let order =
        Order { folder, name: name.to_owned(), text: text.to_owned(), rules: rules.clone() };
    Command::new(THIS)
        .arg(ARGUMENT)
        .stdin(serde_json::to_vec(&order)?)
        .env("INSTA_UPDATE", update)
        .env("INSTA_OUTPUT", "none")
        .env("INSTA_FORCE_PASS", "1")
        .env("INSTA_WORKSPACE_ROOT", build::repository().as_str())
        .env_remove("INSTA_PENDING_DIR")
        .env_remove("INSTA_REQUIRE_FULL_MATCH")
        .run()?;
    Ok(())
}

/// The child: hands the text to insta, which compares as the harness judges.
///
/// # Errors
/// When stdin does not hold an order.
pub fn child() -> Result<()> {
    let mut order = Vec::new();
    std::io::stdin().read_to_end(&mut order).context("failed to read what to write")?;
    let Order { folder, name, text, rules } = serde_json::from_slice(&order)?;
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_comparator(Box::new(BaselineComparator::new(rules)));
    settings.bind(|| insta::assert_snapshot!(name, text));
    Ok(())
}
