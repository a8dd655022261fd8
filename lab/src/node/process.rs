//! A process on a node.

use tokio::{
    io::AsyncReadExt,
    net::unix::pipe,
    sync::{mpsc, watch},
};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// The lab is gone, and the process with it.
    LabLost,
    /// The node is gone or cannot be reached any more, and the process with it.
    NodeLost,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "ended with exit code {code}"),
            Self::Signal(signal) => write!(f, "was ended by signal {signal}"),
            Self::LabLost => f.write_str("was lost with its lab"),
            Self::NodeLost => f.write_str("was lost with its node"),
        }
    }
}

/// A running process. When this is dropped, the process is killed.
#[derive(Debug)]
pub struct Process {
    /// Its number, as the node counts.
    pub pid: u32,
    /// Its stdin, when piped.
    pub stdin: Option<pipe::Sender>,
    /// Its stdout, when piped.
    pub stdout: Option<pipe::Receiver>,
    /// Its stderr, when piped.
    pub stderr: Option<pipe::Receiver>,
    pub(crate) kill: mpsc::Sender<()>,
    pub(crate) exit: watch::Receiver<Option<Exit>>,
}

impl Process {
    /// Kills the process and all of its group; [`Self::wait`] tells when it is gone.
    pub fn kill(&self) {
        let _asked_already = self.kill.try_send(());
    }

    /// Waits until the process has ended.
    pub async fn wait(&mut self) -> Exit {
        match self.exit.wait_for(Option::is_some).await {
            Ok(exit) => exit.unwrap_or(Exit::LabLost),
            Err(_) => Exit::LabLost,
        }
    }

    /// Kills it and gives what it has said on its stderr, where that is piped.
    pub async fn last_words(&mut self) -> String {
        self.kill();
        let mut words = Vec::new();
        if let Some(mut stderr) = self.stderr.take() {
            let _whatever_it_said = stderr.read_to_end(&mut words).await;
        }
        String::from_utf8_lossy(&words).trim().to_owned()
    }

    /// A handle that waits for the end independently of this one.
    #[must_use]
    pub fn exit(&self) -> watch::Receiver<Option<Exit>> {
        self.exit.clone()
    }
}
