//! Starting tasks, so that none is started twice.
//!
//! An answer can be lost: the connection is cut, or the node is too slow. Then the task that the
//! call would have made is looked for, and only when there is none is the call made again.

use super::{
    answer::{self, Data},
    call::Client,
    error::{Error, Fault},
    form::Form,
    tasks::{Ended, TaskEntry},
    upid::Upid,
};
use crate::wait;
use reqwest::Method;
use serde_json::Value;
use std::{collections::BTreeSet, ops::ControlFlow, time::Duration};

/// How often a call is made at most.
const TRIES: u32 = 3;

/// A call that starts a task.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// POST, or DELETE of a VM.
    pub method: Method,
    /// Behind `/api2/json`.
    pub path: String,
    /// Its parameters.
    pub form: Form,
    /// The node that the task will run on.
    pub node: &'a str,
    /// The task's type, such as `qmigrate`.
    pub kind: &'a str,
    /// What it is done to, as tasks name it: a VM's id.
    pub id: String,
}

impl<'a> Start<'a> {
    /// A POST to something of a VM, such as `migrate` or `status/start`.
    #[must_use]
    pub fn of_vm(node: &'a str, vmid: u32, action: &str, kind: &'a str, form: Form) -> Self {
        let path = format!("/nodes/{node}/qemu/{vmid}/{action}");
        Self { method: Method::POST, path, form, node, kind, id: vmid.to_string() }
    }
}

/// The tasks like it that there were before.
struct Before {
    tasks: BTreeSet<Upid>,
}

impl Client {
    /// Starts a task and gives its name. That it was started says nothing of how it ends:
    /// [`Client::follow`] it.
    ///
    /// # Errors
    /// When Proxmox refuses; [`Fault::Unresolved`] when nobody can tell whether it was started.
    pub async fn start(&self, start: &Start<'_>) -> Result<Upid, Error> {
        match self.start_or_done(start).await? {
            Some(upid) => Ok(upid),
            None => {
                let why = "a task's name is expected, not null".to_owned();
                Err(Error::new(asked(start), Fault::Unexpected { why }))
            }
        }
    }

    /// As [`Client::start`], for calls that Proxmox may have done when it answers, without a
    /// task: setting a VM's configuration.
    ///
    /// # Errors
    /// As for [`Client::start`].
    pub async fn start_or_done(&self, start: &Start<'_>) -> Result<Option<Upid>, Error> {
        let before = Before { tasks: self.like(start).await?.collect() };
        let mut lost = None;
        let mut tries = 0;
        while tries < TRIES {
            match self.sent(start).await {
                Ok(data) => return named(data).map_err(|fault| Error::new(asked(start), fault)),
                Err(fault) if fault.leaves_open() => {
                    if let Some(upid) = self.look_for(start, &before).await? {
                        return Ok(Some(upid));
                    }
                    lost = Some(fault);
                }
                // Refused because of what an earlier try did?
                Err(fault) => {
                    if lost.is_some()
                        && let Some(upid) = self.new_one(start, &before).await?
                    {
                        return Ok(Some(upid));
                    }
                    return Err(Error::new(asked(start), fault));
                }
            }
            tries += 1;
        }
        let none = || Fault::Unexpected { why: "it was never sent".to_owned() };
        Err(Error::new(asked(start), lost.unwrap_or_else(none)))
    }

    /// Starts a task and waits until it has done what it was to do.
    ///
    /// # Errors
    /// [`Fault::TaskFailed`] when it has not, with what QEMU said in its log; [`Fault::TaskRuns`] when it did not end by then; else as for [`Client::start`].
    pub async fn carry_out(&self, start: &Start<'_>, deadline: Duration) -> Result<(), Error> {
        let Some(upid) = self.start_or_done(start).await? else { return Ok(()) };
        let ended = self.follow(&upid, self.patience.pause, deadline, |_| ()).await?;
        if ended.exit.is_good() {
            return Ok(());
        }
        let kind = upid.kind().to_owned();
        let node = upid.node().to_owned();
        Err(Error::new(asked(start), Fault::TaskFailed { kind, node, said: words(&ended) }))
    }

    /// Makes the call, again and again as long as it is not even sent.
    async fn sent(&self, start: &Start<'_>) -> Result<Data, Fault> {
        let Start { method, path, form, .. } = start;
        let sending = wait::backing_off(self.pauses(), self.patience.retry, || async move {
            match self.once(method, path, form).await {
                Ok(data) => ControlFlow::Break(Ok(data)),
                Err(fault) if fault.was_never_sent() => ControlFlow::Continue(fault),
                Err(fault) => ControlFlow::Break(Err(fault)),
            }
        });
        sending.await
    }

    /// The task of a call whose answer was lost. It may come late: Proxmox waits for locks before
    /// it makes one.
    async fn look_for(&self, start: &Start<'_>, before: &Before) -> Result<Option<Upid>, Error> {
        let looking = wait::backing_off(self.pauses(), self.patience.settle, || async move {
            match self.new_one(start, before).await {
                Ok(Some(upid)) => ControlFlow::Break(Ok(Some(upid))),
                Ok(None) => ControlFlow::Continue(()),
                // The last look decides.
                Err(_) => ControlFlow::Continue(()),
            }
        });
        if let Ok(found) = looking.await {
            return Ok(found);
        }
        self.new_one(start, before)
            .await
            .map_err(|error| Error::new(asked(start), Fault::Unresolved { why: error.to_string() }))
    }

    async fn new_one(&self, start: &Start<'_>, before: &Before) -> Result<Option<Upid>, Error> {
        // All by the same node's clock, so ours does not matter.
        let earliest = before.tasks.iter().map(Upid::start_s).max().unwrap_or(0);
        let is_new = |upid: &Upid| !before.tasks.contains(upid) && upid.start_s() >= earliest;
        Ok(self.like(start).await?.filter(is_new).min_by_key(Upid::start_s))
    }

    /// Tasks of the same type, on the same thing, by the same user.
    async fn like(&self, start: &Start<'_>) -> Result<impl Iterator<Item = Upid>, Error> {
        let mut tasks: Vec<TaskEntry> = self.tasks(start.node, start.kind, &start.id).await?;
        let (kind, id) = (start.kind, start.id.as_str());
        let who = self.credentials().who();
        tasks.retain(|task| {
            let upid = &task.upid;
            upid.kind() == kind && upid.id() == id && upid.user() == who
        });
        Ok(tasks.into_iter().map(|task| task.upid))
    }
}

/// Why a task failed: what it wrote before its last line tells more than how it ended.
fn words(ended: &Ended) -> String {
    let exit = ended.exit.to_string();
    let of_qemu = |line: &&str| line.contains("could not ") || line.contains("kvm: ");
    let told = ended.log.iter().map(|line| line.t.trim()).filter(of_qemu);
    let mut words: Vec<&str> = told.filter(|line| !exit.contains(line)).collect();
    words.push(&exit);
    words.join("; ")
}

fn asked(start: &Start<'_>) -> String {
    format!("{} {}", start.method, start.path)
}

/// The task's name out of an answer; `None` for null.
fn named(data: Data) -> Result<Option<Upid>, Fault> {
    if data.value == Value::Null {
        return Ok(None);
    }
    let text: String = answer::typed(data.value)?;
    text.parse()
        .map(Some)
        .map_err(|e: super::upid::NotAUpid| Fault::Unexpected { why: e.to_string() })
}
