//! The harness's side of the supervisor's socket.

use super::protocol::{Request, Response};
use crate::node::{Exit, Process, Spawn, Stream, Streams};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use rustix::{
    fd::{AsFd, OwnedFd},
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
};
use std::{io::IoSlice, mem::MaybeUninit};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Interest},
    net::{UnixStream, unix::pipe},
    sync::{mpsc, watch},
};

/// A supervisor's socket.
#[derive(Clone, Debug)]
pub struct Supervisor {
    socket: Utf8PathBuf,
}

impl Supervisor {
    /// The supervisor that listens at `socket`.
    #[must_use]
    pub fn at(socket: Utf8PathBuf) -> Self {
        Self { socket }
    }

    /// Whether it answers.
    pub async fn is_alive(&self) -> bool {
        UnixStream::connect(&self.socket).await.is_ok()
    }

    /// Starts a process on a node. The process lives no longer than this one.
    ///
    /// # Errors
    /// When the supervisor cannot be reached or the process cannot be started.
    pub async fn spawn(&self, node: &str, spawn: Spawn) -> Result<Process> {
        let (near, far) = streams(spawn.streams)?;
        let request = Request::Exec { node: node.to_owned(), argv: spawn.argv, cwd: spawn.cwd };
        let connection = self.ask(&request, &far).await?;
        drop(far);
        let mut connection = BufReader::new(connection);
        let pid = match next(&mut connection).await? {
            Some(Response::Started { pid }) => pid,
            Some(Response::Refused { reason }) => bail!("{reason}"),
            other => bail!("unexpected answer of the supervisor: {other:?}"),
        };
        let (kill, kill_asked) = mpsc::channel(1);
        let (exit_sender, exit) = watch::channel(None);
        tokio::spawn(async move {
            let _nobody_waits = exit_sender.send(Some(follow(connection, kill_asked).await));
        });
        let [stdin, stdout, stderr] = near;
        Ok(Process {
            pid,
            stdin: stdin.map(pipe::Sender::from_owned_fd).transpose()?,
            stdout: stdout.map(pipe::Receiver::from_owned_fd).transpose()?,
            stderr: stderr.map(pipe::Receiver::from_owned_fd).transpose()?,
            kill,
            exit,
        })
    }

    async fn ask(&self, request: &Request, descriptors: &[OwnedFd]) -> Result<UnixStream> {
        let connection = UnixStream::connect(&self.socket)
            .await
            .with_context(|| format!("failed to reach the lab's supervisor at {}", self.socket))?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        let mut sent = 0;
        while sent < line.len() {
            connection.writable().await?;
            let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            let outcome = connection.try_io(Interest::WRITABLE, || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
                let mut ancillary = SendAncillaryBuffer::new(&mut space);
                if sent == 0 && !borrowed.is_empty() {
                    ancillary.push(SendAncillaryMessage::ScmRights(&borrowed));
                }
                let parts = [IoSlice::new(&line[sent..])];
                sendmsg(&connection, &parts, &mut ancillary, SendFlags::NOSIGNAL)
                    .map_err(Into::into)
            });
            match outcome {
                Ok(bytes) => sent += bytes,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error).context("failed to ask the lab's supervisor"),
            }
        }
        Ok(connection)
    }
}

/// Waits for the end of the process; kills it when asked, or when nobody can ask any more.
async fn follow(mut connection: BufReader<UnixStream>, mut kill_asked: mpsc::Receiver<()>) -> Exit {
    let mut killing = false;
    loop {
        tokio::select! {
            response = next(&mut connection) => return match response {
                Ok(Some(Response::Exited { code })) => Exit::Code(code),
                Ok(Some(Response::Signaled { signal })) => Exit::Signal(signal),
                _ => Exit::LabLost,
            },
            _ = kill_asked.recv(), if !killing => {
                killing = true;
                let request = serde_json::to_string(&Request::Kill).unwrap_or_default() + "\n";
                if connection.get_mut().write_all(request.as_bytes()).await.is_err() {
                    return Exit::LabLost;
                }
            }
        }
    }
}

async fn next(connection: &mut BufReader<UnixStream>) -> Result<Option<Response>> {
    let mut line = String::new();
    if connection.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line)?))
}

type Ends = [Option<OwnedFd>; 3];

/// Our ends of the three streams, and the process's.
fn streams(streams: Streams) -> Result<(Ends, Vec<OwnedFd>)> {
    let (mut near, mut far) = ([None, None, None], Vec::new());
    for (index, stream) in [streams.stdin, streams.stdout, streams.stderr].into_iter().enumerate() {
        far.push(match stream {
            Stream::Null => open_null()?,
            Stream::Of(descriptor) => descriptor,
            Stream::Piped => {
                let (reader, writer) = std::io::pipe()?;
                let (ours, theirs) = if index == 0 {
                    (writer.into(), reader.into())
                } else {
                    (reader.into(), writer.into())
                };
                set_nonblocking(&ours)?;
                near[index] = Some(ours);
                theirs
            }
        });
    }
    Ok((near, far))
}

fn open_null() -> Result<OwnedFd> {
    let null = std::fs::File::options().read(true).write(true).open(Utf8Path::new("/dev/null"))?;
    Ok(null.into())
}

fn set_nonblocking(descriptor: &OwnedFd) -> Result<()> {
    let flags = rustix::fs::fcntl_getfl(descriptor)?;
    rustix::fs::fcntl_setfl(descriptor, flags | rustix::fs::OFlags::NONBLOCK)?;
    Ok(())
}
