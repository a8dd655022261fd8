//! What is to be sent to the harness.

use super::descriptor;
use std::io;
use wire::frame::{Body, Frame};

/// With this much waiting, no more is read from processes.
const FULL_BYTES: usize = 256 * 1024;

/// Frames that have not gone out yet.
#[derive(Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    /// Adds a frame.
    pub fn push(&mut self, channel: u32, body: Body<'_>) {
        Frame { channel, body }.encode(&mut self.bytes);
    }

    /// Whether everything is sent.
    pub fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Whether the connection is slower than the processes.
    pub fn is_full(&self) -> bool {
        self.bytes.len() - self.sent >= FULL_BYTES
    }

    /// Sends what the connection takes now.
    pub fn flush(&mut self) -> io::Result<()> {
        while !self.is_empty() {
            let Some(sent) = descriptor::write(1, &self.bytes[self.sent..])? else { break };
            self.sent += sent;
        }
        if self.is_empty() {
            self.bytes.clear();
            self.sent = 0;
        } else if self.sent >= FULL_BYTES {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        Ok(())
    }
}
