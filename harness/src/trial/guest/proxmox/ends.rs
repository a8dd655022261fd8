//! The two nodes that a VM is migrated between, and what Proxmox says of it there, whosever it is.

use super::{Told, told};
use crate::{
    record::Outcome,
    trial::{Order, guest::Migrated, nodes, outcome::Ended},
};
use anyhow::{Context, Result, bail};
use lab::{
    RunningLab, facts,
    hypervisor::{
        proxmox::{
            Client,
            capabilities::InfoMigrateFormat,
            migrate::{Live, Migration, MigrationOrder, Watching, migrate},
        },
        qemu::migration::{Sample, Side},
    },
    node::Node,
    wait,
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// A node that does not tell its load within this time is lost.
const LOOK_DEADLINE: Duration = Duration::from_secs(15);

/// A guest of ours has started from its CD long before, seconds.
const SETTLED_S: u64 = 15;
/// From one look at that to the next.
const LOOK: Duration = Duration::from_secs(1);
/// Proxmox tells it late where it is busy.
const SETTLE_DEADLINE: Duration = Duration::from_secs(120);

/// Both of them.
#[derive(Debug)]
pub(super) struct Ends {
    client: Arc<Client>,
    /// Where the VM is.
    pub source: Node,
    /// Where it goes.
    pub target: Node,
}

impl Ends {
    /// Those of a trial.
    pub fn of(lab: &RunningLab, client: &Arc<Client>, order: &Order) -> Result<Self> {
        let [source, target, _] = nodes::of(lab, order)?;
        let (client, source, target) = (Arc::clone(client), source.clone(), target.clone());
        Ok(Self { client, source, target })
    }

    /// How a VM at the source is watched through the API.
    pub async fn by_api(&self, vmid: u32) -> Result<Watching> {
        let status = self.client.vm_status(&self.source.name, vmid).await?;
        let running =
            status.running_qemu.context("Proxmox does not say which QEMU runs the guest")?;
        let version = running.parse().with_context(|| format!("the QEMU `{running}`"))?;
        Ok(Watching::Api(InfoMigrateFormat::of(version)))
    }

    /// Waits until a VM that nobody hears has run for [`SETTLED_S`] by Proxmox's count: until then a
    /// BIOS may be at work in it.
    pub async fn settled(&self, vmid: u32) -> Result<()> {
        let look = || async {
            let status = self.client.vm_status(&self.source.name, vmid).await?;
            match status.uptime {
                Some(seconds) if seconds < SETTLED_S => bail!("it has run for {seconds} s"),
                _ => Ok(()),
            }
        };
        wait::until(LOOK, SETTLE_DEADLINE, look).await
    }

    /// Migrates; gives what came of it, and which end has the VM now, as far as anybody could tell.
    /// What was said is added to `words`, in lines.
    pub async fn migrate(
        &self,
        order: &MigrationOrder,
        watching: &Watching,
        live: &mut (dyn FnMut(&Sample) + Send),
        words: &mut String,
    ) -> Result<(Migrated, Option<Side>)> {
        let tell = |what: Live<'_>| match what {
            Live::Sample(sample) => live(sample),
            Live::Line(_) => {}
        };
        let migration = migrate(&self.client, order, watching, tell).await?;
        *words += &told::words(&migration);
        let holder = self.side_of(migration.node.as_deref());
        let told = Told::of(&migration);
        let Migration { log, .. } = migration;
        let (began_s, end_s) = (told.began_s.unwrap_or(0.0), told.end_s);
        Ok((Migrated { log, began_s, end_s, told: Some(told) }, holder))
    }

    fn side_of(&self, node: Option<&str>) -> Option<Side> {
        match node? {
            name if name == self.source.name => Some(Side::Source),
            name if name == self.target.name => Some(Side::Target),
            _ => None,
        }
    }

    fn node(&self, side: Side) -> &Node {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    /// A guest that does not answer, with what Proxmox says of it.
    pub async fn silent(&self, vmid: u32, side: Side, what: &str, outcome: Outcome) -> Ended {
        let node = &self.node(side).name;
        match self.client.vm_status(node, vmid).await {
            Ok(status) if status.is_running() => match status.qmpstatus.as_deref() {
                None | Some("running") => Ended::new(outcome, what),
                Some(other) => {
                    let why = format!("{what}: Proxmox says that VM {vmid} on {node} is `{other}`");
                    Ended::new(Outcome::Failed, why)
                }
            },
            Ok(status) => {
                let why =
                    format!("{what}: Proxmox says that VM {vmid} on {node} is {}", status.status);
                Ended::new(Outcome::Failed, why)
            }
            Err(error) => Ended::new(Outcome::Failed, format!("{what}; then: {error}")),
        }
    }

    /// Which end's node cannot be reached, or is not seen by the cluster any more.
    pub async fn lost(&self) -> Option<Side> {
        let status = self.client.cluster_status().await.ok();
        for side in [Side::Source, Side::Target] {
            let node = self.node(side);
            let seen = status.as_ref().and_then(|status| {
                status.nodes.iter().find(|seen| seen.name == node.name).map(|seen| seen.online)
            });
            // Where nothing can be run, the cluster's word counts alone.
            let answers = !node.has_shell()
                || matches!(timeout(LOOK_DEADLINE, facts::load(node)).await, Ok(Ok(_)));
            if seen == Some(false) || !answers {
                return Some(side);
            }
        }
        None
    }
}
