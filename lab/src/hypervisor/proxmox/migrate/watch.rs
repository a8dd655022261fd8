//! Watching both QEMUs of a migration over monitors of our own: what they say unasked, and what
//! they answer, with the time at which it came.

use crate::{
    hypervisor::qemu::{
        Event, Qmp, QmpError,
        migration::{Sample, Side},
    },
    node::Node,
};
use anyhow::{Context, Result};
use camino::Utf8PathBuf;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender},
    time::{MissedTickBehavior, interval, timeout},
};

/// `query-migrate` is asked this often: 40 times a second. On a real cluster 200 times a second
/// disturbed nothing.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(25);

/// How often QEMU is told to tell of migrations. Proxmox switches that off just before it migrates;
/// it has to be switched on again in between.
const RACE_INTERVAL: Duration = Duration::from_millis(5);

/// How often the target's monitor is looked for, until its QEMU has been started.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A monitor that serves nobody else greets at once.
const GREETING: Duration = Duration::from_secs(10);

/// A VM's second monitor on one node.
#[derive(Clone, Debug)]
pub struct Monitor {
    /// The node.
    pub node: Node,
    /// The monitor's socket there.
    pub socket: Utf8PathBuf,
}

/// What is heard of both ends.
#[derive(Debug)]
pub(super) enum Said {
    /// An event.
    Event(Side, Event),
    /// An answer of the source to `query-migrate`.
    Sample(Sample),
    /// A line of the task's log.
    Line(String),
    /// What each end says is in force while it migrates.
    Capabilities(Side, Value),
    /// Connected.
    Here(Side),
    /// Its QEMU is gone, or the way to it.
    Gone(Side),
    /// A monitor could not be used.
    Trouble(String),
}

impl Monitor {
    pub(super) async fn connect(&self) -> Result<(Qmp, UnboundedReceiver<Event>)> {
        let (reader, writer) = self.node.connect(&self.socket).await?.into_split();
        timeout(GREETING, Qmp::over(reader, writer))
            .await
            .with_context(|| format!("{} serves somebody else", self.socket))?
            .with_context(|| format!("{} on {}", self.socket, self.node.name))
    }

    /// Connects as soon as somebody listens.
    async fn wait(&self) -> (Qmp, UnboundedReceiver<Event>) {
        let mut ticks = interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Ok(open) = self.connect().await {
                return open;
            }
        }
    }
}

fn events_on() -> Value {
    json!({ "capabilities": [{ "capability": "events", "state": true }] })
}

/// Watches the source until it is gone. `cancel`: asks QEMU to cancel.
pub(super) async fn source(
    (qmp, mut events): (Qmp, UnboundedReceiver<Event>),
    asked: Instant,
    said: UnboundedSender<Said>,
    mut cancel: UnboundedReceiver<()>,
) {
    let mut race = interval(RACE_INTERVAL);
    race.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut samples = interval(SAMPLE_INTERVAL);
    samples.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut racing, mut before, mut told) = (true, None, false);
    let tell = |what| drop(said.send(what));
    tell(Said::Here(Side::Source));
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => tell(Said::Event(Side::Source, event)),
                None => return tell(Said::Gone(Side::Source)),
            },
            _ = race.tick(), if racing => {
                let answer = qmp.ask("migrate-set-capabilities", events_on()).await;
                // Refused: there is a migration in progress.
                racing = answer.is_ok();
            }
            Some(()) = cancel.recv() => {
                if let Err(error) = qmp.ask("migrate_cancel", Value::Null).await {
                    tell(Said::Trouble(format!("{error:#}")));
                }
            }
            _ = samples.tick() => {
                let Ok(raw) = qmp.ask("query-migrate", Value::Null).await else { continue };
                let at_s = asked.elapsed().as_secs_f64();
                // What is said of an earlier migration is none of this one's.
                if *before.get_or_insert_with(|| raw.clone()) == raw {
                    continue;
                }
                before = Some(Value::Null);
                if !told {
                    told = capabilities(&qmp, Side::Source, &said).await;
                }
                tell(Said::Sample(Sample { at_s, raw }));
            }
        }
    }
}

/// Waits for the target and watches it until it is gone.
pub(super) async fn target(monitor: Monitor, said: UnboundedSender<Said>) {
    let (qmp, mut events) = monitor.wait().await;
    let tell = |what| drop(said.send(what));
    tell(Said::Here(Side::Target));
    let mut race = interval(RACE_INTERVAL);
    race.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut racing = true;
    loop {
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { return tell(Said::Gone(Side::Target)) };
                let begun = event.name == "RESUME" || event.data["status"] == "active";
                tell(Said::Event(Side::Target, event));
                if begun && racing {
                    racing = false;
                    capabilities(&qmp, Side::Target, &said).await;
                }
            }
            _ = race.tick(), if racing => {
                if let Err(error) = qmp.ask("migrate-set-capabilities", events_on()).await {
                    racing = false;
                    if error.is::<QmpError>() {
                        capabilities(&qmp, Side::Target, &said).await;
                    }
                }
            }
        }
    }
}

async fn capabilities(qmp: &Qmp, side: Side, said: &UnboundedSender<Said>) -> bool {
    let Ok(answer) = qmp.ask("query-migrate-capabilities", Value::Null).await else { return false };
    said.send(Said::Capabilities(side, answer)).is_ok()
}
