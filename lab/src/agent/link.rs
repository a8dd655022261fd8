//! The byte stream to an agent: who reads it, who writes it, and which channel each frame is for.

use super::pump::Piece;
use crate::node::Exit;
use anyhow::{Result, anyhow, bail};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{Semaphore, mpsc, oneshot, watch},
};
use wire::frame::{Body, Frame, KEEPALIVE_S, SILENCE_S, Stream};

/// What is read at once.
const READ_BYTES: usize = 64 * 1024;

/// The way to the agent; encoded frames.
pub(super) type Frames = mpsc::UnboundedSender<Vec<u8>>;
/// The same, for tasks that must not keep the connection open.
pub(super) type WeakFrames = mpsc::WeakUnboundedSender<Vec<u8>>;

/// A frame as bytes.
pub(super) fn encode(channel: u32, body: Body<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    Frame { channel, body }.encode(&mut bytes);
    bytes
}

/// Both clocks of the node, and when the answer came.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockRead {
    pub wall_ns: u64,
    pub arrived: Instant,
}

/// The end of a process, and what tells when all that it wrote is where it belongs.
#[derive(Debug)]
pub(super) struct Ended {
    pub exit: Exit,
    pub written: Vec<oneshot::Receiver<()>>,
}

/// What a channel's frames are handed to.
#[derive(Debug, Default)]
pub(super) struct Sink {
    pub started: Option<oneshot::Sender<Result<u32, String>>>,
    pub clock: Option<oneshot::Sender<ClockRead>>,
    pub ended: Option<oneshot::Sender<Ended>>,
    pub outputs: [Option<mpsc::UnboundedSender<Piece>>; 2],
    /// Outputs that have not ended.
    pub open: [bool; 2],
    /// Bytes that the agent has room for.
    pub room: Option<Arc<Semaphore>>,
    /// Tells that nobody reads what is sent any more.
    pub unread: Option<watch::Sender<bool>>,
}

/// Every channel that is in use.
#[derive(Debug, Default)]
pub(super) struct Table(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    sinks: HashMap<u32, Sink>,
    lost: Option<String>,
}

impl Table {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a channel.
    pub fn add(&self, channel: u32, sink: Sink) -> Result<()> {
        let mut state = self.state();
        if let Some(reason) = &state.lost {
            bail!("{reason}");
        }
        state.sinks.insert(channel, sink);
        Ok(())
    }

    /// Why the agent is lost, if it is.
    pub fn lost(&self) -> Option<String> {
        self.state().lost.clone()
    }

    /// The error of who was promised an answer.
    pub fn lost_error(&self) -> anyhow::Error {
        anyhow!(self.lost().unwrap_or_else(|| "the agent did not answer".to_owned()))
    }

    fn lose(&self, reason: String) {
        let mut state = self.state();
        state.lost.get_or_insert(reason);
        // Everybody who waits for something of them hears of it by this.
        state.sinks.clear();
    }

    fn handle(&self, frame: Frame<'_>) -> Result<()> {
        let mut state = self.state();
        // Frames of a channel that is over may still be under way.
        let Some(sink) = state.sinks.get_mut(&frame.channel) else { return Ok(()) };
        let mut over = false;
        match frame.body {
            Body::Started(pid) => {
                if let Some(waiting) = sink.started.take() {
                    let _nobody_waits = waiting.send(Ok(pid));
                }
            }
            Body::Refused(reason) => {
                if let Some(waiting) = sink.started.take() {
                    let _nobody_waits = waiting.send(Err(reason.to_owned()));
                }
                over = true;
            }
            Body::Data(stream, bytes) => sink.hand(stream, Piece::Bytes(bytes.to_vec()))?,
            Body::End(Stream::In) => sink.stop_input(),
            Body::End(stream) => {
                sink.hand(stream, Piece::End)?;
                sink.open[output(stream)?] = false;
                over = sink.is_over();
            }
            Body::Window(Stream::In, bytes) => {
                if let Some(room) = &sink.room {
                    room.add_permits(bytes as usize);
                }
            }
            Body::Exited(code) => over = sink.end(Exit::Code(code)),
            Body::Signaled(signal) => over = sink.end(Exit::Signal(signal)),
            Body::ClockRead { wall_ns, .. } => {
                if let Some(waiting) = sink.clock.take() {
                    let read = ClockRead { wall_ns, arrived: Instant::now() };
                    let _nobody_waits = waiting.send(read);
                }
                over = true;
            }
            other => bail!("unexpected frame of the agent: {other:?}"),
        }
        if over {
            state.sinks.remove(&frame.channel);
        }
        Ok(())
    }
}

impl Sink {
    fn hand(&self, stream: Stream, piece: Piece) -> Result<()> {
        if let Some(pump) = &self.outputs[output(stream)?] {
            let _nobody_reads = pump.send(piece);
        }
        Ok(())
    }

    fn stop_input(&self) {
        if let Some(unread) = &self.unread {
            unread.send_replace(true);
        }
    }

    /// The process has ended. Gives whether nothing more is to come.
    fn end(&mut self, exit: Exit) -> bool {
        self.stop_input();
        let mut written = Vec::new();
        for pump in self.outputs.iter().flatten() {
            let (done, waits) = oneshot::channel();
            let _nobody_reads = pump.send(Piece::Flush(done));
            written.push(waits);
        }
        if let Some(waiting) = self.ended.take() {
            let _nobody_waits = waiting.send(Ended { exit, written });
        }
        self.is_over()
    }

    fn is_over(&self) -> bool {
        self.ended.is_none() && self.open == [false, false]
    }
}

fn output(stream: Stream) -> Result<usize> {
    match stream {
        Stream::In => bail!("the agent sent what only it reads"),
        Stream::Out => Ok(0),
        Stream::Err => Ok(1),
    }
}

/// Frames as they come in.
pub(super) struct Incoming<R> {
    reader: R,
    buffer: Vec<u8>,
    used: usize,
}

impl<R: AsyncRead + Unpin> Incoming<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::with_capacity(READ_BYTES), used: 0 }
    }

    /// The next frame; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Frame<'_>>> {
        let mut whole = None;
        while whole.is_none() {
            whole = Frame::split(&self.buffer[self.used..])?.map(|(_, length)| length);
            if whole.is_none() {
                self.buffer.drain(..self.used);
                self.used = 0;
                self.buffer.reserve(READ_BYTES);
                let silence = Duration::from_secs(SILENCE_S);
                let read = self.reader.read_buf(&mut self.buffer);
                let read = tokio::time::timeout(silence, read)
                    .await
                    .map_err(|_| anyhow!("nothing was heard of it for {SILENCE_S} s"))?;
                if read? == 0 {
                    return Ok(None);
                }
            }
        }
        let start = self.used;
        self.used += whole.unwrap_or(0);
        let frame = Frame::split(&self.buffer[start..self.used])?;
        Ok(frame.map(|(frame, _)| frame))
    }
}

/// Hands frames to their channels until the connection ends, then says why it did.
pub(super) async fn receive<R: AsyncRead + Unpin>(
    mut incoming: Incoming<R>,
    table: &Table,
    last_words: impl Future<Output = String>,
) {
    let error = loop {
        match incoming.next().await {
            Ok(Some(frame)) => {
                if let Err(error) = table.handle(frame) {
                    break Some(error);
                }
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    // Nobody may wait for the words, which need the connection's own end.
    let reason = "the connection to the node's agent is lost";
    let words = match error {
        Some(error) => format!("{error:#}"),
        None => last_words.await,
    };
    let reason = if words.is_empty() { reason.to_owned() } else { format!("{reason}: {words}") };
    table.lose(reason);
}

/// Writes frames as soon as they are there, all that are at once.
pub(super) async fn send<W: AsyncWrite + Unpin>(
    mut writer: W,
    mut frames: mpsc::UnboundedReceiver<Vec<u8>>,
) {
    while let Some(mut bytes) = frames.recv().await {
        while let Ok(more) = frames.try_recv() {
            bytes.extend_from_slice(&more);
        }
        // A broken connection is for the reading side to tell.
        if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
    let _gone_already = writer.shutdown().await;
}

/// Lets the agent know that we are there, and us that it is.
pub(super) async fn keep_alive(frames: WeakFrames) {
    let mut ticks = tokio::time::interval(Duration::from_secs(KEEPALIVE_S));
    loop {
        ticks.tick().await;
        let Some(frames) = frames.upgrade() else { return };
        // Channel 0 is nobody's: the answer's arrival is what counts.
        if frames.send(encode(0, Body::Clock)).is_err() {
            return;
        }
    }
}
