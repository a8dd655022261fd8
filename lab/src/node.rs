//! A node: a machine that can run guests, and how to run a process on it.
//!
//! What a node can do does not depend on which provider made it: hypervisors and trials see only
//! this module.

use crate::{provider::netns::Supervisor, shaping, units::BitRate};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use rustix::fd::OwnedFd;
use std::{net::Ipv4Addr, time::Duration};
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe,
    sync::{mpsc, watch},
};

/// `tc` takes milliseconds.
const SHAPING_DEADLINE: Duration = Duration::from_secs(10);

/// One node of a lab that is up.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name, as in the lab file.
    pub name: String,
    /// Address in the guest and management network.
    pub guest_address: Ipv4Addr,
    /// Address in the migration network.
    pub migration_address: Ipv4Addr,
    /// Device through which the node reaches the guest network.
    pub guest_device: String,
    /// Device through which the node reaches the migration network.
    pub migration_device: String,
    /// Tap device for the node's guest.
    pub tap: String,
    /// Folder that all nodes share, as the node sees it; `None` where the lab has none.
    pub storage: Option<Utf8PathBuf>,
    /// How to run a process there.
    pub(crate) shell: Shell,
}

/// How processes are started on a node.
#[derive(Clone, Debug)]
pub(crate) enum Shell {
    /// In a namespace, by the lab's supervisor.
    Namespace(Supervisor),
}

/// One of a process's standard streams.
#[derive(Debug)]
pub enum Stream {
    /// Nothing to read, nowhere to write.
    Null,
    /// A pipe to us.
    Piped,
    /// An open file of ours.
    Of(OwnedFd),
}

/// A process's standard streams.
#[derive(Debug)]
pub struct Streams {
    /// What it reads.
    pub stdin: Stream,
    /// What it writes.
    pub stdout: Stream,
    /// What it complains to.
    pub stderr: Stream,
}

impl Streams {
    /// All three as pipes to us.
    #[must_use]
    pub const fn piped() -> Self {
        Self { stdin: Stream::Piped, stdout: Stream::Piped, stderr: Stream::Piped }
    }
}

/// A process to be started.
#[derive(Debug)]
pub struct Spawn {
    /// Program and arguments; no shell reads them.
    pub argv: Vec<String>,
    /// Working directory; the lab's own when `None`.
    pub cwd: Option<String>,
    /// Its streams.
    pub streams: Streams,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// The lab is gone, and the process with it.
    LabLost,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "ended with exit code {code}"),
            Self::Signal(signal) => write!(f, "was ended by signal {signal}"),
            Self::LabLost => f.write_str("was lost with its lab"),
        }
    }
}

/// A running process. When this is dropped, the process is killed.
#[derive(Debug)]
pub struct Process {
    /// Its number, as the node counts.
    pub pid: u32,
    /// Its stdin, when piped.
    pub stdin: Option<pipe::Sender>,
    /// Its stdout, when piped.
    pub stdout: Option<pipe::Receiver>,
    /// Its stderr, when piped.
    pub stderr: Option<pipe::Receiver>,
    pub(crate) kill: mpsc::Sender<()>,
    pub(crate) exit: watch::Receiver<Option<Exit>>,
}

impl Process {
    /// Kills the process and all of its group; [`Self::wait`] tells when it is gone.
    pub fn kill(&self) {
        let _asked_already = self.kill.try_send(());
    }

    /// Waits until the process has ended.
    pub async fn wait(&mut self) -> Exit {
        match self.exit.wait_for(Option::is_some).await {
            Ok(exit) => exit.unwrap_or(Exit::LabLost),
            Err(_) => Exit::LabLost,
        }
    }

    /// A handle that waits for the end independently of this one.
    #[must_use]
    pub fn exit(&self) -> watch::Receiver<Option<Exit>> {
        self.exit.clone()
    }
}

/// How far a node's wall clock is from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// The node's wall clock less this machine's, nanoseconds.
    pub offset_ns: i128,
    /// The true offset is at most this far from it, nanoseconds: half of the round trip in which
    /// it was measured.
    pub error_ns: u64,
}

impl ClockOffset {
    /// Of a node that is this very machine.
    pub const NONE: Self = Self { offset_ns: 0, error_ns: 0 };
}

/// What a command printed.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Node {
    /// Starts a process.
    ///
    /// # Errors
    /// When the lab is gone or the program cannot be started.
    pub async fn spawn(&self, spawn: Spawn) -> Result<Process> {
        let program = spawn.argv.first().cloned().unwrap_or_default();
        match &self.shell {
            Shell::Namespace(supervisor) => supervisor.spawn(&self.name, spawn).await,
        }
        .with_context(|| format!("failed to start `{program}` on {}", self.name))
    }

    /// Whether its processes run on this machine's own kernel, files and clocks.
    #[must_use]
    pub const fn is_this_machine(&self) -> bool {
        match self.shell {
            Shell::Namespace(_) => true,
        }
    }

    /// Makes a file of this machine available on the node; gives its path there.
    ///
    /// # Errors
    /// When it cannot be read here or written there.
    #[expect(clippy::unused_async, reason = "nodes on other machines will be sent the file")]
    pub async fn deliver(&self, file: &Utf8Path) -> Result<Utf8PathBuf> {
        match &self.shell {
            Shell::Namespace(_) => Ok(file.to_owned()),
        }
    }

    /// Measures how far the node's wall clock is from ours.
    ///
    /// # Errors
    /// When the node does not answer.
    #[expect(clippy::unused_async, reason = "nodes on other machines will be asked")]
    pub async fn clock_offset(&self) -> Result<ClockOffset> {
        match &self.shell {
            Shell::Namespace(_) => Ok(ClockOffset::NONE),
        }
    }

    /// Shapes what leaves through the node's migration link; `None` takes a shaping away.
    ///
    /// # Errors
    /// When `tc` cannot do it.
    pub async fn shape_migration_link(&self, rate: Option<BitRate>) -> Result<()> {
        let mut argv = vec!["tc".to_owned()];
        argv.extend(shaping::arguments(&self.migration_device, rate));
        self.run(&argv, SHAPING_DEADLINE)
            .await
            .map(drop)
            .context("failed to shape the migration link")
    }

    /// Runs a command to its end; one that fails or outlasts `deadline` is an error with its own
    /// last words.
    ///
    /// # Errors
    /// As said.
    pub async fn run(&self, argv: &[String], deadline: Duration) -> Result<String> {
        let shown = argv.join(" ");
        let output =
            tokio::time::timeout(deadline, self.output(argv)).await.with_context(|| {
                format!("`{shown}` on {} did not end within {deadline:?}", self.name)
            })??;
        if output.exit != Exit::Code(0) {
            let words = output.stderr.trim();
            bail!("`{shown}` on {} {}: {words}", self.name, output.exit);
        }
        Ok(output.stdout)
    }
}

impl Node {
    /// Runs a command to its end, however it ends. Whoever stops waiting ends it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn output(&self, argv: &[String]) -> Result<Output> {
        let streams = Streams { stdin: Stream::Null, ..Streams::piped() };
        let mut process = self.spawn(Spawn { argv: argv.to_vec(), cwd: None, streams }).await?;
        collect(&mut process).await
    }
}

async fn collect(process: &mut Process) -> Result<Output> {
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let (out, err) = (process.stdout.take(), process.stderr.take());
    let (read_out, read_err) = tokio::join!(
        async {
            match out {
                Some(mut pipe) => pipe.read_to_string(&mut stdout).await,
                None => Ok(0),
            }
        },
        async {
            match err {
                Some(mut pipe) => pipe.read_to_string(&mut stderr).await,
                None => Ok(0),
            }
        }
    );
    read_out?;
    read_err?;
    Ok(Output { exit: process.wait().await, stdout, stderr })
}
