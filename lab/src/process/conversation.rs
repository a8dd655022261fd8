//! A program that one talks with for as long as it runs.

use super::{Command, Error};
use std::{os::unix::process::CommandExt, process::Stdio, time::Duration};
use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStdin, ChildStdout},
    task::JoinHandle,
};

/// Of what the program writes to stderr, so much is kept: its last words.
const KEPT_BYTES: usize = 16 * 1024;

/// A running program and its streams. It is killed when this is dropped.
#[derive(Debug)]
pub struct Conversation {
    /// What it reads.
    pub stdin: ChildStdin,
    /// What it writes.
    pub stdout: ChildStdout,
    /// Its end.
    pub ending: Ending,
}

/// The end of a program one talks with. The program is killed when this is dropped.
#[derive(Debug)]
pub struct Ending {
    child: Child,
    stderr: JoinHandle<Vec<u8>>,
}

impl Command {
    /// Starts it to be talked with, in a session of its own: a Ctrl-C at the terminal does not
    /// reach it, and it cannot ask anybody there. Its input and timeout are not applied.
    ///
    /// # Errors
    /// When it cannot be started.
    #[expect(unsafe_code, reason = "a child must leave our session between fork and exec")]
    pub fn converse(&self) -> Result<Conversation, Error> {
        let mut command = self.build()?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // SAFETY: setsid is async-signal-safe, and the closure allocates nothing.
        unsafe {
            command.pre_exec(|| rustix::process::setsid().map(drop).map_err(Into::into));
        }
        let mut command = tokio::process::Command::from(command);
        let mut child = command.kill_on_drop(true).spawn().map_err(|e| self.not_started(e))?;
        let lost = || self.not_started(std::io::Error::other("no pipe to it"));
        let stdin = child.stdin.take().ok_or_else(lost)?;
        let stdout = child.stdout.take().ok_or_else(lost)?;
        let mut pipe = child.stderr.take().ok_or_else(lost)?;
        let stderr = tokio::spawn(async move {
            let (mut kept, mut chunk) = (Vec::new(), [0; 4096]);
            while let Ok(read @ 1..) = pipe.read(&mut chunk).await {
                kept.extend_from_slice(&chunk[..read]);
                kept.drain(..kept.len().saturating_sub(KEPT_BYTES));
            }
            kept
        });
        Ok(Conversation { stdin, stdout, ending: Ending { child, stderr } })
    }
}

impl Ending {
    /// Waits for the end, and gives the program's last words. A program that takes longer than
    /// `patience` is killed.
    pub async fn last_words(mut self, patience: Duration) -> String {
        if tokio::time::timeout(patience, self.child.wait()).await.is_err() {
            let _gone_already = self.child.kill().await;
        }
        // Somebody else may hold its stderr open.
        let words = tokio::time::timeout(patience, self.stderr).await;
        let words = words.ok().and_then(Result::ok).unwrap_or_default();
        String::from_utf8_lossy(&words).trim().to_owned()
    }
}
