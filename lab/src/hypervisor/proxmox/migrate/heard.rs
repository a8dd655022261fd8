//! Putting together what is heard while a migration runs.

use super::watch::Said;
use crate::hypervisor::qemu::migration::{End, MigrationLog, Sample, Side};
use serde_json::Value;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::{sync::mpsc::UnboundedReceiver, time::timeout};

/// Everything that was heard so far.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) log: MigrationLog,
    pub(super) lines: Vec<String>,
    pub(super) capabilities: Vec<(Side, Value)>,
    pub(super) troubles: Vec<String>,
    here: Vec<Side>,
    gone: Vec<Side>,
}

/// What is told while a migration runs.
#[derive(Clone, Copy, Debug)]
pub enum Live<'a> {
    /// An answer to `query-migrate`, or what `info migrate` says in its words.
    Sample(&'a Sample),
    /// A line of the task's log.
    Line(&'a str),
}

impl Heard {
    /// From now on.
    pub(super) fn new() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let log = MigrationLog {
            asked_wall_ns: wall.as_nanos(),
            asked: Instant::now(),
            samples: Vec::new(),
            events: Vec::new(),
            end: End::Cancelled,
        };
        let (lines, capabilities, troubles) = (Vec::new(), Vec::new(), Vec::new());
        let (here, gone) = (Vec::new(), Vec::new());
        Self { log, lines, capabilities, troubles, here, gone }
    }

    pub(super) fn since_s(&self) -> f64 {
        self.log.asked.elapsed().as_secs_f64()
    }

    pub(super) fn take(&mut self, said: Said, live: &mut impl FnMut(Live<'_>)) {
        match said {
            Said::Event(side, event) => self.log.keep(side, event),
            Said::Sample(sample) => {
                live(Live::Sample(&sample));
                self.log.samples.push(sample);
            }
            Said::Line(line) => {
                live(Live::Line(&line));
                self.lines.push(line);
            }
            Said::Capabilities(side, answer) => self.capabilities.push((side, answer)),
            Said::Here(side) => self.here.push(side),
            Said::Gone(side) => self.gone.push(side),
            Said::Trouble(why) => self.troubles.push(why),
        }
    }

    /// Hears on until `enough` or for `patience`. Gives whether it was enough.
    pub(super) async fn until(
        &mut self,
        heard: &mut UnboundedReceiver<Said>,
        patience: Duration,
        live: &mut impl FnMut(Live<'_>),
        enough: impl Fn(&Self) -> bool,
    ) -> bool {
        // What has arrived is taken in any case, the task's last lines above all.
        self.take_arrived(heard, live);
        let hearing = async {
            while !enough(self) {
                let Some(said) = heard.recv().await else { return };
                self.take(said, live);
            }
        };
        let _late = timeout(patience, hearing).await;
        self.take_arrived(heard, live);
        enough(self)
    }

    fn take_arrived(
        &mut self,
        heard: &mut UnboundedReceiver<Said>,
        live: &mut impl FnMut(Live<'_>),
    ) {
        while let Ok(said) = heard.try_recv() {
            self.take(said, live);
        }
    }

    /// Whether an end that was there is not any more; one that never was is not there either.
    pub(super) fn is_gone(&self, side: Side) -> bool {
        self.gone.contains(&side) || !self.here.contains(&side)
    }

    pub(super) fn resumed(&self) -> bool {
        self.log.event_s(Side::Target, "RESUME").is_some()
    }

    /// The last answer that says how it is.
    pub(super) fn last(&self) -> Value {
        self.log.samples.last().map_or(Value::Null, |sample| sample.raw.clone())
    }
}
