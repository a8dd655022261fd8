//! Machines that are reached by SSH: the system's own `ssh`, with its configuration, keys, agent
//! and jump hosts. Host keys are always checked.
//!
//! Each machine has one `ssh` process, which carries one agent ([`crate::agent`]). It ends when we
//! do, however we end; then the agent ends, and with it all that it started.

mod bootstrap;
mod failure;
mod settings;

use crate::{agent::Agent, wait};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// From one attempt to reach a machine that starts anew to the next.
const PAUSE: Duration = Duration::from_secs(1);

/// How long one such attempt may take.
const ATTEMPT: Duration = Duration::from_secs(30);

/// A machine, as `ssh` finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshTarget {
    /// Configuration file; the user's own when `None`. New host keys are refused unless it says
    /// `StrictHostKeyChecking accept-new`, which is for machines that were just made.
    pub config: Option<Utf8PathBuf>,
    /// Host, or `user@host`, as for `ssh`.
    pub host: String,
    /// Whether one who logs in as another becomes root by `sudo`.
    pub sudo: bool,
}

impl SshTarget {
    /// Connects and starts an agent. `observer` is our static program, which is sent where it is
    /// not there yet.
    ///
    /// # Errors
    /// When the machine cannot be reached within `deadline`, lets us not in, or cannot run it; with
    /// what helps.
    pub async fn connect(&self, observer: &Utf8Path, deadline: Duration) -> Result<Agent> {
        if self.host.is_empty() || self.host.starts_with('-') {
            bail!("`{}` is no name of a host", self.host);
        }
        tokio::time::timeout(deadline, bootstrap::connect(self, observer))
            .await
            .unwrap_or_else(|_| bail!("it did not answer within {} s", deadline.as_secs()))
            .with_context(|| format!("failed to reach `{}` by SSH", self.host))
    }
}

impl SshTarget {
    /// Has `sh` there run a script as whoever logs in, and gives what it prints. Nothing is put onto
    /// the machine for that.
    ///
    /// # Errors
    /// As [`Self::connect`], and when the script does not come to its end.
    pub async fn ask(&self, script: &str, deadline: Duration) -> Result<String> {
        tokio::time::timeout(deadline, bootstrap::ask(self, script))
            .await
            .unwrap_or_else(|_| bail!("it did not answer within {} s", deadline.as_secs()))
            .with_context(|| format!("failed to reach `{}` by SSH", self.host))
    }
}

/// A machine that we are connected to, and can connect to again. Clones are the same connection.
#[derive(Clone, Debug)]
pub struct Connection {
    target: SshTarget,
    observer: Utf8PathBuf,
    agent: Arc<Mutex<Agent>>,
}

impl Connection {
    /// Connects; as [`SshTarget::connect`].
    ///
    /// # Errors
    /// As there.
    pub async fn open(target: SshTarget, observer: &Utf8Path, deadline: Duration) -> Result<Self> {
        let agent = target.connect(observer, deadline).await?;
        let agent = Arc::new(Mutex::new(agent));
        Ok(Self { target, observer: observer.to_owned(), agent })
    }

    /// The agent of the newest connection, which may be lost.
    #[must_use]
    pub fn agent(&self) -> Agent {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where it leads.
    #[must_use]
    pub fn target(&self) -> &SshTarget {
        &self.target
    }

    /// Waits until the machine has started anew since it had this boot's name
    /// ([`About::boot_id`](crate::agent::About::boot_id)) and can be reached again.
    ///
    /// # Errors
    /// When that does not happen within `deadline`.
    pub async fn wait_until_back(&self, old_boot_id: &str, deadline: Duration) -> Result<()> {
        self.again(deadline, |agent| {
            if agent.about().boot_id == old_boot_id {
                bail!("it has not started anew yet");
            }
            Ok(())
        })
        .await
        .with_context(|| format!("`{}` did not come back", self.target.host))
    }

    /// Connects again where the connection is lost; otherwise does nothing.
    ///
    /// # Errors
    /// When the machine cannot be reached within `deadline`.
    pub async fn reconnect(&self, deadline: Duration) -> Result<()> {
        if self.agent().is_alive().await {
            return Ok(());
        }
        self.again(deadline, |_| Ok(())).await
    }

    async fn again(
        &self,
        deadline: Duration,
        is_good: impl Fn(&Agent) -> Result<()> + Send + Sync,
    ) -> Result<()> {
        let agent = wait::until(PAUSE, deadline, || async {
            let agent = self.target.connect(&self.observer, ATTEMPT).await?;
            is_good(&agent)?;
            Ok(agent)
        })
        .await?;
        *self.agent.lock().unwrap_or_else(PoisonError::into_inner) = agent;
        Ok(())
    }
}
