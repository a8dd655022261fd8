//! Waiting for a started program while its pipes are served, blocking or not.

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};
use std::{
    io::{self, Read, Write},
    process::{Child, ExitStatus},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How a program ended; without a status it was killed for taking too long.
pub(super) struct Ended {
    pub status: Option<ExitStatus>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Waits for `child`, which has pipes for stdout and stderr (and for stdin when there is input).
pub(super) fn blocking(
    mut child: Child,
    input: Option<Vec<u8>>,
    timeout: Option<Duration>,
) -> io::Result<Ended> {
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        // A program that does not read all of its input is not at fault.
        thread::spawn(move || drop(stdin.write_all(&input)));
    }
    let stdout = child.stdout.take().map(Reader::start);
    let stderr = child.stderr.take().map(Reader::start);
    let status = match timeout {
        None => Some(child.wait()?),
        Some(timeout) if ends_within(&child, timeout)? => Some(child.wait()?),
        Some(_) => {
            child.kill()?;
            child.wait()?;
            None
        }
    };
    // After a kill a grandchild may still hold the pipes: take what is there.
    let take = |reader: Option<Reader>| reader.map(|r| r.take(status.is_some()));
    Ok(Ended {
        status,
        stdout: take(stdout).unwrap_or_default(),
        stderr: take(stderr).unwrap_or_default(),
    })
}

/// As [`blocking`], on tokio. The child must have been made with `kill_on_drop`.
pub(super) async fn asynchronous(
    mut child: tokio::process::Child,
    input: Option<Vec<u8>>,
    timeout: Option<Duration>,
) -> io::Result<Ended> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let stdin = child.stdin.take();
    let work = async {
        let write = async {
            if let (Some(mut stdin), Some(input)) = (stdin, input) {
                drop(stdin.write_all(&input).await);
            }
            Ok(())
        };
        let read_out = async {
            match &mut out {
                Some(pipe) => pipe.read_to_end(&mut stdout).await.map(drop),
                None => Ok(()),
            }
        };
        let read_err = async {
            match &mut err {
                Some(pipe) => pipe.read_to_end(&mut stderr).await.map(drop),
                None => Ok(()),
            }
        };
        tokio::try_join!(child.wait(), write, read_out, read_err).map(|(status, ..)| status)
    };
    let status = match timeout {
        None => Some(work.await?),
        Some(timeout) => match tokio::time::timeout(timeout, work).await {
            Ok(status) => Some(status?),
            Err(_) => {
                child.kill().await?;
                None
            }
        },
    };
    Ok(Ended { status, stdout, stderr })
}

fn ends_within(child: &Child, timeout: Duration) -> io::Result<bool> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("the child has no process id"))?;
    let ended = pidfd_open(pid, PidfdFlags::empty())?;
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A thread that reads a pipe to its end into a buffer others may look at.
struct Reader {
    thread: JoinHandle<()>,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Reader {
    fn start(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let thread = thread::spawn(move || {
            let mut chunk = [0; 16 * 1024];
            // A pipe that cannot be read further has given all that it will.
            while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                shared
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend_from_slice(&chunk[..count]);
            }
        });
        Self { thread, bytes }
    }

    fn take(self, to_the_end: bool) -> Vec<u8> {
        if to_the_end {
            // It cannot panic; if it did, what it had read is still good.
            drop(self.thread.join());
        }
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
