//! Builds what runs inside a lab: the guest's image and the static observer.
//!
//! By cargo, at every start of a command that needs them: when nothing has changed that takes a
//! tenth of a second, and nobody ever measures with yesterday's guest. Where there is no cargo,
//! [`VARIABLE`] names what was built elsewhere.

use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use lab::process::Command;
use serde::Deserialize;

/// The target that the observer is linked for: a static program runs on any node, whatever
/// distribution it has.
const OBSERVER_TARGET: &str = "x86_64-unknown-linux-gnu";

/// Environment variable that names a folder with a `guest` and an `observer` built elsewhere.
const VARIABLE: &str = "PRECOPY_BUILT";

/// The guest's manifest, from the repository's root.
const GUEST_MANIFEST: &str = "guest/Cargo.toml";

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

/// The folder that [`VARIABLE`] names; `None` when both are built here.
pub fn elsewhere() -> Option<Utf8PathBuf> {
    std::env::var(VARIABLE).ok().filter(|folder| !folder.is_empty()).map(Utf8PathBuf::from)
}

/// Builds both, or takes those that [`VARIABLE`] names.
///
/// # Errors
/// When cargo fails (its words have been shown then), or the folder named lacks one of them.
pub fn build() -> Result<Built> {
    if let Some(folder) = elsewhere() {
        return built_elsewhere(&folder);
    }
    let root = repository();
    cargo()
        .args(["build", "--release", "--quiet", "--manifest-path", GUEST_MANIFEST])
        .args(["--target-dir", "target/guest"])
        .env("CARGO_ENCODED_RUSTFLAGS", paths_without_machine()?)
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

/// A package as `cargo metadata` tells of it.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    manifest_path: Utf8PathBuf,
}

/// What `cargo metadata` answers, as far as it is needed here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// Flags that keep the paths of this machine out of the guest, in cargo's encoding.
///
/// Panic messages name source files, and the guest's hash is part of a run's context: without
/// this, runs of two users, or of two clones, could not be compared.
fn paths_without_machine() -> Result<String> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--manifest-path", GUEST_MANIFEST])
        .run()
        .context("failed to list the guest's packages")?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .context("failed to read the list of the guest's packages")?;
    let flags = metadata.packages.iter().filter_map(|package| {
        let folder = package.manifest_path.parent()?;
        let Package { name, version, .. } = package;
        Some(format!("--remap-path-prefix={folder}={name}-{version}"))
    });
    Ok(flags.collect::<Vec<_>>().join("\u{1f}"))
}

fn built_elsewhere(folder: &Utf8Path) -> Result<Built> {
    let file = |name: &str| {
        let file = folder.join(name);
        if !file.is_file() {
            bail!("{VARIABLE} names `{folder}`, which has no `{name}`");
        }
        // Programs of the lab are started in other folders than this.
        file.canonicalize_utf8().with_context(|| format!("failed to find `{file}`"))
    };
    Ok(Built { guest: file("guest")?, observer: file("observer")? })
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
