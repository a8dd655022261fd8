//! Builds what runs inside a lab: the guest's image and the static observer.
//!
//! By cargo, at every start of a command that needs them: when nothing has changed that takes a
//! tenth of a second, and nobody ever measures with yesterday's guest.

use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use lab::process::Command;

/// The target that the observer is linked for: a static program runs on any node, whatever
/// distribution it has.
const OBSERVER_TARGET: &str = "x86_64-unknown-linux-gnu";

/// What was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// The guest's image, for QEMU's `-kernel`.
    pub guest: Utf8PathBuf,
    /// The observer.
    pub observer: Utf8PathBuf,
}

/// The repository's root.
pub fn repository() -> &'static Utf8Path {
    let xtask = Utf8Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Builds both.
///
/// # Errors
/// When cargo fails; its words have been shown then.
pub fn build() -> Result<Built> {
    let root = repository();
    cargo()
        .args(["build", "--release", "--quiet", "--manifest-path", "guest/Cargo.toml"])
        .args(["--target-dir", "target/guest"])
        .run_streaming()
        .context("failed to build the guest")?;
    // A target folder of its own: other flags would build everything else anew each time.
    cargo()
        .args(["build", "--release", "--quiet", "--package", "observer"])
        .args(["--target", OBSERVER_TARGET, "--target-dir", "target/static"])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .run_streaming()
        .context("failed to build the observer")?;
    Ok(Built {
        guest: root.join("target/guest/release/guest"),
        observer: root.join("target/static").join(OBSERVER_TARGET).join("release/observer"),
    })
}

/// Cargo, in the repository, without what an outer cargo has set for its own build.
pub fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    Command::new(program)
        .cwd(repository().as_std_path())
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_BUILD_TARGET")
        .stdout_to_stderr()
}
