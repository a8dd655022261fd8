//! Ctrl-C, SIGTERM and a closed terminal.

use crate::{
    exit::{self, Exit, Failure},
    show,
};
use std::{future::Future, io};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// The signals that interrupt a command.
struct Signals([Signal; 3]);

impl Signals {
    fn listen() -> io::Result<Self> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [ctrl_c, terminate, hang_up] = kinds.map(signal);
        Ok(Self([ctrl_c?, terminate?, hang_up?]))
    }

    async fn next(&mut self) {
        let [ctrl_c, terminate, hang_up] = &mut self.0;
        tokio::select! {
            _ = ctrl_c.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
}

/// Does what a command is for unless it is interrupted, which then has been said in these words.
/// Everything that was begun is left as it is.
///
/// # Errors
/// As `work`, and when interrupted.
pub async fn unless(work: impl Future<Output = exit::Result>, words: &str) -> exit::Result {
    let mut signals = Signals::listen()?;
    tokio::select! {
        done = work => done,
        () = signals.next() => {
            show::tell(words);
            Err(Failure::shown(Exit::Interrupted))
        }
    }
}

/// Tells when an interruption has come: the first takes everything down in order, the second ends
/// at once.
pub struct Interrupt {
    come: watch::Receiver<bool>,
}

impl Interrupt {
    /// Begins to listen. Must be called within the runtime.
    ///
    /// # Errors
    /// When the system lets no handler be set.
    pub fn listen() -> io::Result<Self> {
        let mut signals = Signals::listen()?;
        let (sender, come) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                signals.next().await;
                if sender.send_replace(true) {
                    // A lab that this command brought up ends with it; its folder is removed by
                    // the next command.
                    show::tell("\ninterrupted again: ending at once (the next command clears up)");
                    std::process::exit(Exit::Interrupted.code().into());
                }
                show::tell("\ninterrupted: taking everything down (once more to end at once)");
            }
        });
        Ok(Self { come })
    }

    /// Waits for it.
    pub fn wait(&self) -> impl Future<Output = ()> + use<> {
        let mut come = self.come.clone();
        async move {
            if come.wait_for(|come| *come).await.is_err() {
                // Nobody listens any more, so none can come.
                std::future::pending::<()>().await;
            }
        }
    }
}
