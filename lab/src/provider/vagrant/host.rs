//! Where libvirt is, and how programs are run beside it.

use super::private::{INSIDE, LIBVIRT};
use crate::{
    node::{Exit, Spawn, Stream, Streams},
    process::{self, Command},
    provider::netns::{self, SOCKET_FILE, Supervisor},
};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use std::{io::Write, os::fd::OwnedFd, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::unix::pipe,
};

/// libvirt of the machine, whichever of them it is that one is beside.
const URI: &str = "qemu:///system";
/// How long `virsh` may take for one request.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a libvirt may take to say that it is there.
const ANSWER: Duration = Duration::from_secs(10);
/// Longest path of a socket.
const SOCKET_BYTES: usize = 107;
/// How many lines of a program's output an error repeats.
const LAST_LINES: usize = 12;

/// Where a lab's libvirt is.
#[derive(Clone, Debug)]
pub(super) enum Host {
    /// The machine's own, which was there before.
    System,
    /// One of the lab's own, in its namespaces.
    Private(Supervisor),
}

impl Host {
    /// The libvirt of this lab: its own where that runs, the machine's where that answers, else
    /// `None`.
    pub async fn find(folder: &Utf8Path) -> Option<Self> {
        let private = Self::private(folder);
        if private.answers().await {
            return Some(private);
        }
        // One that was the lab's own stays it: its machines are not known to the other.
        if folder.join(LIBVIRT).exists() {
            return None;
        }
        Self::System.answers().await.then_some(Self::System)
    }

    /// As [`find`](Self::find); where there is none, one is started.
    pub async fn ensure(
        folder: &Utf8Path,
        program: &Utf8Path,
        tell: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Self> {
        if let Some(host) = Self::find(folder).await {
            return Ok(host);
        }
        let socket = folder.join(SOCKET_FILE);
        if socket.as_str().len() > SOCKET_BYTES {
            bail!(
                "the path {socket} is too long for a socket\n\nhint: set PRECOPY_LAB_DATA to a folder with a shorter path"
            );
        }
        tell("no libvirt answers on this machine: starting one of the lab's own");
        // One whose libvirt has ended is of no use, and its socket would be in the way.
        netns::end_supervisor(folder)?;
        netns::remove_file(&socket)?;
        netns::start_supervisor(folder, LIBVIRT, Stdio::null(), program)
            .context("failed to start a libvirt of the lab's own")?;
        Ok(Self::private(folder))
    }

    fn private(folder: &Utf8Path) -> Self {
        Self::Private(Supervisor::at(folder.join(SOCKET_FILE)))
    }

    /// Whether it is the lab's own.
    pub const fn is_private(&self) -> bool {
        matches!(self, Self::Private(_))
    }

    async fn answers(&self) -> bool {
        tokio::time::timeout(ANSWER, self.virsh(&["uri"])).await.is_ok_and(|answer| answer.is_ok())
    }

    /// Asks libvirt by `virsh`; gives what it prints.
    pub async fn virsh(&self, arguments: &[&str]) -> Result<String> {
        let mut argv = vec!["virsh", "--quiet", "--connect", URI];
        argv.extend(arguments);
        self.run(&argv, PATIENCE).await
    }

    /// Runs a program to its end; gives what it printed to stdout.
    pub async fn run(&self, argv: &[&str], patience: Duration) -> Result<String> {
        match self {
            Self::System => Ok(command(argv).timeout(patience).output().await?.text()),
            Self::Private(supervisor) => {
                let streams = Streams { stdin: Stream::Null, ..Streams::piped() };
                let mut process = supervisor.spawn(INSIDE, spawn(argv, streams)).await?;
                let (mut out, mut err) = (Vec::new(), Vec::new());
                let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
                let work = async {
                    let (mut stdout, mut stderr) =
                        (stdout.context("no stdout")?, stderr.context("no stderr")?);
                    tokio::try_join!(stdout.read_to_end(&mut out), stderr.read_to_end(&mut err))?;
                    anyhow::Ok(process.wait().await)
                };
                let shown = process::quote_all(argv);
                let exit = tokio::time::timeout(patience, work)
                    .await
                    .with_context(|| format!("`{shown}` did not end within {patience:?}"))??;
                if exit != Exit::Code(0) {
                    bail!("`{shown}` {exit}: {}", String::from_utf8_lossy(&err).trim());
                }
                Ok(String::from_utf8_lossy(&out).into_owned())
            }
        }
    }

    /// Runs a program to its end, keeps all that it says in `log`, and gives each line to `each`
    /// as it comes.
    pub async fn follow(
        &self,
        argv: &[&str],
        log: &Utf8Path,
        patience: Duration,
        each: &mut (dyn FnMut(&str) + Send),
    ) -> Result<()> {
        let supervisor = match self {
            Self::System => return follow(command(argv), log, patience, each).await,
            Self::Private(supervisor) => supervisor,
        };
        let shown = process::quote_all(argv);
        let run = async |writer: OwnedFd| {
            let streams = Streams {
                stdin: Stream::Null,
                stdout: Stream::Of(writer.try_clone()?),
                stderr: Stream::Of(writer),
            };
            let mut process = supervisor.spawn(INSIDE, spawn(argv, streams)).await?;
            match process.wait().await {
                Exit::Code(0) => Ok(()),
                exit => bail!("`{shown}` {exit}"),
            }
        };
        keep(&shown, run, log, patience, each).await
    }
}

/// As [`Host::follow`], a command of this machine.
pub(super) async fn follow(
    command: Command,
    log: &Utf8Path,
    patience: Duration,
    each: &mut (dyn FnMut(&str) + Send),
) -> Result<()> {
    let run = async |writer: OwnedFd| Ok(command.output_to(writer).await?);
    keep(&command.display(), run, log, patience, each).await
}

/// Keeps what `run` writes into the pipe that it is given.
async fn keep(
    shown: &str,
    run: impl AsyncFnOnce(OwnedFd) -> Result<()>,
    log: &Utf8Path,
    patience: Duration,
    each: &mut (dyn FnMut(&str) + Send),
) -> Result<()> {
    let (reader, writer) = std::io::pipe()?;
    let reader: OwnedFd = reader.into();
    let flags = rustix::fs::fcntl_getfl(&reader)?;
    rustix::fs::fcntl_setfl(&reader, flags | rustix::fs::OFlags::NONBLOCK)?;
    let reader = pipe::Receiver::from_owned_fd(reader)?;
    let mut kept = std::fs::File::options()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("failed to open {log}"))?;
    writeln!(kept, "$ {shown}")?;
    let mut last: Vec<String> = Vec::new();
    let read = async {
        let mut lines = BufReader::new(reader).lines();
        while let Some(line) = lines.next_line().await? {
            writeln!(kept, "{line}")?;
            each(&line);
            if last.len() == LAST_LINES {
                last.remove(0);
            }
            last.push(line);
        }
        anyhow::Ok(())
    };
    let ended = tokio::time::timeout(patience, async {
        let (ended, read) = tokio::join!(run(writer.into()), read);
        read.and(ended)
    });
    let ended = match ended.await {
        Ok(ended) => ended,
        Err(_) => Err(anyhow::anyhow!("`{shown}` did not end within {patience:?}")),
    };
    ended.with_context(|| format!("{}\n\nhint: all that was said is in {log}", last.join("\n")))
}

fn command(argv: &[&str]) -> Command {
    Command::new(argv[0]).args(&argv[1..])
}

fn spawn(argv: &[&str], streams: Streams) -> Spawn {
    Spawn { argv: argv.iter().map(|&word| word.to_owned()).collect(), cwd: None, streams }
}

/// This program's own file.
pub(super) fn this_program() -> Result<Utf8PathBuf> {
    let path = std::env::current_exe().context("failed to find this program's own file")?;
    Utf8PathBuf::try_from(path).context("this program's path is no UTF-8")
}
