//! QMP, QEMU's machine protocol: one JSON object a line, commands with ids, events in between.
//!
//! Everything QEMU says is kept as raw JSON: fields come and go between versions, and a record
//! must not depend on which of them this program knows.

use crate::node::Process;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    sync::{mpsc, oneshot},
};

/// Something QEMU said unasked.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its name, such as `STOP`.
    pub name: String,
    /// Its data; null when it has none.
    pub data: Value,
    /// When it happened: microseconds since 1970 by the wall clock of QEMU's host.
    pub host_us: u64,
}

impl Event {
    /// When it happened, nanoseconds since 1970 by the wall clock of QEMU's host.
    #[must_use]
    pub fn host_ns(&self) -> i128 {
        i128::from(self.host_us) * 1000
    }
}

/// QEMU refused a command, in its own words.
#[derive(Clone, Debug, thiserror::Error)]
#[error("QEMU refused `{command}`: {words}")]
pub struct QmpError {
    /// The command.
    pub command: String,
    /// QEMU's words.
    pub words: String,
}

type Answers = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>>;

type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// A conversation with one QEMU.
pub struct Qmp {
    to_qemu: tokio::sync::Mutex<(Writer, u64)>,
    answers: Answers,
}

impl std::fmt::Debug for Qmp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Qmp").finish_non_exhaustive()
    }
}

impl Qmp {
    /// Opens the conversation on a process's stdin and stdout; gives it and QEMU's events, which
    /// end when QEMU does.
    ///
    /// # Errors
    /// When QEMU says nothing, or no QMP.
    pub async fn open(process: &mut Process) -> Result<(Self, mpsc::UnboundedReceiver<Event>)> {
        let to_qemu = process.stdin.take().context("a QEMU without stdin")?;
        let from_qemu = process.stdout.take().context("a QEMU without stdout")?;
        Self::over(from_qemu, to_qemu).await
    }

    /// Opens the conversation on what QEMU's monitor is reached by, such as the halves of a unix
    /// socket's connection; gives it and QEMU's events, which end when QEMU does.
    ///
    /// # Errors
    /// When QEMU says nothing, or no QMP. A monitor that serves somebody else says nothing and
    /// does not end: the caller needs a deadline.
    pub async fn over(
        from_qemu: impl AsyncRead + Send + Unpin + 'static,
        to_qemu: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Event>)> {
        let mut from_qemu = BufReader::new(from_qemu);
        let mut greeting = String::new();
        from_qemu.read_line(&mut greeting).await?;
        if !greeting.starts_with("{\"QMP\"") {
            bail!("no QMP greeting");
        }
        let answers: Answers = Arc::new(Mutex::new(Some(HashMap::new())));
        let (events, receiver) = mpsc::unbounded_channel();
        tokio::spawn(listen(from_qemu, Arc::clone(&answers), events));
        let to_qemu: Writer = Box::new(to_qemu);
        let qmp = Self { to_qemu: tokio::sync::Mutex::new((to_qemu, 0)), answers };
        qmp.ask("qmp_capabilities", Value::Null).await?;
        Ok((qmp, receiver))
    }

    /// Executes a command and gives what it returns.
    ///
    /// # Errors
    /// [`QmpError`] when QEMU refuses; another error when QEMU is gone.
    pub async fn ask(&self, command: &str, arguments: Value) -> Result<Value> {
        let (sender, answer) = oneshot::channel();
        {
            let mut to_qemu = self.to_qemu.lock().await;
            to_qemu.1 += 1;
            let id = to_qemu.1;
            match &mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(answers) => answers.insert(id, sender),
                None => bail!("QEMU is gone (asked `{command}`)"),
            };
            let mut line = json!({ "execute": command, "id": id });
            if !arguments.is_null() {
                line["arguments"] = arguments;
            }
            let sent = to_qemu.0.write_all(format!("{line}\n").as_bytes()).await;
            sent.with_context(|| format!("QEMU is gone (asked `{command}`)"))?;
        }
        let answer = answer.await.with_context(|| format!("QEMU is gone (asked `{command}`)"))?;
        if let Some(error) = answer.get("error") {
            let words = error["desc"].as_str().map_or_else(|| error.to_string(), str::to_owned);
            return Err(QmpError { command: command.to_owned(), words }.into());
        }
        Ok(answer["return"].clone())
    }
}

/// Hands answers to those who asked and events on, until QEMU closes its stdout.
async fn listen(
    mut from_qemu: BufReader<impl AsyncRead + Unpin>,
    answers: Answers,
    events: mpsc::UnboundedSender<Event>,
) {
    let mut line = String::new();
    while matches!(from_qemu.read_line(&mut line).await, Ok(1..)) {
        if let Ok(message) = serde_json::from_str::<Value>(&line) {
            if let Some(name) = message["event"].as_str() {
                let time = &message["timestamp"];
                let part = |key: &str| time[key].as_u64().unwrap_or(0);
                let _nobody_listens = events.send(Event {
                    name: name.to_owned(),
                    data: message["data"].clone(),
                    host_us: part("seconds") * 1_000_000 + part("microseconds"),
                });
            } else if let Some(id) = message["id"].as_u64() {
                let asker = answers
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .as_mut()
                    .and_then(|answers| answers.remove(&id));
                if let Some(asker) = asker {
                    let _nobody_waits = asker.send(message);
                }
            }
        }
        line.clear();
    }
    // Those who still wait see their channel close, and nobody new may begin to wait.
    answers.lock().unwrap_or_else(PoisonError::into_inner).take();
}
