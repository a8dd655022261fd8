//! The program under test, running.

use super::DEADLINE;
use camino::Utf8PathBuf;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};
use std::{
    io::{BufRead, BufReader, Read},
    os::fd::OwnedFd,
    process::{Child, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// The program under test.
pub fn program() -> Utf8PathBuf {
    env!("CARGO_BIN_EXE_xtask").into()
}

/// A running program.
pub struct Running {
    child: Child,
    handle: OwnedFd,
    stdout: Option<JoinHandle<String>>,
    lines: mpsc::Receiver<String>,
    stderr: String,
    patience: Duration,
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All it wrote to stdout.
    pub stdout: String,
    /// All it wrote to stderr.
    pub stderr: String,
}

impl Running {
    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "a program to be interrupted while it runs")]
    pub fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = std::process::Command::new(program());
        command.args(args).envs(env.iter().copied());
        Self::of(command)
    }

    /// Starts it in a mount namespace of its own, which `prepare`, a shell script, furnishes; the
    /// script's last words are `exec … "$@"`. For root only.
    #[expect(clippy::disallowed_methods, reason = "as above")]
    pub fn start_in_own_mounts(prepare: &str, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = std::process::Command::new("unshare");
        command.args(["--mount", "sh", "-euc", prepare, "sh", program().as_str()]).args(args);
        command.envs(env.iter().copied());
        Self::of(command)
    }

    fn of(mut command: std::process::Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("started");
        let handle = pidfd_open(pid(&child), PidfdFlags::empty()).expect("a handle");
        let mut stdout = child.stdout.take().expect("piped");
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).expect("text");
            text
        });
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _nobody_reads = sender.send(line);
            }
        });
        let (stdout, stderr, patience) = (Some(stdout), String::new(), DEADLINE);
        Self { child, handle, stdout, lines, stderr, patience }
    }

    /// The same, waited for longer than is usual.
    pub fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        pid(&self.child)
    }

    /// Waits for a line on stderr that holds.
    pub fn line(&mut self, mut holds: impl FnMut(&str) -> bool) -> String {
        loop {
            let line = self.lines.recv_timeout(self.patience);
            let line = line.unwrap_or_else(|_| panic!("the line did not come:\n{}", self.stderr));
            self.keep(&line);
            if holds(&line) {
                return line;
            }
        }
    }

    /// Looks again and again, until it finds something or the program ends.
    pub fn until<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            let ended = self.ends_within(Duration::from_millis(2));
            if ended || begun.elapsed() > self.patience {
                let words = self.rest();
                panic!("{what}: did not come about (program ended: {ended}):\n{words}");
            }
        }
    }

    /// Whether it ends within this time.
    pub fn ends_within(&self, time: Duration) -> bool {
        ends_within(&self.handle, time)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("signalled");
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        assert!(self.ends_within(self.patience), "the program does not end:\n{}", self.rest());
        let code = self.child.wait().expect("waited").code();
        let stdout = self.stdout.take().expect("not read before").join().expect("read");
        Ended { code, stdout, stderr: self.rest() }
    }

    /// Waits for its end, which must be a good one.
    pub fn succeed(self) -> Ended {
        let ended = self.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended
    }

    /// All it said until its end; what it said until now, when it is alive.
    fn rest(&mut self) -> String {
        let patience = if self.ends_within(Duration::ZERO) { DEADLINE } else { Duration::ZERO };
        while let Ok(line) = self.lines.recv_timeout(patience) {
            self.keep(&line);
        }
        self.stderr.clone()
    }

    fn keep(&mut self, line: &str) {
        self.stderr += line;
        self.stderr.push('\n');
    }
}

impl Drop for Running {
    /// A failed test leaves nothing running.
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            let _gone = self.child.wait();
        }
    }
}

/// Whether the process ends within this time.
pub fn ends_within(handle: &OwnedFd, time: Duration) -> bool {
    let end = Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).expect("a short time");
        // A signal that another test's child sends may come first.
        match poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&timeout)) {
            Err(Errno::INTR) => {}
            ready => return ready.expect("polled") > 0,
        }
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}
