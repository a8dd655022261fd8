//! Ctrl-C, SIGTERM and a closed terminal: the first takes everything down in order, the second ends at once.

use crate::{exit::Exit, show};
use std::future::Future;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Tells when an interruption has come.
pub struct Interrupt {
    come: watch::Receiver<bool>,
}

impl Interrupt {
    /// Begins to listen. Must be called within the runtime.
    ///
    /// # Errors
    /// When the system lets no handler be set.
    pub fn listen() -> std::io::Result<Self> {
        let (mut ctrl_c, mut terminate, mut hang_up) = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        );
        let (sender, come) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = ctrl_c.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hang_up.recv() => {}
                }
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
