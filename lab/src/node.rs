//! A node: a machine that can run guests, and how to run a process on it.
//!
//! What a node can do does not depend on which provider made it: hypervisors and trials see only
//! this module.

mod forward;
mod process;

pub use self::forward::Forward;
pub use self::process::{Exit, Process};

use crate::{
    agent::Agent, provider::netns::Supervisor, shaping, spec::Link, ssh::Connection, units::BitRate,
};
use anyhow::{Context, Result, anyhow, bail};
use camino::{Utf8Path, Utf8PathBuf};
use rustix::fd::OwnedFd;
use std::{net::Ipv4Addr, time::Duration};
use tokio::{io::AsyncReadExt, net::UnixStream};

/// `tc` takes milliseconds, and a second or two on an emulated node.
const SHAPING_DEADLINE: Duration = Duration::from_secs(30);

/// The tap device of the guest, on nodes of ours: namespaces, and machines set up by a playbook.
pub const GUEST_TAP: &str = "guest0";

/// One node of a lab that is up.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name, as in the lab file.
    pub name: String,
    /// Address in the guest and management network.
    pub guest_address: Ipv4Addr,
    /// Address in the migration network.
    pub migration_address: Ipv4Addr,
    /// Address in the storage network, where the lab has one.
    pub storage_address: Option<Ipv4Addr>,
    /// Device by which all that goes into the guest network leaves the node, its guests' frames
    /// too.
    pub guest_device: String,
    /// Device by which the node sends into the migration network.
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
    /// On another machine, by its agent.
    Agent(Connection),
    /// Not at all: only its hypervisor's API is asked.
    Nothing,
}

/// What is said of a node on which nothing can be run.
const NO_SHELL: &str = "it is not reached by SSH";

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
            Shell::Agent(connection) => connection.agent().spawn(spawn).await,
            Shell::Nothing => bail!("failed to start `{program}` on {}: {NO_SHELL}", self.name),
        }
        .with_context(|| format!("failed to start `{program}` on {}", self.name))
    }

    /// Whether its processes run on this machine's own kernel, files and clocks.
    #[must_use]
    pub const fn is_this_machine(&self) -> bool {
        matches!(self.shell, Shell::Namespace(_))
    }

    /// One of a cluster whose API alone is asked: nothing can be run there, and no address or device
    /// of it is known.
    pub(crate) fn by_api(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            guest_address: Ipv4Addr::UNSPECIFIED,
            migration_address: Ipv4Addr::UNSPECIFIED,
            storage_address: None,
            guest_device: String::new(),
            migration_device: String::new(),
            tap: String::new(),
            storage: None,
            shell: Shell::Nothing,
        }
    }

    /// Whether processes can be started there.
    #[must_use]
    pub const fn has_shell(&self) -> bool {
        !matches!(self.shell, Shell::Nothing)
    }

    /// Makes a file of this machine available on the node; gives its path there.
    ///
    /// # Errors
    /// When it cannot be read here or written there.
    pub async fn deliver(&self, file: &Utf8Path) -> Result<Utf8PathBuf> {
        match &self.shell {
            Shell::Namespace(_) => Ok(file.to_owned()),
            Shell::Agent(connection) => connection.agent().put(file).await,
            Shell::Nothing => Err(anyhow!(NO_SHELL)),
        }
        .with_context(|| format!("failed to deliver {file} to {}", self.name))
    }

    /// Measures how far the node's wall clock is from ours.
    ///
    /// # Errors
    /// When the node does not answer.
    pub async fn clock_offset(&self) -> Result<ClockOffset> {
        match &self.shell {
            Shell::Namespace(_) => Ok(ClockOffset::NONE),
            Shell::Agent(connection) => connection.agent().clock_offset().await,
            Shell::Nothing => Err(anyhow!(NO_SHELL)),
        }
        .with_context(|| format!("failed to read the clock of {}", self.name))
    }

    /// Name of the node's boot, another after every start of the machine; `None` for a node that
    /// is this very machine.
    #[must_use]
    pub fn boot_id(&self) -> Option<String> {
        match &self.shell {
            Shell::Namespace(_) | Shell::Nothing => None,
            Shell::Agent(connection) => Some(connection.agent().about().boot_id.clone()),
        }
    }

    /// Waits until the machine has started anew since it had this [boot's name](Self::boot_id), and
    /// processes can be started again. The processes of before are lost.
    ///
    /// # Errors
    /// When that does not happen within `deadline`; at once for a node that is this machine.
    pub async fn wait_until_back(&self, old_boot_id: &str, deadline: Duration) -> Result<()> {
        match &self.shell {
            Shell::Namespace(_) => bail!("{} starts anew with its lab only", self.name),
            Shell::Agent(connection) => connection.wait_until_back(old_boot_id, deadline).await,
            Shell::Nothing => bail!("{}: {NO_SHELL}", self.name),
        }
    }

    /// Reaches the node again where the connection to it is lost, waiting for it if need be. The
    /// processes of before are lost.
    ///
    /// # Errors
    /// When it cannot be reached within `deadline`.
    pub async fn reconnect(&self, deadline: Duration) -> Result<()> {
        match &self.shell {
            Shell::Namespace(_) => Ok(()),
            Shell::Agent(connection) => connection.reconnect(deadline).await,
            Shell::Nothing => Err(anyhow!(NO_SHELL)),
        }
        .with_context(|| format!("failed to reach {} again", self.name))
    }

    /// Connects to a unix socket of the node.
    ///
    /// # Errors
    /// When nobody listens there, or the node is gone.
    pub async fn connect(&self, path: &Utf8Path) -> Result<UnixStream> {
        match &self.shell {
            Shell::Namespace(_) => UnixStream::connect(path).await.map_err(Into::into),
            Shell::Agent(connection) => connection.agent().connect(path.as_str()).await,
            Shell::Nothing => Err(anyhow!(NO_SHELL)),
        }
        .with_context(|| format!("failed to connect to {path} on {}", self.name))
    }

    /// The agent that the node is reached by now; `None` for a node that is this machine.
    pub(crate) fn agent(&self) -> Option<Agent> {
        match &self.shell {
            Shell::Namespace(_) | Shell::Nothing => None,
            Shell::Agent(connection) => Some(connection.agent()),
        }
    }

    /// Address on the link's network.
    #[must_use]
    pub const fn address(&self, link: Link) -> Ipv4Addr {
        match link {
            Link::Guest => self.guest_address,
            Link::Migration => self.migration_address,
        }
    }

    /// Device of the link.
    #[must_use]
    pub fn device(&self, link: Link) -> &str {
        match link {
            Link::Guest => &self.guest_device,
            Link::Migration => &self.migration_device,
        }
    }

    /// Shapes what leaves through one of the node's links. `None` takes a shaping of ours away;
    /// what others have set up there stays.
    ///
    /// # Errors
    /// When `tc` cannot do it.
    pub async fn shape(&self, link: Link, rate: Option<BitRate>) -> Result<()> {
        let device = self.device(link);
        let shaped = async {
            match rate {
                Some(rate) => self.tc(shaping::arguments(device, rate)).await.map(drop),
                // Nobody has shaped what nobody can reach.
                None if !self.has_shell() => Ok(()),
                None if shaping::is_ours(&self.tc(shaping::question(device)).await?) => {
                    self.tc(shaping::removal(device)).await.map(drop)
                }
                None => Ok(()),
            }
        };
        shaped.await.with_context(|| format!("failed to shape the {link} link of {}", self.name))
    }

    /// Whether a link has been shaped to some rate, by [`Self::shape`].
    ///
    /// # Errors
    /// When the node is gone or refuses.
    pub async fn is_shaped(&self, link: Link) -> Result<bool> {
        Ok(shaping::is_ours(&self.tc(shaping::question(self.device(link))).await?))
    }

    async fn tc(&self, arguments: Vec<String>) -> Result<String> {
        let mut argv = vec!["tc".to_owned()];
        argv.extend(arguments);
        self.run(&argv, SHAPING_DEADLINE).await
    }

    /// Runs a command to its end; one that fails or outlasts `deadline` is an error with its own
    /// last words.
    ///
    /// # Errors
    /// As said.
    pub async fn run(&self, argv: &[String], deadline: Duration) -> Result<String> {
        let process = self.spawn(command(argv)).await?;
        to_its_end(process, argv, &format!(" on {}", self.name), deadline).await
    }

    /// Runs a command to its end, however it ends. Whoever stops waiting ends it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn output(&self, argv: &[String]) -> Result<Output> {
        collect(&mut self.spawn(command(argv)).await?).await
    }
}

/// As [`Node::run`], on a machine that is no node yet.
pub(crate) async fn run(agent: &Agent, argv: &[String], deadline: Duration) -> Result<String> {
    let process = agent.spawn(command(argv)).await?;
    to_its_end(process, argv, "", deadline).await
}

fn command(argv: &[String]) -> Spawn {
    let streams = Streams { stdin: Stream::Null, ..Streams::piped() };
    Spawn { argv: argv.to_vec(), cwd: None, streams }
}

/// `place` is put behind the command in errors.
async fn to_its_end(
    mut process: Process,
    argv: &[String],
    place: &str,
    deadline: Duration,
) -> Result<String> {
    let shown = argv.join(" ");
    let output = tokio::time::timeout(deadline, collect(&mut process))
        .await
        .with_context(|| format!("`{shown}`{place} did not end within {deadline:?}"))??;
    if output.exit != Exit::Code(0) {
        bail!("`{shown}`{place} {}: {}", output.exit, output.stderr.trim());
    }
    Ok(output.stdout)
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
