//! A port of this node's loopback, and which channels its next connections are for.

use super::channel::Channel;
use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, TcpListener},
    os::fd::{AsRawFd, OwnedFd},
};

/// Nobody on other machines reaches it. It ends with the agent.
pub struct Listener {
    socket: TcpListener,
    /// Channels that wait, the first first.
    waiting: VecDeque<u32>,
}

impl Listener {
    /// Listens; the kernel chooses the port, which is given too.
    pub fn open() -> Result<(Self, u16), String> {
        let opened = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| {
            socket.set_nonblocking(true)?;
            let port = socket.local_addr()?.port();
            Ok((Self { socket, waiting: VecDeque::new() }, port))
        });
        opened.map_err(|error| format!("failed to listen on the loopback: {error}"))
    }

    /// The next connection that nobody waits for yet is this channel's.
    pub fn want(&mut self, channel: u32) {
        self.waiting.push_back(channel);
    }

    /// This channel waits no more; whether it did.
    pub fn forget(&mut self, channel: u32) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| *waiting != channel);
        self.waiting.len() < before
    }

    /// Channels that wait.
    pub fn waiting(self) -> impl Iterator<Item = u32> {
        self.waiting.into_iter()
    }

    /// What to wait for: connections, as long as somebody wants them. Others stay in the kernel's
    /// queue.
    pub fn watch(&self) -> Option<i32> {
        (!self.waiting.is_empty()).then(|| self.socket.as_raw_fd())
    }

    /// The next connection that has come, and its channel.
    pub fn next(&mut self) -> Option<(u32, Result<Channel, String>)> {
        let channel = *self.waiting.front()?;
        let connected = match self.socket.accept() {
            Ok((stream, _)) => (|| {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                Ok((OwnedFd::from(stream.try_clone()?), OwnedFd::from(stream)))
            })(),
            // Whoever had come has gone again.
            Err(error) if is_passing(&error) => return None,
            Err(error) => Err(error),
        };
        self.waiting.pop_front();
        let connected: io::Result<(OwnedFd, OwnedFd)> = connected;
        let channel_of = |(input, output)| Channel::connection(input, output);
        let failed = |error: io::Error| format!("failed to take a connection: {error}");
        Some((channel, connected.map(channel_of).map_err(failed)))
    }
}

fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted)
}
