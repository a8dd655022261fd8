//! Starting processes by an agent.

use super::{
    Agent, Inner,
    link::{Ended, Frames, Sink, encode},
    pump::{self, Piece, Place, Room},
};
use crate::node::{Exit, Process, Spawn, Stream};
use anyhow::{Result, anyhow, bail};
use rustix::fd::OwnedFd;
use std::sync::Arc;
use tokio::{
    net::unix::pipe,
    runtime::Handle,
    sync::{Semaphore, mpsc, oneshot, watch},
};
use wire::frame::{self, Body, HEADER_BYTES, MAX_PAYLOAD_BYTES, WINDOW_BYTES, Words};

/// A channel that the agent was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub channel: u32,
    pub started: oneshot::Receiver<Result<u32, String>>,
    pub room: Room,
    pub outputs: [Option<mpsc::UnboundedReceiver<Piece>>; 2],
}

impl Agent {
    /// Starts a process on the node. It lives no longer than the agent.
    ///
    /// # Errors
    /// When the agent is lost or the program cannot be started.
    pub async fn spawn(&self, spawn: Spawn) -> Result<Process> {
        let [stdin, stdout, stderr] =
            [spawn.streams.stdin, spawn.streams.stdout, spawn.streams.stderr];
        let carried = [&stdin, &stdout, &stderr].map(|stream| !matches!(stream, Stream::Null));
        let mut argv = Vec::new();
        frame::pack(&spawn.argv, &mut argv);
        let body = Body::Spawn(frame::Spawn {
            carried,
            cwd: spawn.cwd.as_deref().unwrap_or_default(),
            argv: Words::unpack(&argv)?,
            env: Words::EMPTY,
        });
        let (end, ended) = oneshot::channel();
        let mut asked = self.inner.ask(body, Some(end), [carried[1], carried[2]])?;
        // Everything is joined up before the answer is there: whoever gives up waiting for it drops
        // the process, and thereby ends it.
        let (kill, kill_asked) = mpsc::channel(1);
        let (exit_sender, exit) = watch::channel(None);
        let (frames, channel) = (self.inner.frames.clone(), asked.channel);
        let of_ours = [&stdout, &stderr].map(|stream| matches!(stream, Stream::Of(_)));
        let open: Vec<bool> = of_ours
            .into_iter()
            .zip(&asked.outputs)
            .filter(|o| o.1.is_some())
            .map(|o| o.0)
            .collect();
        tokio::spawn(async move {
            let ended = follow(&frames, channel, ended, kill_asked).await;
            let _nobody_waits = exit_sender.send(Some(settle(ended, &open).await));
        });
        let [out, err] = asked.outputs;
        let place = |stream| self.inner.place(channel, stream);
        let mut process = Process {
            pid: 0,
            stdin: feed(stdin, place(frame::Stream::In), asked.room)?,
            stdout: drain(stdout, place(frame::Stream::Out), out)?,
            stderr: drain(stderr, place(frame::Stream::Err), err)?,
            kill,
            exit,
        };
        process.pid = self.inner.started(&mut asked.started).await?;
        Ok(process)
    }
}

impl Inner {
    /// Asks for a channel. `outputs`: which of them are carried.
    pub(super) fn ask(
        &self,
        body: Body<'_>,
        ended: Option<oneshot::Sender<Ended>>,
        outputs: [bool; 2],
    ) -> Result<Asked> {
        let longest = HEADER_BYTES + MAX_PAYLOAD_BYTES;
        let length = encode(0, body).len();
        if length > longest {
            bail!("a command of {length} bytes; at most {longest} can be sent");
        }
        let (started_sender, started) = oneshot::channel();
        let bytes = Arc::new(Semaphore::new(WINDOW_BYTES as usize));
        let (unread_sender, unread) = watch::channel(false);
        let (mut senders, mut receivers) = ([None, None], [None, None]);
        for index in [0, 1] {
            if outputs[index] {
                let (sender, receiver) = mpsc::unbounded_channel();
                senders[index] = Some(sender);
                receivers[index] = Some(receiver);
            }
        }
        let channel = self.add(Sink {
            started: Some(started_sender),
            clock: None,
            ended,
            outputs: senders,
            open: outputs,
            room: Some(Arc::clone(&bytes)),
            unread: Some(unread_sender),
        })?;
        self.send(channel, body);
        Ok(Asked { channel, started, room: Room { bytes, unread }, outputs: receivers })
    }

    /// Waits until a channel has begun: the number that the agent gives it.
    pub(super) async fn started(
        &self,
        started: &mut oneshot::Receiver<Result<u32, String>>,
    ) -> Result<u32> {
        started.await.map_err(|_| self.table.lost_error())?.map_err(|reason| anyhow!(reason))
    }

    pub(super) fn place(&self, channel: u32, stream: frame::Stream) -> Place {
        Place { frames: self.frames.downgrade(), channel, stream }
    }
}

/// Waits for the end of the process; kills it when asked, or when nobody can ask any more.
async fn follow(
    frames: &Frames,
    channel: u32,
    mut ended: oneshot::Receiver<Ended>,
    mut kill_asked: mpsc::Receiver<()>,
) -> Option<Ended> {
    let mut killing = false;
    loop {
        tokio::select! {
            ended = &mut ended => return ended.ok(),
            _ = kill_asked.recv(), if !killing => {
                killing = true;
                let _lost = frames.send(encode(channel, Body::Kill));
            }
        }
    }
}

/// How the process ended, told only when what it wrote into open files of ours has arrived there.
/// Pipes hold what was written until it is read, so nobody waits for theirs.
async fn settle(ended: Option<Ended>, of_ours: &[bool]) -> Exit {
    let Some(Ended { exit, written }) = ended else { return Exit::NodeLost };
    for (written, of_ours) in written.into_iter().zip(of_ours) {
        if *of_ours {
            let _written_or_broken = written.await;
        }
    }
    exit
}

/// Sends what is written to the process's stdin.
fn feed(stream: Stream, place: Place, room: Room) -> Result<Option<pipe::Sender>> {
    match stream {
        Stream::Null => Ok(None),
        Stream::Piped => {
            let (near, far) = pipe::pipe()?;
            tokio::spawn(pump::read_in(place, room, far));
            Ok(Some(near))
        }
        Stream::Of(source) => {
            let (stop, held) = std::io::pipe()?;
            tokio::spawn(pump::hold_until_unread(room.unread.clone(), held));
            let runtime = Handle::current();
            thread("stdin", move || {
                pump::read_in_blocking(&place, room, source, &stop, &runtime);
            })?;
            Ok(None)
        }
    }
}

/// Passes on what the process writes.
fn drain(
    stream: Stream,
    place: Place,
    pieces: Option<mpsc::UnboundedReceiver<Piece>>,
) -> Result<Option<pipe::Receiver>> {
    let Some(pieces) = pieces else { return Ok(None) };
    match stream {
        Stream::Null => Ok(None),
        Stream::Piped => {
            let (far, near) = pipe::pipe()?;
            tokio::spawn(pump::write_out(place, pieces, far));
            Ok(Some(near))
        }
        Stream::Of(target) => {
            let target: OwnedFd = target;
            thread("output", move || pump::write_out_blocking(&place, pieces, target))?;
            Ok(None)
        }
    }
}

/// A thread of its own: a terminal may take for ever, and the runtime would wait for its own.
fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)?;
    Ok(())
}
