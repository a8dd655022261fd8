//! The protocol between the harness and the agent on a node: frames on one byte stream each way.
//!
//! Layout: one byte of kind, one of stream, the channel and the length of what follows
//! (little-endian, four bytes each), then that many bytes. A channel is a process, a connection or a
//! listener; the harness numbers them and never takes a number twice.
//!
//! **Flow control.** On each stream of a channel, at most [`WINDOW_BYTES`] are under way until the
//! receiver says by [`Body::Window`] how many of them it has passed on. A slow reader of one
//! stream thus never holds up another.

mod words;

pub use words::{Words, pack};

/// Version of this protocol; both sides must have the same.
pub const PROTOCOL: u32 = 3;

/// Bytes of a frame before its payload.
pub const HEADER_BYTES: usize = 10;

/// Longest payload, bytes: a process with all its arguments and variables.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// Bytes of one stream that may be under way.
pub const WINDOW_BYTES: u32 = 256 * 1024;

/// Most bytes of one [`Body::Data`]: what another channel may have to wait for.
pub const CHUNK_BYTES: usize = 32 * 1024;

/// Each side takes the other for lost when it has heard nothing for this long. TCP alone would
/// take hours to notice that a machine is gone.
pub const SILENCE_S: u64 = 60;

/// The harness says something at least this often.
pub const KEEPALIVE_S: u64 = 5;

/// One of the streams of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// To the process, or to who is connected.
    In,
    /// From the process's stdout, or from who is connected.
    Out,
    /// From the process's stderr.
    Err,
}

impl Stream {
    const ALL: [Self; 3] = [Self::In, Self::Out, Self::Err];
}

/// A process to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spawn<'a> {
    /// For each [`Stream`], whether it is carried; else it is the null device.
    pub carried: [bool; 3],
    /// Working directory; empty for the agent's own.
    pub cwd: &'a str,
    /// Program and arguments.
    pub argv: Words<'a>,
    /// Variables in addition to the agent's own, each `NAME=VALUE`.
    pub env: Words<'a>,
}

/// The first frame of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    /// [`PROTOCOL`] as the agent knows it.
    pub protocol: u32,
    /// The user it runs as; 0 is root.
    pub uid: u32,
    /// The observer's version.
    pub version: &'a str,
    /// Name of the node's boot: another after every start of the machine.
    pub boot_id: &'a str,
    /// Folder in which the agent may keep files.
    pub folder: &'a str,
}

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// Agent: here I am.
    Hello(Hello<'a>),
    /// Harness: start a process.
    Spawn(Spawn<'a>),
    /// Harness: connect to the unix socket of this path, or to a TCP port of the node's loopback,
    /// such as `:8006`.
    Connect(&'a str),
    /// Harness: listen on a TCP port of the node's loopback, until this channel is killed.
    Listen,
    /// Harness: this channel is the next connection to that listener; it has not begun before
    /// somebody connects. Nobody is let in who was not asked for, so the harness sets the pace.
    Accept(u32),
    /// Harness: kill the process and all of its group, break the connection, or end the listener.
    Kill,
    /// Harness: read your clocks.
    Clock,
    /// Both: bytes of a stream.
    Data(Stream, &'a [u8]),
    /// Sender: the stream has ended. Receiver: nobody reads it any more.
    End(Stream),
    /// Receiver: so many bytes more of this stream may be sent.
    Window(Stream, u32),
    /// Agent: the process runs, with this number; the listener listens, at this port; 0 for a
    /// connection that stands.
    Started(u32),
    /// Agent: not done, for this reason.
    Refused(&'a str),
    /// Agent: the process ended by itself with this code.
    Exited(i32),
    /// Agent: the process was ended by this signal.
    Signaled(i32),
    /// Agent: wall clock and monotonic clock, nanoseconds.
    ClockRead {
        /// `CLOCK_REALTIME`.
        wall_ns: u64,
        /// `CLOCK_MONOTONIC`.
        monotonic_ns: u64,
    },
}

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Whom it concerns; 0 is the agent itself.
    pub channel: u32,
    /// What it says.
    pub body: Body<'a>,
}

/// Why bytes are no frame. The byte stream cannot be used any further then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A kind or stream that this version does not know.
    UnknownCode,
    /// A payload that is longer or shorter than its kind allows.
    Length,
    /// Text that is not UTF-8.
    Text,
}

impl core::fmt::Display for FrameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::UnknownCode => "a frame with an unknown code",
            Self::Length => "a frame of the wrong length",
            Self::Text => "a frame whose text is not UTF-8",
        })
    }
}

impl core::error::Error for FrameError {}

impl<'a> Frame<'a> {
    /// Appends the frame to `out`.
    pub fn encode(&self, out: &mut impl for<'b> Extend<&'b u8>) {
        let mut length = 0;
        self.body.write(&mut |bytes| length += bytes.len());
        let (kind, stream) = self.body.codes();
        out.extend(&[kind, stream]);
        out.extend(&self.channel.to_le_bytes());
        // Longer ones do not pass `Frame::split`.
        out.extend(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        self.body.write(&mut |bytes| out.extend(bytes));
    }

    /// Takes the first frame off `buffer`: the frame, and the number of its bytes. `None` when it
    /// is not all there yet.
    ///
    /// # Errors
    /// When these bytes do not begin a frame.
    pub fn split(buffer: &'a [u8]) -> Result<Option<(Self, usize)>, FrameError> {
        let Some((header, rest)) = buffer.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let [kind, stream, c0, c1, c2, c3, l0, l1, l2, l3] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if length > MAX_PAYLOAD_BYTES {
            return Err(FrameError::Length);
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let channel = u32::from_le_bytes([c0, c1, c2, c3]);
        let body = Body::read(kind, stream, payload)?;
        Ok(Some((Self { channel, body }, HEADER_BYTES + length)))
    }
}

impl<'a> Body<'a> {
    fn codes(&self) -> (u8, u8) {
        match self {
            Self::Hello(_) => (1, 0),
            Self::Spawn(_) => (2, 0),
            Self::Connect(_) => (3, 0),
            Self::Kill => (4, 0),
            Self::Clock => (5, 0),
            Self::Data(stream, _) => (6, *stream as u8),
            Self::End(stream) => (7, *stream as u8),
            Self::Window(stream, _) => (8, *stream as u8),
            Self::Started(_) => (9, 0),
            Self::Refused(_) => (10, 0),
            Self::Exited(_) => (11, 0),
            Self::Signaled(_) => (12, 0),
            Self::ClockRead { .. } => (13, 0),
            Self::Listen => (14, 0),
            Self::Accept(_) => (15, 0),
        }
    }

    /// Hands the payload to `put`, piece by piece.
    fn write(&self, put: &mut dyn FnMut(&[u8])) {
        match self {
            Self::Hello(hello) => {
                put(&hello.protocol.to_le_bytes());
                put(&hello.uid.to_le_bytes());
                for text in [hello.version, hello.boot_id, hello.folder] {
                    words::write(text, put);
                }
            }
            Self::Spawn(spawn) => {
                put(&spawn.carried.map(u8::from));
                words::write(spawn.cwd, put);
                put(&spawn.argv.count().to_le_bytes());
                put(spawn.argv.bytes());
                put(spawn.env.bytes());
            }
            Self::Connect(text) | Self::Refused(text) => put(text.as_bytes()),
            Self::Listen | Self::Kill | Self::Clock | Self::End(_) => {}
            Self::Data(_, bytes) => put(bytes),
            Self::Window(_, number) | Self::Started(number) | Self::Accept(number) => {
                put(&number.to_le_bytes());
            }
            Self::Exited(number) | Self::Signaled(number) => put(&number.to_le_bytes()),
            Self::ClockRead { wall_ns, monotonic_ns } => {
                put(&wall_ns.to_le_bytes());
                put(&monotonic_ns.to_le_bytes());
            }
        }
    }

    fn read(kind: u8, stream: u8, payload: &'a [u8]) -> Result<Self, FrameError> {
        let mut rest = payload;
        let stream = *Stream::ALL.get(usize::from(stream)).ok_or(FrameError::UnknownCode)?;
        let body = match kind {
            1 => Self::Hello(Hello {
                protocol: u32::from_le_bytes(words::array(&mut rest)?),
                uid: u32::from_le_bytes(words::array(&mut rest)?),
                version: words::read(&mut rest)?,
                boot_id: words::read(&mut rest)?,
                folder: words::read(&mut rest)?,
            }),
            2 => {
                let carried = words::array::<3>(&mut rest)?.map(|code| code != 0);
                let cwd = words::read(&mut rest)?;
                let count = u32::from_le_bytes(words::array(&mut rest)?);
                let argv = Words::take(&mut rest, count)?;
                let env = Words::unpack(core::mem::take(&mut rest))?;
                Self::Spawn(Spawn { carried, cwd, argv, env })
            }
            3 => Self::Connect(words::text(core::mem::take(&mut rest))?),
            4 => Self::Kill,
            5 => Self::Clock,
            6 => Self::Data(stream, core::mem::take(&mut rest)),
            7 => Self::End(stream),
            8 => Self::Window(stream, u32::from_le_bytes(words::array(&mut rest)?)),
            9 => Self::Started(u32::from_le_bytes(words::array(&mut rest)?)),
            10 => Self::Refused(words::text(core::mem::take(&mut rest))?),
            11 => Self::Exited(i32::from_le_bytes(words::array(&mut rest)?)),
            12 => Self::Signaled(i32::from_le_bytes(words::array(&mut rest)?)),
            13 => Self::ClockRead {
                wall_ns: u64::from_le_bytes(words::array(&mut rest)?),
                monotonic_ns: u64::from_le_bytes(words::array(&mut rest)?),
            },
            14 => Self::Listen,
            15 => Self::Accept(u32::from_le_bytes(words::array(&mut rest)?)),
            _ => return Err(FrameError::UnknownCode),
        };
        if rest.is_empty() { Ok(body) } else { Err(FrameError::Length) }
    }
}
