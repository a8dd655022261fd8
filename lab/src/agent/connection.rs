//! Connections by an agent: to a unix socket of the node, and to and from ports of its loopback.

use super::{Agent, Inner, link::encode, process::Asked, pump};
use anyhow::{Context, Result};
use std::sync::Arc;
use tokio::net::UnixStream;
use wire::frame::{Body, Stream};

impl Agent {
    /// Connects to a unix socket of the node.
    ///
    /// # Errors
    /// When the agent is lost or nobody listens there.
    pub async fn connect(&self, path: &str) -> Result<UnixStream> {
        self.connect_to(path).await
    }

    /// Connects to a TCP port of the node's loopback.
    ///
    /// # Errors
    /// When the agent is lost or nobody listens there.
    pub async fn connect_port(&self, port: u16) -> Result<UnixStream> {
        self.connect_to(&format!(":{port}")).await
    }

    async fn connect_to(&self, what: &str) -> Result<UnixStream> {
        let mut asked = self.inner.ask(Body::Connect(what), None, [true, false])?;
        self.inner.started(&mut asked.started).await?;
        self.inner.join_up(asked)
    }

    /// Listens on a port of the node's loopback, which the node chooses: what connects there is
    /// given to us. Other machines do not reach it, and it ends with the agent.
    ///
    /// # Errors
    /// When the agent is lost or cannot listen.
    pub async fn listen(&self) -> Result<Listener> {
        let mut asked = self.inner.ask(Body::Listen, None, [false, false])?;
        // From here on somebody ends it, also one that is still to begin.
        let mut listener = Listener {
            inner: Arc::clone(&self.inner),
            channel: asked.channel,
            port: 0,
            next: None,
        };
        let port = self.inner.started(&mut asked.started).await?;
        listener.port = u16::try_from(port)?;
        Ok(listener)
    }
}

/// A port of a node's loopback. Dropping this ends it; connections that stand go on.
#[derive(Debug)]
pub struct Listener {
    inner: Arc<Inner>,
    channel: u32,
    port: u16,
    /// The next connection, which was asked for and has not come.
    next: Option<Asked>,
}

impl Listener {
    /// The port, on `127.0.0.1` of the node.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the next connection. Who stops waiting loses none.
    ///
    /// # Errors
    /// When the agent is lost, or cannot take connections any more.
    pub async fn accept(&mut self) -> Result<UnixStream> {
        let asked = match self.next.take() {
            Some(asked) => asked,
            None => self.inner.ask(Body::Accept(self.channel), None, [true, false])?,
        };
        let asked = self.next.insert(asked);
        let started = self.inner.started(&mut asked.started).await;
        let asked = self.next.take().context("no connection was asked for")?;
        started?;
        self.inner.join_up(asked)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Refuses the connection that was asked for, too.
        self.inner.send(self.channel, Body::Kill);
    }
}

impl Inner {
    /// The connection of a channel that has begun. It keeps the agent, as a process does.
    fn join_up(&self, asked: Asked) -> Result<UnixStream> {
        let (near, far) = UnixStream::pair()?;
        let (reader, writer) = far.into_split();
        let channel = asked.channel;
        let (input, output) = (self.place(channel, Stream::In), self.place(channel, Stream::Out));
        let [pieces, _] = asked.outputs;
        let frames = self.frames.clone();
        tokio::spawn(async move {
            let receiving = async {
                if let Some(pieces) = pieces {
                    pump::write_out(output, pieces, writer).await;
                }
            };
            tokio::join!(pump::read_in(input, asked.room, reader), receiving);
            let _lost = frames.send(encode(channel, Body::Kill));
        });
        Ok(near)
    }
}
