//! Sets the nodes of a lab up for its hypervisor, by the hypervisor's playbook.

mod supplied;

pub use supplied::{Supplied, Supplies};

use crate::{
    node::Node,
    packages::{Fetcher, PackageCache, keyring},
    playbook::{
        self, Devices, DryRun, Event, Playbook, Reboot, Secrets, Setup, Summary, context, render,
    },
    spec::{HypervisorKind, LabSpec, PackageSource},
    state, yaml,
};
use anyhow::{Context, Result, anyhow, bail};
use camino::{Utf8Path, Utf8PathBuf};
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How long a machine may take to start anew; emulated ones take minutes.
const REBOOTING: Duration = Duration::from_secs(15 * 60);

/// How long the command that asks for a reboot may take before it is lost with its machine.
const ASKING: Duration = Duration::from_secs(60);

/// What a lab's nodes are set up by.
#[derive(Clone, Copy, Debug)]
pub struct SetUp<'a> {
    /// The lab.
    pub spec: &'a LabSpec,
    /// What its nodes' cards are called, in the order of the lab's nodes.
    pub devices: &'a [Devices],
    /// Folder of the templates.
    pub templates: &'a Utf8Path,
    /// The lab's own folder, where what steps say is kept.
    pub folder: &'a Utf8Path,
}

impl SetUp<'_> {
    /// Name of the template of a hypervisor's playbook.
    #[must_use]
    pub const fn template(hypervisor: HypervisorKind) -> &'static str {
        match hypervisor {
            HypervisorKind::Qemu => "qemu.yaml.j2",
            HypervisorKind::Proxmox => "proxmox.yaml.j2",
        }
    }

    /// The playbooks, one for each node.
    ///
    /// # Errors
    /// When the template cannot be read, or anything is wrong with it.
    pub async fn playbooks(&self) -> Result<Vec<Playbook>> {
        let keyring = match self.spec.proxmox() {
            None => Vec::new(),
            Some(proxmox) => {
                let fetcher = Fetcher::of_this_machine();
                let folder = packages_folder()?;
                keyring(&proxmox.key, proxmox.key_hash().as_deref(), &folder, &fetcher).await?
            }
        };
        let path = self.templates.join(Self::template(self.spec.hypervisor));
        let text = yaml::read_text(&path)?;
        if self.devices.len() != self.spec.nodes.len() {
            bail!("the network cards of {} nodes are known", self.devices.len());
        }
        context::of(self.spec, self.devices)
            .into_iter()
            .map(|context| context.with_keyring(&keyring))
            .map(|context| {
                render(path.as_str(), &text, &context.node.name, &context)
                    .map_err(|report| anyhow!("{}", report.render(false, 100)))
            })
            .collect()
    }

    /// Does what is not done yet on the nodes, which are in the lab's order; tells of each step
    /// that acts.
    ///
    /// # Errors
    /// When a step fails: which one, where, and the last that it said.
    pub async fn run(
        &self,
        nodes: &mut [Node],
        tell: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Summary> {
        let playbooks = self.playbooks().await?;
        let told = Mutex::new(tell);
        let progress = |event: &Event| {
            // What is done already needs no line for each node and step.
            if matches!(event.doing, playbook::Doing::Looking | playbook::Doing::AlreadyDone) {
                return;
            }
            say(&told, &event.to_string());
        };
        let setup = Setup {
            folder: self.folder,
            secrets: &self.secrets()?,
            reboot: Machines,
            progress: &progress,
        };
        let supplies = self.supplies()?;
        let supplied = |node: &Node| match &supplies {
            Some((_, supplies)) => supplies.to(node),
            None => Supplied::none(node),
        };
        let mut nodes: Vec<_> = nodes.iter().map(supplied).collect();
        let summary = playbook::run(&playbooks, &mut nodes, &setup).await;
        if let Some((cache, _)) = &supplies
            && cache.statistics().served_bytes > 0
        {
            say(&told, &format!("packages: {}", cache.statistics()));
        }
        Ok(summary?)
    }

    /// What nodes get packages through; `None` where they get them by themselves. The lab is held
    /// by a lock.
    fn supplies(&self) -> Result<Option<(PackageCache<Fetcher>, Supplies<Fetcher>)>> {
        if self.spec.packages == Some(PackageSource::Direct) {
            return Ok(None);
        }
        let fetcher = Fetcher::of_this_machine();
        let cache =
            PackageCache::new(&packages_folder()?, &self.spec.name, fetcher, BTreeSet::new())?;
        let proxmox = self.spec.proxmox();
        let named: Vec<&str> = proxmox.iter().map(|spec| spec.repository.as_str()).collect();
        let supplies = Supplies::new(cache.clone(), &named);
        Ok(Some((cache, supplies)))
    }

    /// What [`Self::run`] would do; changes nothing.
    ///
    /// # Errors
    /// When a node cannot be looked at.
    pub async fn preview(&self, nodes: &mut [Node]) -> Result<DryRun> {
        Ok(playbook::dry_run(&self.playbooks().await?, nodes, &self.secrets()?).await?)
    }

    /// What the playbook asks for; made once for each lab.
    fn secrets(&self) -> Result<Secrets> {
        let mut secrets = Secrets::default();
        if self.spec.proxmox().is_some() {
            secrets.insert_generated(playbook::ROOT_PASSWORD, self.folder)?;
        }
        Ok(secrets)
    }
}

/// What was fetched for all labs. It may be removed at any time.
fn packages_folder() -> Result<Utf8PathBuf> {
    Ok(state::data_root()?.join("packages"))
}

fn say(told: &Mutex<&mut (dyn FnMut(&str) + Send)>, line: &str) {
    let mut tell = told.lock().unwrap_or_else(PoisonError::into_inner);
    tell(line);
}

/// Reboots nodes that are machines of their own.
struct Machines;

impl Reboot<Node> for Machines {
    async fn reboot(&self, node: &Node) -> Result<Node> {
        let before =
            node.boot_id().with_context(|| format!("{} cannot be rebooted alone", node.name))?;
        let argv = ["systemctl", "reboot"].map(str::to_owned);
        // The connection may end before the command does.
        let asked = node.run(&argv, ASKING).await;
        node.wait_until_back(&before, REBOOTING).await.with_context(|| match asked {
            Ok(_) => "the node was told to reboot".to_owned(),
            Err(error) => format!("the node was told to reboot ({error:#})"),
        })?;
        Ok(node.clone())
    }
}
