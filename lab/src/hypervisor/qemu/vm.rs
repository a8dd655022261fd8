//! One QEMU process.

use super::{
    arguments::VmSpec,
    qmp::{Event, Qmp},
};
use crate::node::{Exit, Node, Process, Spawn, Streams};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{io::AsyncReadExt, net::unix::pipe, sync::mpsc, task::JoinHandle};

/// QEMU may take this long to greet; far more than it ever needs, on a node that is a virtual
/// machine itself, too.
const GREETING_DEADLINE: Duration = Duration::from_secs(60);

/// Upper bound of what is kept of QEMU's own words, in bytes.
const LONGEST_WORDS: usize = 64 << 10;

/// A running QEMU. Dropping it kills it.
#[derive(Debug)]
pub struct Vm {
    qmp: Qmp,
    process: Process,
    words: Arc<Mutex<String>>,
    listener: JoinHandle<()>,
    /// Its events, in order.
    pub events: mpsc::UnboundedReceiver<Event>,
}

impl Vm {
    /// Starts QEMU on a node and opens its monitor.
    ///
    /// # Errors
    /// When it does not come up; the error has its own words.
    pub async fn start(node: &Node, spec: &VmSpec) -> Result<Self> {
        let spawn = Spawn { argv: spec.argv(), cwd: None, streams: Streams::piped() };
        let mut process = node.spawn(spawn).await?;
        let words = Arc::new(Mutex::new(String::new()));
        let stderr = process.stderr.take().context("a QEMU without stderr")?;
        let listener = tokio::spawn(keep_words(stderr, Arc::clone(&words)));
        let opened = tokio::time::timeout(GREETING_DEADLINE, Qmp::open(&mut process)).await;
        match opened.unwrap_or_else(|_| {
            Err(anyhow::anyhow!("no QMP greeting within {GREETING_DEADLINE:?}"))
        }) {
            Ok((qmp, events)) => Ok(Self { qmp, process, words, listener, events }),
            Err(error) => {
                process.kill();
                let exit = process.wait().await;
                let _all_read = listener.await;
                let words = words.lock().unwrap_or_else(PoisonError::into_inner).trim().to_owned();
                Err(error.context(format!("QEMU on {} {exit}: {words}", node.name)))
            }
        }
    }

    /// Executes a QMP command.
    ///
    /// # Errors
    /// When QEMU refuses it or is gone.
    pub async fn ask(&self, command: &str, arguments: Value) -> Result<Value> {
        self.qmp.ask(command, arguments).await
    }

    /// Switches migration capabilities on or off.
    ///
    /// # Errors
    /// When QEMU does not know one.
    pub async fn set_capabilities(&self, capabilities: &[(&str, bool)]) -> Result<()> {
        let list: Vec<Value> = capabilities
            .iter()
            .map(|(name, on)| json!({ "capability": name, "state": on }))
            .collect();
        self.ask("migrate-set-capabilities", json!({ "capabilities": list })).await.map(drop)
    }

    /// What QEMU has said on its stderr (and the guest on its serial line), so far.
    #[must_use]
    pub fn words(&self) -> String {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).trim().to_owned()
    }

    /// How the process ended, when it has; does not wait.
    #[must_use]
    pub fn ended(&self) -> Option<Exit> {
        *self.process.exit().borrow()
    }

    /// Waits for the end of the process, apart from everything else that is done with it.
    pub fn exited(&self) -> impl Future<Output = ()> + use<> {
        let mut exit = self.process.exit();
        async move {
            // When nobody can tell of an end any more, the lab is gone, and with it the process.
            let _ended = exit.wait_for(Option::is_some).await;
        }
    }

    /// Waits until the process has ended and all its words are read; gives both.
    pub async fn wait(&mut self) -> (Exit, String) {
        let exit = self.process.wait().await;
        // A task that has ended may not be waited for again, and a second caller may come.
        if !self.listener.is_finished() {
            // Its stderr ends with it, unless a child of its own still holds it.
            let _all_read = tokio::time::timeout(Duration::from_secs(1), &mut self.listener).await;
        }
        (exit, self.words())
    }

    /// Asks for the end; [`Self::wait`] tells when it has come.
    pub fn kill(&self) {
        self.process.kill();
    }
}

/// Keeps the last of what QEMU says.
async fn keep_words(mut stderr: pipe::Receiver, words: Arc<Mutex<String>>) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
        words.push_str(&String::from_utf8_lossy(&buffer[..read]));
        if words.len() > LONGEST_WORDS {
            let cut = words.ceil_char_boundary(words.len() - LONGEST_WORDS);
            words.drain(..cut);
        }
    }
}
