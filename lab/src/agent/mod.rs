//! The harness's side of an agent on a node: processes, connections and clocks of another machine
//! over one byte stream, whatever carries it. The other side is `observer agent`, what they say is
//! [`wire::frame`].
//!
//! A process looks as one of this machine: the ends of its streams are real pipes, and tasks move
//! the bytes between them and the frames. With the agent, everything that it started ends.

mod connection;
mod files;
mod link;
mod process;
mod pump;

pub use connection::Listener;
pub(crate) use files::{Parcel, RECEIVE};

use crate::node::ClockOffset;
use anyhow::{Context, Result, bail};
use link::{ClockRead, Frames, Incoming, Sink, Table, encode};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, oneshot},
};
use wire::frame::{Body, PROTOCOL};

/// Round trips of a clock measurement, of which the shortest counts.
const CLOCK_PINGS: usize = 15;

/// An agent. Clones are the same agent; it ends with the last of them and of its processes.
#[derive(Clone, Debug)]
pub struct Agent {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    about: About,
    frames: Frames,
    table: Arc<Table>,
    next_channel: AtomicU32,
    delivered: files::Delivered,
}

/// What an agent says of itself and its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The user it runs as; 0 is root.
    pub uid: u32,
    /// Version of the observer that it is.
    pub version: String,
    /// Name of the node's boot: another after every start of the machine.
    pub boot_id: String,
    /// Folder on the node in which we keep files.
    pub folder: String,
}

impl Agent {
    /// Takes up a connection to an agent. `last_words` tells what became of the connection, once
    /// it has ended (what `ssh` said, say); empty when nothing is known.
    ///
    /// # Errors
    /// When what answers is no agent of this version.
    pub async fn over(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        last_words: impl Future<Output = String> + Send + 'static,
    ) -> Result<Self> {
        let mut incoming = Incoming::new(reader);
        let about = match incoming.next().await {
            Ok(Some(frame)) => about(frame.body)?,
            Ok(None) => {
                let words = last_words.await;
                bail!("the agent ended before it had begun: {words}")
            }
            Err(error) => return Err(error).context("what answers is no agent"),
        };
        let table = Arc::new(Table::default());
        let (frames, to_send) = mpsc::unbounded_channel();
        tokio::spawn(link::send(writer, to_send));
        tokio::spawn(link::keep_alive(frames.downgrade()));
        let known = Arc::clone(&table);
        tokio::spawn(async move { link::receive(incoming, &known, last_words).await });
        let next_channel = AtomicU32::new(1);
        let delivered = files::Delivered::default();
        Ok(Self { inner: Arc::new(Inner { about, frames, table, next_channel, delivered }) })
    }

    /// What it says of itself.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.inner.about
    }

    /// Whether both are one agent.
    #[must_use]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Why the connection is lost; `None` while it stands.
    #[must_use]
    pub fn lost(&self) -> Option<String> {
        self.inner.table.lost()
    }

    /// Whether it answers.
    pub async fn is_alive(&self) -> bool {
        self.lost().is_none() && self.read_clock().await.is_ok()
    }

    /// Measures how far the node's wall clock is from ours.
    ///
    /// Of several round trips the shortest counts: the node read its clock within it, and half of
    /// it is the error. The offset is that to our clock in its middle.
    ///
    /// # Errors
    /// When the agent is lost.
    pub async fn clock_offset(&self) -> Result<ClockOffset> {
        let mut best: Option<(Duration, i128)> = None;
        for _ in 0..CLOCK_PINGS {
            let (sent, sent_wall) = (Instant::now(), SystemTime::now());
            let answer = self.read_clock().await?;
            let round_trip = answer.arrived.saturating_duration_since(sent);
            let middle = sent_wall.duration_since(UNIX_EPOCH)? + round_trip / 2;
            let offset_ns = i128::from(answer.wall_ns) - i128::try_from(middle.as_nanos())?;
            if best.is_none_or(|(shortest, _)| round_trip < shortest) {
                best = Some((round_trip, offset_ns));
            }
        }
        let (round_trip, offset_ns) = best.context("no clock was read")?;
        let error_ns = u64::try_from(round_trip.as_nanos())?.div_ceil(2);
        Ok(ClockOffset { offset_ns, error_ns })
    }

    async fn read_clock(&self) -> Result<ClockRead> {
        let (clock, answer) = oneshot::channel();
        let channel = self.inner.add(Sink { clock: Some(clock), ..Sink::default() })?;
        self.inner.send(channel, Body::Clock);
        answer.await.map_err(|_| self.inner.table.lost_error())
    }
}

impl Inner {
    /// Opens a channel.
    fn add(&self, sink: Sink) -> Result<u32> {
        let channel = self.next_channel.fetch_add(1, Ordering::Relaxed);
        self.table.add(channel, sink)?;
        Ok(channel)
    }

    fn send(&self, channel: u32, body: Body<'_>) {
        // Who waits for the answer hears that the agent is lost.
        let _lost = self.frames.send(encode(channel, body));
    }
}

fn about(body: Body<'_>) -> Result<About> {
    let Body::Hello(hello) = body else { bail!("what answers is no agent: {body:?}") };
    if hello.protocol != PROTOCOL {
        let theirs = hello.protocol;
        bail!("the agent is of another version: it speaks protocol {theirs}, we speak {PROTOCOL}");
    }
    Ok(About {
        uid: hello.uid,
        version: hello.version.to_owned(),
        boot_id: hello.boot_id.to_owned(),
        folder: hello.folder.to_owned(),
    })
}
