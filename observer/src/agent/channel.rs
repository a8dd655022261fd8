//! A channel: a process, or a connection, with its streams.

use super::{descriptor, outbox::Outbox, reap, reap::End};
use std::{
    net::Shutdown,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
};
use wire::frame::{Body, CHUNK_BYTES, Stream, WINDOW_BYTES};

/// Room is given back in pieces of this size, so that small messages need no answer each.
const GRANT_BYTES: u32 = WINDOW_BYTES / 4;

/// What the harness sends.
struct Input {
    /// `None` when nothing can be written any more.
    descriptor: Option<OwnedFd>,
    pending: Vec<u8>,
    /// The harness has sent the last of it.
    ends: bool,
    /// Written, and not yet given back as room.
    passed_on: u32,
}

/// What the harness reads.
struct Output {
    stream: Stream,
    /// `None` when nothing is to be read any more.
    descriptor: Option<OwnedFd>,
    /// How much the harness has room for.
    room: u32,
}

/// What the channel is about.
enum About {
    Process {
        pid: i32,
        killed: bool,
    },
    /// The process has ended; that is not said before what it wrote has been passed on.
    Ended {
        end: End,
        killed: bool,
    },
    /// That has been said, or there was no process.
    Streams,
}

/// A process or a connection.
pub struct Channel {
    about: About,
    input: Input,
    outputs: [Output; 2],
}

impl Channel {
    /// A process that was started.
    pub fn process(pid: i32, stdin: Option<OwnedFd>, outputs: [Option<OwnedFd>; 2]) -> Self {
        let [out, err] = outputs;
        let output = |stream, descriptor| Output { stream, descriptor, room: WINDOW_BYTES };
        Self {
            about: About::Process { pid, killed: false },
            input: Input { descriptor: stdin, pending: Vec::new(), ends: false, passed_on: 0 },
            outputs: [output(Stream::Out, out), output(Stream::Err, err)],
        }
    }

    /// A connection that stands; both descriptors are the same socket.
    pub fn connection(input: OwnedFd, output: OwnedFd) -> Self {
        let channel = Self::process(0, Some(input), [Some(output), None]);
        Self { about: About::Streams, ..channel }
    }

    /// The process, unless it has ended.
    pub const fn pid(&self) -> Option<i32> {
        match self.about {
            About::Process { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// The process has ended.
    pub fn ended(&mut self, end: End) {
        if let About::Process { killed, .. } = self.about {
            self.about = About::Ended { end, killed };
        }
    }

    /// Kills the process, or breaks the connection.
    pub fn kill(&mut self) {
        match &mut self.about {
            About::Process { pid, killed } => {
                *killed = true;
                reap::kill_group(*pid);
            }
            // Who kills does not wait for what may still be written.
            About::Ended { killed, .. } => *killed = true,
            About::Streams => {
                self.input.descriptor = None;
                self.outputs.iter_mut().for_each(|output| output.descriptor = None);
            }
        }
    }

    /// Bytes for the process; more than it has room for is against the protocol.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        if self.input.descriptor.is_some() {
            self.input.pending.extend_from_slice(bytes);
            if self.input.pending.len() > WINDOW_BYTES as usize {
                return Err("more bytes than there was room for");
            }
        }
        Ok(())
    }

    /// The harness has sent all of a stream, or reads it no more.
    pub fn end(&mut self, stream: Stream) {
        match stream {
            Stream::In => self.input.ends = true,
            Stream::Out => self.outputs[0].descriptor = None,
            Stream::Err => self.outputs[1].descriptor = None,
        }
    }

    /// The harness has room for more of a stream.
    pub fn grant(&mut self, stream: Stream, bytes: u32) {
        for output in &mut self.outputs {
            if output.stream == stream {
                output.room = output.room.saturating_add(bytes);
            }
        }
    }

    /// What to wait for. With the outbox full, nothing more is read.
    pub fn watch(&self, full: bool, polled: &mut Vec<libc::pollfd>) {
        if let Some(descriptor) = &self.input.descriptor
            && !self.input.pending.is_empty()
        {
            polled.push(descriptor::watched(descriptor.as_raw_fd(), libc::POLLOUT));
        }
        for output in &self.outputs {
            if let Some(descriptor) = &output.descriptor
                && output.room > 0
                && !full
            {
                polled.push(descriptor::watched(descriptor.as_raw_fd(), libc::POLLIN));
            }
        }
    }

    /// Moves what can be moved now. `chunk` is room to read into.
    pub fn pump(&mut self, number: u32, outbox: &mut Outbox, chunk: &mut [u8]) {
        self.input.pump(number, outbox, matches!(self.about, About::Streams));
        for output in &mut self.outputs {
            output.pump(number, outbox, chunk);
        }
        if let About::Ended { end, killed } = self.about
            && (killed || !self.outputs.iter().any(Output::has_data))
        {
            outbox.push(
                number,
                match end {
                    End::Code(code) => Body::Exited(code),
                    End::Signal(signal) => Body::Signaled(signal),
                },
            );
            self.about = About::Streams;
        }
    }

    /// Whether nothing more will come of it.
    pub fn is_over(&self) -> bool {
        matches!(self.about, About::Streams)
            && self.input.descriptor.is_none()
            && self.outputs.iter().all(|output| output.descriptor.is_none())
    }
}

impl Input {
    fn pump(&mut self, number: u32, outbox: &mut Outbox, may_be_socket: bool) {
        let Some(pipe) = &self.descriptor else { return };
        while !self.pending.is_empty() {
            match descriptor::write(pipe.as_raw_fd(), &self.pending) {
                Ok(Some(length)) => {
                    self.pending.drain(..length);
                    self.passed_on += length as u32;
                }
                Ok(None) => break,
                Err(_) => {
                    self.descriptor = None;
                    self.pending.clear();
                    outbox.push(number, Body::End(Stream::In));
                    return;
                }
            }
        }
        if self.passed_on >= GRANT_BYTES {
            outbox.push(number, Body::Window(Stream::In, self.passed_on));
            self.passed_on = 0;
        }
        if self.ends
            && self.pending.is_empty()
            && let Some(last) = self.descriptor.take().filter(|_| may_be_socket)
        {
            // Of a connection, our other descriptor keeps it open. A pipe refuses this.
            let _no_socket = UnixStream::from(last).shutdown(Shutdown::Write);
        }
    }
}

impl Output {
    fn pump(&mut self, number: u32, outbox: &mut Outbox, chunk: &mut [u8]) {
        let Some(pipe) = &self.descriptor else { return };
        let most = CHUNK_BYTES.min(self.room as usize).min(chunk.len());
        if most == 0 || outbox.is_full() {
            return;
        }
        match descriptor::read(pipe.as_raw_fd(), &mut chunk[..most]) {
            Ok(None) => {}
            Ok(Some(length)) if length > 0 => {
                self.room -= length as u32;
                outbox.push(number, Body::Data(self.stream, &chunk[..length]));
            }
            // A reset connection ends, too.
            Ok(Some(_)) | Err(_) => {
                self.descriptor = None;
                outbox.push(number, Body::End(self.stream));
            }
        }
    }

    fn has_data(&self) -> bool {
        self.descriptor.as_ref().is_some_and(|pipe| descriptor::has_data(pipe.as_raw_fd()))
    }
}
