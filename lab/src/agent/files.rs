//! Files of ours on a node: named by what they hold, verified, and kept for the next time.

use super::Agent;
use crate::node::{Exit, Spawn, Streams};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fmt::Write as _,
    fs::File,
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    sync::Mutex,
};

/// How long one file may take. A node behind a slow line gets 100 MiB at 3 Mbit/s in this time.
const DEADLINE: Duration = Duration::from_secs(300);

/// A function of the shell that takes a file in from stdin, unless the node has it already.
///
/// `receive FOLDER NAME SHA256 MODE BYTES` says `precopy-lab wants PATH` before it reads, and
/// `precopy-lab has PATH` when the file is there. Nobody ever sees a part of a file.
pub(crate) const RECEIVE: &str = r#"set -eu
umask 022
sum() { set -- $(sha256sum < "$1"); echo "$1"; }
receive() {
  file="$1/$2"
  if [ -f "$file" ] && [ "$(sum "$file")" = "$3" ]; then
    chmod "$4" "$file"
    echo "precopy-lab has $file"
    return
  fi
  mkdir -p "$1"
  part="$1/.$2.$$"
  trap 'rm -f "$part"' EXIT
  echo "precopy-lab wants $file"
  head -c "$5" > "$part"
  [ "$(sum "$part")" = "$3" ] || { echo "what arrived of $2 is not what was sent" >&2; exit 1; }
  chmod "$4" "$part"
  mv -f "$part" "$file"
  trap - EXIT
  echo "precopy-lab has $file"
}
"#;

/// What the agent is known to have: from a local file as it was then, to its path on the node.
pub(super) type Delivered = Mutex<HashMap<Version, Utf8PathBuf>>;

/// A local file, and what changes when it does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Version {
    path: Utf8PathBuf,
    inode: u64,
    bytes: u64,
    changed_ns: i128,
}

/// A local file, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    /// Its name without folders.
    pub name: String,
    /// What it holds, in hexadecimal digits.
    pub sha256: String,
    /// Permissions as `chmod` takes them.
    pub mode: &'static str,
    /// How long it is.
    pub bytes: u64,
}

impl Parcel {
    /// Looks at a local file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(file: &Utf8Path) -> Result<Self> {
        let name = file.file_name().with_context(|| format!("{file} has no name"))?.to_owned();
        let mut opened = File::open(file).with_context(|| format!("failed to read {file}"))?;
        let executable = opened.metadata()?.permissions().mode() & 0o111 != 0;
        let (mut hash, mut bytes, mut chunk) = (Sha256::new(), 0, vec![0; 1 << 16]);
        loop {
            let read = opened.read(&mut chunk).with_context(|| format!("failed to read {file}"))?;
            if read == 0 {
                break;
            }
            hash.update(&chunk[..read]);
            bytes += read as u64;
        }
        let mut sha256 = String::new();
        for byte in hash.finalize() {
            write!(sha256, "{byte:02x}")?;
        }
        Ok(Self { name, sha256, mode: if executable { "0755" } else { "0644" }, bytes })
    }
}

impl Agent {
    /// Makes a local file available on the node; gives its path there. It lies below the agent's
    /// folder under the hash of what it holds, and stays there for the next time.
    ///
    /// # Errors
    /// When it cannot be read here or written there.
    pub async fn put(&self, file: &Utf8Path) -> Result<Utf8PathBuf> {
        let mut delivered = self.inner.delivered.lock().await;
        let version = version(file).with_context(|| format!("failed to read {file}"))?;
        if let Some(path) = delivered.get(&version) {
            return Ok(path.clone());
        }
        let path = tokio::time::timeout(DEADLINE, self.send_file(file))
            .await
            .with_context(|| format!("sending {file} took more than {DEADLINE:?}"))?
            .with_context(|| format!("failed to send {file} to the node"))?;
        delivered.insert(version, path.clone());
        Ok(path)
    }

    async fn send_file(&self, file: &Utf8Path) -> Result<Utf8PathBuf> {
        let local = file.to_owned();
        let parcel = tokio::task::spawn_blocking(move || Parcel::of(&local)).await??;
        let folder = format!("{}/files/{}", self.about().folder, parcel.sha256);
        let script = format!("{RECEIVE}\nreceive \"$@\"\n");
        let bytes = parcel.bytes.to_string();
        let argv = ["sh", "-c", &script, "receive", &folder, &parcel.name, &parcel.sha256];
        let argv = argv.into_iter().chain([parcel.mode, &bytes]).map(str::to_owned).collect();
        let mut process = self.spawn(Spawn { argv, cwd: None, streams: Streams::piped() }).await?;
        let stdout = process.stdout.take().context("no stdout")?;
        let mut stderr = process.stderr.take().context("no stderr")?;
        let mut stdin = process.stdin.take().context("no stdin")?;
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some(path) = line.strip_prefix("precopy-lab has ") {
                return Ok(path.into());
            }
            let mut opened = tokio::fs::File::open(file).await?;
            // Where the node stops reading, it says why.
            let _told_below = tokio::io::copy(&mut opened, &mut stdin).await;
            stdin.flush().await?;
        }
        let mut words = String::new();
        stderr.read_to_string(&mut words).await?;
        match process.wait().await {
            Exit::Code(_) => bail!("{}", words.trim()),
            exit => bail!("the receiving shell {exit}"),
        }
    }
}

fn version(file: &Utf8Path) -> Result<Version> {
    let meta = std::fs::metadata(file)?;
    let changed_ns = i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec());
    Ok(Version { path: file.to_owned(), inode: meta.ino(), bytes: meta.len(), changed_ns })
}
