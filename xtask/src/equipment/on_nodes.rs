//! What trials are made with on nodes that are other machines: each is asked, and all must agree.

use super::{Equipped, agreed, cpu_model, kernel, newest_common, no_machine_types};
use crate::{
    build::Built,
    exit::{Exit, Failure, Result},
    show,
};
use anyhow::{Context, anyhow};
use camino::{Utf8Path, Utf8PathBuf};
use harness::{
    experiment::Experiment,
    run_folder::{self, Host, NodeHost},
    settings::QemuName,
    trial::{Equipment, Hypervisor, QemuEquipment, patience},
};
use lab::{
    RunningLab,
    facts::Facts,
    hypervisor::qemu::{
        Accelerator, find, on_node,
        probe::{self, On, Probe},
    },
    node::Node,
    spec,
};
use std::{collections::BTreeMap, time::Duration};
use tokio::task::JoinSet;

/// Nodes with less memory than this have none to spare for TCG's cache of code, an eighth of it by
/// default.
const LITTLE_MEMORY_BYTES: u64 = 4 << 30;
/// The cache there, MiB: much more than the guest's code needs.
const SMALL_CACHE_MIB: u32 = 32;

/// The QEMUs that take part, by name: where the lab file or the experiment says that they lie on
/// the nodes.
pub(super) type Wanted = BTreeMap<QemuName, Option<Utf8PathBuf>>;

/// What one node has.
#[derive(Clone)]
pub(super) struct There {
    pub node: Node,
    pub facts: Facts,
    /// The guest's image.
    pub guest: Utf8PathBuf,
    /// The QEMUs that take part, by name.
    pub qemus: BTreeMap<QemuName, run_folder::Qemu>,
    /// What a user must know of them.
    pub warnings: Vec<String>,
}

/// Asks all nodes of a lab that is up, at once: what they are, which QEMUs they have, and how the
/// guest runs there. Sends them the guest and the observer. `node_patience`: how long a node that
/// does not answer is waited for, later.
///
/// # Errors
/// When one of them lacks something, or they do not agree.
pub async fn equip(
    lab: &RunningLab,
    experiment: &Experiment,
    built: Built,
    node_patience: Duration,
) -> Result<Equipped> {
    let broken = |error: anyhow::Error| Failure::new(Exit::Lab, error);
    let guest_sha256 = find::file_sha256(built.guest.as_std_path())?;
    let wanted = wanted(lab, experiment)?;
    let all = look(lab, &wanted, &built).await.map_err(broken)?;
    let first = all.first().context("a lab without nodes")?;
    same_qemus(&all).map_err(broken)?;
    show::tell("running the guest on the nodes, to see how fast it is there");
    let probes = probes(lab, &all, &guest_sha256).await.map_err(broken)?;
    let named: Vec<_> = probes.iter().map(|probed| (probed.who(), probed.probe.clone())).collect();
    let (accelerator, accelerator_reason) = agreed("the nodes of this lab", &named)?;
    let slowest = |node: &str| {
        let of_node = probes.iter().filter(|probed| probed.node == node);
        of_node.map(|probed| probed.probe.fill_mib_per_s()).fold(f64::INFINITY, f64::min)
    };
    let nodes: Vec<NodeHost> = all
        .iter()
        .map(|there| NodeHost {
            name: there.node.name.clone(),
            host: host(&there.facts),
            fill_mib_per_s: slowest(&there.node.name),
        })
        .collect();
    let slowest = nodes.iter().map(|node| node.fill_mib_per_s).fold(f64::INFINITY, f64::min);
    let own = first.qemus.get(&QemuName::lab()).or_else(|| first.qemus.values().next());
    let own = own.context("no QEMU takes part")?.clone();
    let alone = first.qemus.len() == 1 && first.qemus.contains_key(&QemuName::lab());
    let little = all.iter().any(|there| there.facts.memory_bytes < LITTLE_MEMORY_BYTES);
    Ok(Equipped {
        equipment: Equipment {
            hypervisor: Hypervisor::Qemu(QemuEquipment {
                named: if alone { BTreeMap::new() } else { first.qemus.clone() },
                machine: pinned(first).await?,
                tcg_cache_mib: little.then_some(SMALL_CACHE_MIB),
                ..QemuEquipment::alone(own.path.clone())
            }),
            accelerator,
            patience: patience(slowest),
            node_patience,
            guest: built.guest,
            observer: built.observer,
        },
        qemu: own,
        accelerator_reason,
        guest: super::bare_metal(guest_sha256),
        nodes,
        versions: BTreeMap::new(),
        warnings: first.warnings.clone(),
        forwards: Vec::new(),
    })
}

fn wanted(lab: &RunningLab, experiment: &Experiment) -> anyhow::Result<Wanted> {
    let own = lab.spec.qemu.as_ref().and_then(|qemu| qemu.binary.clone());
    let path = |name: &QemuName| {
        let path = experiment.qemus.get(name.as_str()).cloned();
        path.map(Some).with_context(|| format!("no program is named `{name}`"))
    };
    let names = experiment.qemus_that_run().into_iter();
    names
        .map(|name| {
            let place = if name.is_lab() { own.clone() } else { path(&name)? };
            Ok((name, place))
        })
        .collect()
}

/// Looks at all nodes, in the order of the lab.
pub(super) async fn look(
    lab: &RunningLab,
    wanted: &Wanted,
    built: &Built,
) -> anyhow::Result<Vec<There>> {
    let mut looking = JoinSet::new();
    for (index, node) in lab.nodes.iter().enumerate() {
        let (node, wanted, built) = (node.clone(), wanted.clone(), built.clone());
        looking.spawn(async move { (index, there(node, &wanted, &built).await) });
    }
    let mut found = BTreeMap::new();
    while let Some(looked) = looking.join_next().await {
        let (index, there) = looked.context("a look at a node ended early")?;
        found.insert(index, there?);
    }
    Ok(found.into_values().collect())
}

async fn there(node: Node, wanted: &Wanted, built: &Built) -> anyhow::Result<There> {
    let facts = Facts::of(&node).await?;
    let (mut qemus, mut warnings) = (BTreeMap::new(), Vec::new());
    for (name, place) in wanted {
        let choice = on_node::choose(&node, place.as_deref()).await?;
        let path = Utf8PathBuf::try_from(choice.qemu.path).context("a QEMU with an odd path")?;
        let sha256 = on_node::sha256(&node, &path).await?;
        let version = choice.qemu.full_version;
        qemus.insert(name.clone(), run_folder::Qemu { path, version, sha256 });
        warnings.extend(choice.warnings);
    }
    let guest = node.deliver(&built.guest).await?;
    node.deliver(&built.observer).await?;
    Ok(There { node, facts, guest, qemus, warnings })
}

/// Every node is source and target in turn, so all must run the same programs.
pub(super) fn same_qemus(all: &[There]) -> anyhow::Result<()> {
    let Some((first, others)) = all.split_first() else { return Ok(()) };
    for other in others {
        for (name, qemu) in &first.qemus {
            if other.qemus.get(name) != Some(qemu) {
                let told = |there: &There| {
                    let qemu = there.qemus.get(name).map(|qemu| {
                        let hash: String = qemu.sha256.chars().take(12).collect();
                        format!("{} at {}, SHA-256 {hash}", qemu.version, qemu.path)
                    });
                    format!("{} has {}", there.node.name, qemu.unwrap_or_else(|| "none".to_owned()))
                };
                let (one, two) = (told(first), told(other));
                return Err(anyhow!(
                    "the nodes have different QEMUs, and a guest goes from each to each: {one}; {two}\n\n\
                     hint: install the same on all, or name one that all have by `qemu: {{binary: …}}` in the lab file"
                ));
            }
        }
    }
    Ok(())
}

/// A QEMU that was tried on a node.
struct Probed {
    node: String,
    /// Its name, where several take part.
    qemu: Option<QemuName>,
    probe: Probe,
}

impl Probed {
    fn who(&self) -> String {
        match &self.qemu {
            None => self.node.clone(),
            Some(qemu) => format!("{}, `{qemu}`", self.node),
        }
    }
}

/// How the guest runs on each node with each QEMU. Nodes of one kind share an answer, and the
/// answers are kept: under TCG in TCG one takes up to half a minute.
async fn probes(
    lab: &RunningLab,
    all: &[There],
    guest_sha256: &str,
) -> anyhow::Result<Vec<Probed>> {
    let wish = lab.spec.qemu.as_ref().map_or(spec::Accelerator::Auto, |qemu| qemu.accelerator);
    let chosen = match wish {
        spec::Accelerator::Auto => None,
        spec::Accelerator::Kvm => Some(Accelerator::Kvm),
        spec::Accelerator::Tcg => Some(Accelerator::Tcg),
    };
    let mut kinds: BTreeMap<String, Option<Probe>> = BTreeMap::new();
    let mut probed = Vec::new();
    for name in all.iter().flat_map(|there| there.qemus.keys()).collect::<Vec<_>>() {
        // One QEMU at a time on a node, all kinds of nodes at once.
        let mut running = JoinSet::new();
        for there in all {
            let key = kind(lab, there, name, guest_sha256);
            if kinds.contains_key(&key) {
                continue;
            }
            kinds.insert(key.clone(), None);
            let qemu = there.qemus.get(name).context("a QEMU that was not found")?.path.clone();
            let there = there.clone();
            running.spawn(async move {
                let on = On { node: &there.node, qemu: &qemu, guest: &there.guest };
                let probe = probe::probe_on_cached(on, chosen, &key, &probe::cache_file()).await;
                (key, probe)
            });
        }
        while let Some(ended) = running.join_next().await {
            let (key, probe) = ended.context("a probe ended early")?;
            kinds.insert(key, Some(probe?));
        }
    }
    for there in all {
        for name in there.qemus.keys() {
            let key = kind(lab, there, name, guest_sha256);
            let probe = kinds.get(&key).cloned().flatten().context("a node that was not probed")?;
            let qemu = (there.qemus.len() > 1).then(|| name.clone());
            probed.push(Probed { node: there.node.name.clone(), qemu, probe });
        }
    }
    Ok(probed)
}

/// All that an answer depends on. This machine belongs to it: it may be what the nodes run on.
fn kind(lab: &RunningLab, there: &There, name: &QemuName, guest_sha256: &str) -> String {
    let There { facts, qemus, .. } = there;
    let qemu = qemus.get(name).map(|qemu| qemu.sha256.as_str()).unwrap_or_default();
    let node = if facts.kvm_opens { "with" } else { "without" };
    let Facts { kernel: node_kernel, cpu_model: node_cpu, cpu_count, .. } = facts;
    format!(
        "{qemu} {guest_sha256} {node_kernel} {node_cpu} × {cpu_count}, {node} /dev/kvm, \
         {} of {} {}",
        lab.spec.provider,
        kernel(),
        cpu_model()
    )
}

pub(super) fn host(facts: &Facts) -> Host {
    let Facts { kernel, cpu_model, cpu_count, memory_bytes, .. } = facts.clone();
    Host { kernel, cpu_model, cpu_count, memory_bytes }
}

/// As for this machine: where several QEMUs take part.
async fn pinned(first: &There) -> Result<Option<String>> {
    if first.qemus.len() < 2 {
        return Ok(None);
    }
    let mut versions = Vec::new();
    for (name, qemu) in &first.qemus {
        let path: &Utf8Path = &qemu.path;
        let known = on_node::machine_versions(&first.node, path).await;
        versions.push((name.as_str(), known.with_context(|| no_machine_types(name))?));
    }
    newest_common(&versions)
}
