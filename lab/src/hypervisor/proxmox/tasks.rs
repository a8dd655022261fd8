//! Tasks: what runs on a node, how it ends, and what it wrote.

use super::{
    call::Client,
    error::{Error, Fault},
    form::Form,
    lenient,
    upid::Upid,
};
use crate::wait::{self, Pauses};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::{
    fmt,
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// Lines of a log that are asked for at once.
const PAGE: u64 = 500;

/// What Proxmox writes where a log has no line yet.
const EMPTY: &str = "no content";
/// What it writes, with a good status, where there is no log.
const MISSING: &str = "unable to open file";

/// A task in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskEntry {
    /// Its name.
    #[serde(deserialize_with = "upid", serialize_with = "text")]
    pub upid: Upid,
    /// How it ended; `None` while it runs. A node says `RUNNING` for that.
    #[serde(default, deserialize_with = "ended")]
    pub status: Option<String>,
    /// When it ended, seconds since 1970.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub endtime: Option<u64>,
}

/// How a task is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// Its name.
    #[serde(deserialize_with = "upid", serialize_with = "text")]
    pub upid: Upid,
    /// `running` or `stopped`.
    pub status: String,
    /// How it ended, in Proxmox's words.
    pub exitstatus: Option<String>,
    /// Its process on the node.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub pid: Option<u64>,
}

/// A line of a task's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Its number, from 1.
    #[serde(deserialize_with = "lenient::number")]
    pub n: u64,
    /// Its text.
    #[serde(default)]
    pub t: String,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// As it was to.
    Ok,
    /// Likewise, with so many warnings in its log.
    Warnings(u64),
    /// Without a last word: it was killed.
    Killed,
    /// In Proxmox's words.
    Failed(String),
}

impl Exit {
    /// Of a task's `exitstatus`.
    #[must_use]
    pub fn of(exitstatus: &str) -> Self {
        let warnings = exitstatus.strip_prefix("WARNINGS:").and_then(|n| n.trim().parse().ok());
        match (exitstatus, warnings) {
            ("OK", _) => Self::Ok,
            ("unexpected status", _) => Self::Killed,
            (_, Some(warnings)) => Self::Warnings(warnings),
            _ => Self::Failed(exitstatus.to_owned()),
        }
    }

    /// Whether it did what it was to do.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Ok | Self::Warnings(_))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("OK"),
            Self::Warnings(n) => write!(f, "OK with {n} warnings"),
            Self::Killed => f.write_str("it was killed"),
            Self::Failed(words) => f.write_str(words),
        }
    }
}

/// A task that has ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ended {
    /// How.
    pub exit: Exit,
    /// All it wrote.
    pub log: Vec<LogLine>,
}

impl Client {
    /// A node's newest tasks of a type on one thing (`id`, which may be empty), running or not.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub async fn tasks(&self, node: &str, kind: &str, id: &str) -> Result<Vec<TaskEntry>, Error> {
        // By default only those that have ended are listed.
        let query = Form::new().with("source", "all").with("typefilter", kind).with("limit", 50);
        let is_vm = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
        let query = query.with_some("vmid", is_vm.then_some(id));
        self.get(&format!("/nodes/{node}/tasks"), &query).await
    }

    /// The newest tasks of all nodes.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub async fn cluster_tasks(&self) -> Result<Vec<TaskEntry>, Error> {
        self.get("/cluster/tasks", &Form::new()).await
    }

    /// How a task is, from its own node.
    ///
    /// # Errors
    /// [`Fault::NoTask`] when the node does not know it; else as for [`Client::get`].
    pub async fn task(&self, upid: &Upid) -> Result<TaskStatus, Error> {
        self.get(&format!("{}/status", path(upid)), &Form::new()).await
    }

    /// Lines of a task's log that come after so many, all there are.
    ///
    /// # Errors
    /// [`Fault::NoTask`] when there is no log; else as for [`Client::get`].
    pub async fn task_log(&self, upid: &Upid, after: u64) -> Result<Vec<LogLine>, Error> {
        let path = format!("{}/log", path(upid));
        let asked = || format!("GET {path}");
        let mut lines: Vec<LogLine> = Vec::new();
        loop {
            let have = after + lines.len() as u64;
            let query = Form::new().with("start", have).with("limit", PAGE);
            let data = self.read(&path, &query).await?;
            let total = data.total;
            let mut page: Vec<LogLine> =
                super::answer::typed(data.value).map_err(|fault| Error::new(asked(), fault))?;
            if let [only] = &page[..] {
                if only.t == EMPTY && only.n == 1 {
                    page.clear();
                } else if only.t.starts_with(MISSING) && only.n == 1 {
                    let upid = upid.to_string();
                    return Err(Error::new(asked(), Fault::NoTask { upid }));
                }
            }
            let gap = page.iter().zip(have + 1..).find(|(line, n)| line.n != *n);
            if let Some((line, n)) = gap {
                let why = format!("line {} of a task's log where line {n} is expected", line.n);
                return Err(Error::new(asked(), Fault::Unexpected { why }));
            }
            let full = page.len() as u64 >= PAGE;
            let empty = page.is_empty();
            lines.append(&mut page);
            let more = total.map_or(full, |total| after + (lines.len() as u64) < total);
            if empty || !more {
                return Ok(lines);
            }
        }
    }

    /// Follows a task to its end, on its own node. It is looked at every `pause`; `live` is told
    /// its new lines.
    ///
    /// A node that does not answer for a moment is asked again, for as long as a read may take.
    ///
    /// # Errors
    /// [`Fault::TaskRuns`] when it has not ended by then; else as for [`Client::get`]. How the
    /// task ended is no error of this.
    pub async fn follow(
        &self,
        upid: &Upid,
        pause: Duration,
        deadline: Duration,
        mut live: impl FnMut(&[LogLine]) + Send,
    ) -> Result<Ended, Error> {
        let mut log: Vec<LogLine> = Vec::new();
        let mut answered = Instant::now();
        let (log_, answered_, live) = (&mut log, &mut answered, &mut live);
        // A future that borrows its closure's state cannot outlive a call of it, hence the lock.
        let state = tokio::sync::Mutex::new((log_, answered_, live));
        let state = &state;
        let pauses = Pauses { first: pause, longest: pause };
        let ended = wait::backing_off(pauses, deadline, || async move {
            let mut state = state.lock().await;
            let (log, answered, live) = &mut *state;
            match self.look(upid, log, live).await {
                Ok(Some(exit)) => ControlFlow::Break(Ok(exit)),
                Ok(None) => {
                    **answered = Instant::now();
                    ControlFlow::Continue(None)
                }
                Err(error) if self.may_return(&error, **answered) => {
                    ControlFlow::Continue(Some(error))
                }
                Err(error) => ControlFlow::Break(Err(Some(error))),
            }
        });
        let exit = ended.await.map_err(|error| {
            error.unwrap_or_else(|| {
                let fault =
                    Fault::TaskRuns { upid: Box::new(upid.clone()), seconds: deadline.as_secs() };
                Error::new(format!("GET {}/status", path(upid)), fault)
            })
        })?;
        Ok(Ended { exit, log })
    }

    fn may_return(&self, error: &Error, answered: Instant) -> bool {
        error.fault().may_pass() && answered.elapsed() < self.patience.retry
    }

    /// How it ended, if it has, and its new lines.
    async fn look(
        &self,
        upid: &Upid,
        log: &mut Vec<LogLine>,
        live: &mut (impl FnMut(&[LogLine]) + Send),
    ) -> Result<Option<Exit>, Error> {
        // First the status, then the log: what has ended writes no more.
        let status = self.task(upid).await?;
        let new = self.task_log(upid, log.len() as u64).await?;
        live(&new);
        log.extend(new);
        if status.status != "stopped" {
            return Ok(None);
        }
        Ok(Some(status.exitstatus.as_deref().map_or(Exit::Killed, Exit::of)))
    }

    /// Ends a task: Proxmox lets it clean up for 5 s, then kills it.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub async fn stop_task(&self, upid: &Upid) -> Result<(), Error> {
        self.delete(&path(upid), &Form::new()).await.map(drop)
    }
}

fn path(upid: &Upid) -> String {
    format!("/nodes/{}/tasks/{upid}", upid.node())
}

fn upid<'de, D: Deserializer<'de>>(from: D) -> Result<Upid, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn text<S: serde::Serializer>(upid: &Upid, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(upid)
}

fn ended<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(lenient::some_text(from)?.filter(|status| status != "RUNNING" && !status.is_empty()))
}
