//! One live migration by Proxmox, watched from as near as may be.
//!
//! Proxmox drives it. What is watched: the task and its log; both QEMUs by monitors of our own, or
//! the source's by `info migrate` through the API. Nothing is judged here.

mod heard;
mod order;
mod result;
mod watch;

pub use heard::Live;
pub use order::MigrationOrder;
pub use result::Migration;
pub use watch::Monitor;

use super::{
    call::Client,
    capabilities::InfoMigrateFormat,
    error::{Error, Fault},
    migration_log::MigrationLog,
    tasks::{Exit, LogLine},
};
use crate::{
    hypervisor::qemu::migration::{End, Sample, Side},
    wait::{self, Pauses},
};
use heard::Heard;
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::{MissedTickBehavior, interval, interval_at},
};
use watch::Said;

/// How often the task is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// `info migrate` through the API is asked this often. Each is a connection of its own.
const INFO_INTERVAL: Duration = Duration::from_millis(200);

/// How long Proxmox may take for what is not the migration itself: preparing, cleaning up.
const SETTLE_DEADLINE: Duration = Duration::from_secs(120);

/// After so long without an end, a cancelled migration's task is ended too.
const INSIST: Duration = Duration::from_secs(30);

/// How long the last words of a QEMU may be on their way.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// How a migration is watched besides its task.
#[derive(Clone, Debug)]
pub enum Watching {
    /// By the VM's second monitor on both nodes.
    Monitors {
        /// Where the VM is.
        source: Box<Monitor>,
        /// Where it goes.
        target: Box<Monitor>,
    },
    /// By what the source's monitor says through the API.
    Api(InfoMigrateFormat),
    /// Not at all.
    Nothing,
}

/// Migrates, and tells `live` of every sample and line. What goes wrong once Proxmox has begun is
/// an end, not an error.
///
/// # Errors
/// When it was not begun: what stands against it ([`MigrationOrder::check`]), or Proxmox's refusal.
pub async fn migrate(
    client: &Client,
    order: &MigrationOrder,
    watching: &Watching,
    mut live: impl FnMut(Live<'_>) + Send,
) -> Result<Migration, Error> {
    order.check(client).await?;
    let live = &mut live;
    let (said, mut hearing) = unbounded_channel();
    let (cancel, cancelled) = unbounded_channel();
    let opened = match watching {
        Watching::Monitors { source, .. } => Some(source.connect().await),
        _ => None,
    };
    let mut heard = Heard::new();
    let asked = heard.log.asked;
    // Their end is that of this.
    let mut watchers = JoinSet::new();
    let mut by_monitor = false;
    match (opened, watching) {
        (Some(Ok(open)), Watching::Monitors { target, .. }) => {
            by_monitor = true;
            watchers.spawn(watch::source(open, asked, said.clone(), cancelled));
            watchers.spawn(watch::target((**target).clone(), said.clone()));
        }
        (Some(Err(error)), _) => heard.troubles.push(format!("no monitor: {error:#}")),
        _ => {}
    }
    let start = order.start();
    let upid = client.start(&start).await?;
    let answered_s = heard.since_s();

    let lines = said.clone();
    let tell = |new: &[LogLine]| {
        for line in new {
            let _nobody_hears = lines.send(Said::Line(line.t.clone()));
        }
    };
    let look = LOOK.min(client.patience.pause);
    let following = client.follow(&upid, look, order.max_time + SETTLE_DEADLINE, tell);
    let asking = ask_the_api(client, order, watching, asked, &said);
    tokio::pin!(following, asking);
    let mut give_up = interval_at((asked + order.max_time).into(), INSIST);
    let mut gave_up = 0;
    let mut asks = true;
    let ended = loop {
        tokio::select! {
            ended = &mut following => break ended,
            Some(said) = hearing.recv() => heard.take(said, live),
            () = &mut asking, if asks => asks = false,
            _ = give_up.tick() => {
                gave_up += 1;
                // First in QEMU, which Proxmox cleans up after; ending the task gives it 5 s only.
                let mut by_qemu = by_monitor && gave_up == 1 && cancel.send(()).is_ok();
                if !by_qemu && (gave_up == 1 || !order.may_end_worker) {
                    let said = client.monitor(&order.source, order.vmid, "migrate_cancel").await;
                    by_qemu = said.is_ok();
                    heard.troubles.extend(said.err().map(|error| error.to_string()));
                }
                if !by_qemu && order.may_end_worker {
                    let stopped = client.stop_task(&upid).await;
                    heard.troubles.extend(stopped.err().map(|error| error.to_string()));
                }
            }
        }
    };
    let ended_s = heard.since_s();
    let ended = ended.map_err(|error| error.to_string());

    let node = whereabouts(client, order).await;
    let has_moved = node.as_ref() == Some(&order.target);
    // Nobody ends what a killed task has left: once all memory is sent both QEMUs stand still.
    let was_killed = ended.as_ref().is_ok_and(|ended| ended.exit == Exit::Killed) && !has_moved;
    let told = was_killed && by_monitor && cancel.send(()).is_ok();
    if was_killed && !told {
        let cancelled = client.monitor(&order.source, order.vmid, "migrate_cancel").await;
        heard.troubles.extend(cancelled.err().map(|error| error.to_string()));
    }
    let patience = if has_moved || was_killed { LAST_WORDS } else { SETTLE_DEADLINE };
    let last_words = |heard: &Heard| match has_moved {
        true => heard.is_gone(Side::Source) && (heard.resumed() || heard.is_gone(Side::Target)),
        false => heard.is_gone(Side::Target),
    };
    if !heard.until(&mut hearing, patience, live, last_words).await && !has_moved {
        heard.troubles.push(format!("a QEMU of the VM is left on {}", order.target));
    }
    let left_locked = unlocked(client, node.as_deref(), order.vmid).await;
    watchers.shutdown().await;

    let task = MigrationLog::read(heard.lines.iter().map(String::as_str));
    let last = heard.last();
    let mut log = heard.log;
    log.end = result::end(&ended, &task, has_moved, gave_up > 0, last);
    if let (End::Failed(words), Some(lock)) = (&mut log.end, &left_locked) {
        let hint = Fault::Locked { lock: lock.clone() }.hint().unwrap_or_default();
        *words += &format!("; the VM was left locked ({lock})\n\nhint: {hint}");
    }
    Ok(Migration {
        upid: upid.clone(),
        answered_s,
        ended_s,
        exit: ended.ok().map(|ended| ended.exit),
        lines: heard.lines,
        task,
        log,
        node,
        capabilities: heard.capabilities,
        left_locked,
        troubles: heard.troubles,
    })
}

/// Asks `info migrate` through the API until nobody waits for it; ends at once where it is not
/// wanted.
async fn ask_the_api(
    client: &Client,
    order: &MigrationOrder,
    watching: &Watching,
    asked: Instant,
    said: &UnboundedSender<Said>,
) {
    let Watching::Api(format) = watching else { return };
    let mut ticks = interval(INFO_INTERVAL.min(client.patience.pause));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = None;
    loop {
        ticks.tick().await;
        match client.info_migrate(&order.source, order.vmid, *format).await {
            Ok(info) => {
                let at_s = asked.elapsed().as_secs_f64();
                if *before.get_or_insert_with(|| info.clone()) != info {
                    let raw = info.as_query_migrate();
                    let _nobody_hears = said.send(Said::Sample(Sample { at_s, raw }));
                }
            }
            // It has moved, or its QEMU has ended.
            Err(error) if matches!(error.fault(), Fault::NoVm { .. }) => return,
            Err(error) if matches!(error.fault(), Fault::Privilege { .. }) => {
                let _nobody_hears = said.send(Said::Trouble(error.to_string()));
                return;
            }
            // Said of a moment; the next answer may be good.
            Err(_) => {}
        }
    }
}

/// The node that has the VM's configuration.
async fn whereabouts(client: &Client, order: &MigrationOrder) -> Option<String> {
    for node in [&order.target, &order.source] {
        if client.vm_config(node, order.vmid).await.is_ok() {
            return Some(node.clone());
        }
    }
    client.node_of(order.vmid).await.ok().flatten()
}

/// Waits until nothing locks the VM; gives what still does.
async fn unlocked(client: &Client, node: Option<&str>, vmid: u32) -> Option<String> {
    let node = node?;
    let pause = client.patience.pause;
    let pauses = Pauses { first: pause, longest: pause * 4 };
    let free = wait::backing_off(pauses, client.patience.settle, || async move {
        let config = client.vm_config(node, vmid).await;
        match config.ok().and_then(|config| config.lock().map(str::to_owned)) {
            None => ControlFlow::Break(Ok(())),
            Some(lock) => ControlFlow::Continue(lock),
        }
    });
    free.await.err()
}
