//! How a playbook runs programs on a node.

use crate::node::{Exit, Node, Spawn, Stream, Streams};
use anyhow::{Context, Result};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long what a program wrote may take to come after its end.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Runs programs on one node. There is one for nodes, and one for tests that runs them here.
pub trait Shell: Send + Sync {
    /// The node's name.
    fn name(&self) -> &str;

    /// Runs a program to its end: `input` is what it reads, `said` is told what it writes to
    /// stdout, as it comes. Dropping the future kills the program with all that it started.
    ///
    /// # Errors
    /// When it cannot be started. How it ends is no error.
    fn call(
        &self,
        argv: Vec<String>,
        input: Vec<u8>,
        said: &mut (dyn FnMut(&[u8]) + Send),
    ) -> impl Future<Output = Result<Exit>> + Send;
}

impl Shell for Node {
    fn name(&self) -> &str {
        &self.name
    }

    async fn call(
        &self,
        argv: Vec<String>,
        input: Vec<u8>,
        said: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Exit> {
        let stdin = if input.is_empty() { Stream::Null } else { Stream::Piped };
        let streams = Streams { stdin, stdout: Stream::Piped, stderr: Stream::Null };
        let mut process = self.spawn(Spawn { argv, cwd: None, streams }).await?;
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // A program that does not read all of its input is not at fault.
                let _unread = stdin.write_all(&input).await;
            }
        };
        let read = async {
            let Some(mut stdout) = stdout else { return Ok(()) };
            let mut chunk = vec![0; 16 << 10];
            loop {
                match stdout.read(&mut chunk).await.context("failed to read what it says")? {
                    0 => return Ok::<_, anyhow::Error>(()),
                    count => said(&chunk[..count]),
                }
            }
        };
        let mut ended = process.exit();
        let serve = async {
            tokio::pin!(read);
            tokio::select! {
                result = &mut read => return result,
                _exit_or_lab_lost = ended.wait_for(Option::is_some) => {}
            }
            // What it wrote last may still be on its way; but a daemon that it left behind may
            // hold its stdout open for ever.
            tokio::time::timeout(LAST_WORDS, read).await.unwrap_or(Ok(()))
        };
        tokio::join!(write, serve).1?;
        Ok(process.wait().await)
    }
}
