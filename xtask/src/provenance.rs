//! Where a run comes from: versions, hashes, the source tree.

use crate::build;
use anyhow::Result;
use harness::{plan::Plan, run_folder::Git};
use lab::process::Command;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

/// SHA-256 of a plan, hexadecimal.
///
/// # Errors
/// None that a plan can cause.
pub fn plan_hash(plan: &Plan) -> Result<String> {
    Ok(sha256(&serde_json::to_vec(plan)?))
}

/// SHA-256, hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// Versions of the tools that take part besides QEMU.
pub fn versions() -> BTreeMap<String, String> {
    let iproute2 = first_line(&Command::new("ip").arg("-V"));
    iproute2.map(|version| ("iproute2".to_owned(), version)).into_iter().collect()
}

/// This machine's memory, bytes; 0 where it is not said.
pub fn memory_bytes() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram.saturating_mul(u64::from(info.mem_unit))
}

/// The source tree this was built from, where it is one.
pub fn git() -> Option<Git> {
    let git = |args: &[&str]| Command::new("git").args(args).cwd(build::repository().as_std_path());
    let commit = first_line(&git(&["rev-parse", "HEAD"]))?;
    let status = git(&["status", "--porcelain"]).timeout(TIMEOUT).run().ok()?;
    Some(Git { commit, dirty: !status.text().trim().is_empty() })
}

const TIMEOUT: Duration = Duration::from_secs(5);

fn first_line(command: &Command) -> Option<String> {
    let output = command.clone().timeout(TIMEOUT).run().ok()?;
    output.text().lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::{experiment::Experiment, run_folder::Manifest};

    /// A kept run from before some of today's factors: its plan has its hash still, so it could be
    /// resumed, and its manifest and experiment are understood.
    #[test]
    fn plans_of_older_runs_keep_their_hashes() {
        let file = build::repository().join("docs/precopy-2026-11-22/manifest.json");
        let manifest = std::fs::read_to_string(file).expect("read");
        let manifest: Manifest = serde_json::from_str(&manifest).expect("a manifest");
        let experiment: Experiment =
            serde_json::from_value(manifest.experiment.clone()).expect("an experiment");
        let plan = Plan::new(&experiment, 3);
        assert_eq!(plan_hash(&plan).expect("a hash"), manifest.plan_hash);
        assert_eq!(manifest.programs().len(), 1);
    }
}
