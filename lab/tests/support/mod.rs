//! The observer as it is used, and what tests of agents do again and again.

use camino::{Utf8Path, Utf8PathBuf};
use lab::{
    agent::Agent,
    node::{Process, Spawn, Stream, Streams},
    process::Command,
};
use std::{path::Path, sync::OnceLock, time::Duration};
use tokio::io::AsyncReadExt;

/// From one look to the next.
pub const PAUSE: Duration = Duration::from_millis(5);

/// Whatever takes longer hangs.
pub const LONG: Duration = Duration::from_secs(60);

/// Our static program, built as `xtask` builds it.
pub fn observer() -> &'static Utf8Path {
    static BUILT: OnceLock<Utf8PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = "x86_64-unknown-linux-gnu";
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        Command::new(env!("CARGO"))
            .cwd(root.as_std_path())
            .args(["build", "--release", "--quiet", "--package", "observer"])
            .args(["--target", target, "--target-dir", "target/static"])
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("CARGO_BUILD_TARGET")
            .env("RUSTFLAGS", "-C target-feature=+crt-static")
            .run()
            .expect("the observer is built");
        root.join("target/static").join(target).join("release/observer")
    })
}

/// A command with three pipes.
pub fn piped(argv: &[&str]) -> Spawn {
    Spawn { argv: strings(argv), cwd: None, streams: Streams::piped() }
}

/// A command that neither reads nor writes.
pub fn silent(argv: &[&str]) -> Spawn {
    let streams = Streams { stdin: Stream::Null, stdout: Stream::Null, stderr: Stream::Null };
    Spawn { argv: strings(argv), cwd: None, streams }
}

pub fn strings(argv: &[&str]) -> Vec<String> {
    argv.iter().map(|word| (*word).to_owned()).collect()
}

/// Everything that a process writes to stdout.
pub async fn output(process: &mut Process) -> String {
    let mut text = String::new();
    let mut stdout = process.stdout.take().expect("a pipe");
    stdout.read_to_string(&mut text).await.expect("read");
    text
}

/// What a command on the agent's node writes to stdout.
pub async fn said(agent: &Agent, argv: &[&str]) -> String {
    output(&mut agent.spawn(piped(argv)).await.expect("started")).await
}

/// Waits until a process of this machine is gone, which is not ours to wait for.
pub async fn until_gone(pid: u32) {
    let gone = lab::wait::until(PAUSE, LONG, async || {
        // A zombie is gone: whoever has to reap it may be slow.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let alive = stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'));
        anyhow::ensure!(!alive, "process {pid} lives");
        Ok(())
    });
    gone.await.expect("gone");
}

/// Whether this process of this machine lives.
pub fn lives(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}
