//! Moves bytes between frames and the ends that processes' owners hold: pipes, or open files.

use super::link::{WeakFrames, encode};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fd::OwnedFd,
};
use std::{
    fs::File,
    io::{PipeReader, PipeWriter, Read, Write},
    sync::Arc,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    runtime::Handle,
    sync::{Semaphore, mpsc, oneshot, watch},
};
use wire::frame::{Body, CHUNK_BYTES, Stream, WINDOW_BYTES};

/// Room is given back in pieces of this size, so that small messages need no answer each.
const GRANT_BYTES: usize = WINDOW_BYTES as usize / 4;

/// Something for who writes a stream out.
#[derive(Debug)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    /// The stream has ended.
    End,
    /// Tell when everything before this has been written.
    Flush(oneshot::Sender<()>),
}

/// One stream of one channel, as the agent knows it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub frames: WeakFrames,
    pub channel: u32,
    pub stream: Stream,
}

impl Place {
    fn send(&self, body: Body<'_>) {
        if let Some(frames) = self.frames.upgrade() {
            let _lost = frames.send(encode(self.channel, body));
        }
    }

    /// Gives room back for what was passed on.
    fn passed_on(&self, total: &mut usize, bytes: usize) {
        *total += bytes;
        if *total >= GRANT_BYTES {
            self.send(Body::Window(self.stream, u32::try_from(*total).unwrap_or(u32::MAX)));
            *total = 0;
        }
    }
}

/// Writes what the agent sends to `target` until there is no more.
pub(super) async fn write_out(
    place: Place,
    mut pieces: mpsc::UnboundedReceiver<Piece>,
    target: impl AsyncWrite + Unpin,
) {
    let (mut target, mut total) = (Some(target), 0);
    while let Some(piece) = pieces.recv().await {
        match piece {
            Piece::Bytes(bytes) => {
                let Some(pipe) = &mut target else { continue };
                if pipe.write_all(&bytes).await.is_ok() {
                    place.passed_on(&mut total, bytes.len());
                } else {
                    target = None;
                    place.send(Body::End(place.stream));
                }
            }
            Piece::End => {
                if let Some(mut pipe) = target.take() {
                    let _unread = pipe.shutdown().await;
                }
            }
            Piece::Flush(done) => {
                let _nobody_waits = done.send(());
            }
        }
    }
}

/// As [`write_out`], to an open file of any kind; blocks.
pub(super) fn write_out_blocking(
    place: &Place,
    mut pieces: mpsc::UnboundedReceiver<Piece>,
    target: OwnedFd,
) {
    let (mut target, mut total) = (Some(File::from(target)), 0);
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Bytes(bytes) => {
                let Some(file) = &mut target else { continue };
                if write_all(file, &bytes).is_ok() {
                    place.passed_on(&mut total, bytes.len());
                } else {
                    target = None;
                    place.send(Body::End(place.stream));
                }
            }
            Piece::End => target = None,
            Piece::Flush(done) => {
                let _nobody_waits = done.send(());
            }
        }
    }
}

/// Others who have this file open may have made it non-blocking.
fn write_all(file: &mut File, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(file, PollFlags::OUT)], None)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What the agent has room for, and whether somebody reads it.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub bytes: Arc<Semaphore>,
    pub unread: watch::Receiver<bool>,
}

impl Room {
    /// Waits for room for a chunk; false when nobody reads any more.
    async fn reserve(&mut self) -> bool {
        tokio::select! {
            biased;
            () = until_unread(&mut self.unread) => false,
            permits = self.bytes.acquire_many(CHUNK_BYTES as u32) => {
                permits.map(tokio::sync::SemaphorePermit::forget).is_ok()
            }
        }
    }

    /// Gives back what was reserved and not used.
    fn return_unused(&self, used: usize) {
        self.bytes.add_permits(CHUNK_BYTES - used);
    }
}

async fn until_unread(unread: &mut watch::Receiver<bool>) {
    // That the channel is gone means the same.
    let _gone = unread.wait_for(|unread| *unread).await;
}

/// Sends what can be read from `source`, to its end or until nobody wants it.
pub(super) async fn read_in(place: Place, mut room: Room, mut source: impl AsyncRead + Unpin) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while room.reserve().await {
        let read = tokio::select! {
            biased;
            () = until_unread(&mut room.unread) => break,
            read = source.read(&mut chunk) => read.unwrap_or(0),
        };
        if read == 0 {
            break;
        }
        room.return_unused(read);
        place.send(Body::Data(place.stream, &chunk[..read]));
    }
    place.send(Body::End(place.stream));
}

/// As [`read_in`], from an open file of any kind; blocks. `stop` ends it when its other end is
/// closed. What comes later stays unread, for whoever has the file after us.
pub(super) fn read_in_blocking(
    place: &Place,
    mut room: Room,
    source: OwnedFd,
    stop: &PipeReader,
    runtime: &Handle,
) {
    let (mut source, mut chunk) = (File::from(source), vec![0; CHUNK_BYTES]);
    while runtime.block_on(room.reserve()) {
        let mut ready = [PollFd::new(&source, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        let polled = poll(&mut ready, None);
        if polled == Err(rustix::io::Errno::INTR) {
            room.return_unused(0);
            continue;
        }
        if polled.is_err() || !ready[1].revents().is_empty() {
            break;
        }
        match source.read(&mut chunk) {
            Ok(read) if read > 0 => {
                room.return_unused(read);
                place.send(Body::Data(place.stream, &chunk[..read]));
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => room.return_unused(0),
            _ => break,
        }
    }
    place.send(Body::End(place.stream));
}

/// Keeps `stop` open until nobody reads the stream any more.
pub(super) async fn hold_until_unread(mut unread: watch::Receiver<bool>, stop: PipeWriter) {
    until_unread(&mut unread).await;
    drop(stop);
}
