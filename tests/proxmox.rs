//! Trials on Proxmox VE, by a double of its API that runs true QEMUs on the nodes of a lab: guests are
//! made, migrated, verified and removed through it, and what fails is told in its words.

use crate::{
    pve::{Double, Failure, Place, Real, Reply, World},
    support::{
        Sandbox, build,
        check::{measured, value, verified, well_formed},
        lax,
        order::order,
        program::program,
    },
};
use camino::Utf8Path;
use harness::{
    experiment::Experiment,
    metric,
    plan::Plan,
    record::{Metric, Outcome, Record},
    trial::{
        self, Equipment, Finished, Hypervisor, Lost, Order, OwnGuests, ProxmoxBoot,
        ProxmoxEquipment, ProxmoxGuest,
    },
};
use lab::{
    Lifetime, RunningLab,
    hypervisor::{proxmox::guest::Ours, qemu::Accelerator},
    node::Node,
    provider::netns,
    spec::LabSpec,
};
use std::{sync::Arc, time::Duration};

const EXPERIMENT: &str = "
name: on-proxmox
replicates: 4
heartbeat_interval: 2 ms
max_time: 60 s
factors:
  memory: 64 MiB
  working_set: 8 MiB
  filled: 32 MiB
  touch_rate: 1000 pages/s
  bandwidth_limit: 20 MiB/s
  downtime_limit: 200 ms
";

/// Its nodes are those of the double.
const LAB: &str = "
name: under-proxmox
provider: netns
hypervisor: qemu
nodes: [pve1, pve2, pve3]
networks:
  guest: {cidr: 10.91.0.0/24}
  migration: {cidr: 10.92.0.0/24, link_rate: 1 Gbit/s}
";

struct Cluster {
    sandbox: Sandbox,
    lab: RunningLab,
    double: Double,
    equipment: Equipment,
    orders: Vec<Order>,
    _folder: tempfile::TempDir,
}

impl Cluster {
    /// `None` where there is no QEMU.
    async fn up() -> Option<Self> {
        let sandbox = Sandbox::new();
        let built = build::build().expect("built");
        let folder = tempfile::tempdir().expect("a folder");
        let mut real = Real::find(Utf8Path::from_path(folder.path()).expect("UTF-8").to_owned())?;
        let spec = LabSpec::parse("lab.yaml", LAB).expect("valid");
        let experiment = Experiment::parse("on-proxmox.yaml", &lax(EXPERIMENT)).expect("valid");
        let plan = Plan::new(&experiment, spec.nodes.len());
        let lab = netns::up(spec, Lifetime::Ephemeral, &program()).expect("up");
        let place = |node: &Node| (node.name.clone(), Place::Node(node.clone()));
        real.nodes = lab.nodes.iter().map(place).collect();
        let double = Double::start(World::cluster()).await;
        double.world().real = Some(real);
        let proxmox = ProxmoxEquipment {
            client: Arc::new(double.root()),
            ours: Ours { ids: 9900..=9909, tag: Ours::TAG.to_owned() },
            guest: ProxmoxGuest::Own(OwnGuests {
                bridge: "vmbr0".to_owned(),
                boot: ProxmoxBoot::Kernel,
                // The nodes share their files, and with them the sockets of monitors.
                monitor: None,
            }),
        };
        let equipment = Equipment {
            hypervisor: Hypervisor::Proxmox(proxmox),
            accelerator: Accelerator::Tcg,
            patience: 3.0,
            node_patience: Duration::from_secs(2),
            guest: built.guest,
            observer: built.observer,
        };
        let orders = (0..4).map(|index| order(&experiment, &plan, index)).collect();
        Some(Self { sandbox, lab, double, equipment, orders, _folder: folder })
    }

    async fn run(&self, index: usize) -> Result<Finished, Lost> {
        trial::run(&self.lab, &self.equipment, &self.orders[index], None, &mut |_| {}).await
    }

    async fn record(&self, index: usize) -> (Record, String) {
        let finished = self.run(index).await.expect("the cluster stands");
        well_formed(&finished.record);
        (finished.record, finished.log)
    }

    /// VMs that are left, with what runs them; VM 101 is somebody else's.
    fn left(&self) -> (Vec<u32>, usize) {
        let world = self.double.world();
        let vms = world.vms.iter().map(|vm| vm.vmid).filter(|vmid| *vmid != 101).collect();
        (vms, world.real.as_ref().expect("true QEMUs").running.len())
    }
}

fn reason(record: &Record) -> &str {
    record.reason.as_deref().expect("a reason")
}

#[test]
fn guests_are_made_migrated_verified_and_removed() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(all());
}

async fn all() {
    let Some(cluster) = Cluster::up().await else { return };
    whole(&cluster).await;
    failing(&cluster).await;
    losing(&cluster).await;
    unready(&cluster).await;
    let Cluster { sandbox, lab, double, .. } = cluster;
    drop(double);
    drop(lab);
    sandbox.assert_nothing_left();
}

/// A trial as it should be.
async fn whole(cluster: &Cluster) {
    let (record, log) = cluster.record(0).await;
    assert_eq!(record.outcome, Outcome::Completed, "{:?}\n{log}", record.reason);
    verified(&record);
    assert_eq!(record.policy, "proxmox");
    assert!(log.contains("proxmox: TASK OK"), "{log}");
    for name in [
        metric::PROXMOX_DOWNTIME,
        metric::PROXMOX_SPEED,
        metric::BEGIN_DELAY,
        metric::SERVICE_GAP,
        metric::TOUCH_RATE_DURING,
    ] {
        assert!(measured(&record, name) > 0.0, "{name}\n{log}");
    }
    assert_eq!(measured(&record, metric::LAST_DOWNTIME_LIMIT), 200.0);
    assert_eq!(measured(&record, metric::LIMIT_INCREASES), 0.0);
    assert!(value(&record, metric::VCPU_PAUSE).is_none(), "nobody told of STOP");
    assert!(log.contains("migration speed limit: 20.0 MiB/s"), "{log}");
    assert_eq!(cluster.left(), (Vec::new(), 0));
}

/// What Proxmox refuses or does not do is a failed trial in its words, and nothing is left.
async fn failing(cluster: &Cluster) {
    let double = &cluster.double;
    let refusal = "Parameter verification failed: no such network";
    double.world().fail("/migrate", Failure::Answer(Reply::error(500, refusal)));
    let (record, log) = cluster.record(1).await;
    assert_eq!(record.outcome, Outcome::Failed, "{log}");
    assert!(reason(&record).contains("no such network"), "{record:?}");
    assert!(matches!(record.metrics[metric::TOTAL_TIME], Metric::Unavailable(_)));
    assert_eq!(cluster.left(), (Vec::new(), 0));

    let full = "unable to create VM 9900 - storage is full";
    double.world().fail("POST /nodes/", Failure::Answer(Reply::error(500, full)));
    let (record, _) = cluster.record(2).await;
    assert_eq!(record.outcome, Outcome::Failed);
    assert!(reason(&record).contains("storage is full"), "{record:?}");
    assert_eq!(cluster.left(), (Vec::new(), 0));
}

/// A target that is lost on the way costs its trial, which says so; the guest is removed where it
/// is, and no trial begins before the node is back.
async fn losing(cluster: &Cluster) {
    let (double, order) = (&cluster.double, &cluster.orders[1]);
    let target = cluster.lab.nodes[order.target].name.clone();
    let mut live = |live: trial::Live<'_>| {
        if matches!(live, trial::Live::Sample(_)) {
            let mut world = double.world();
            world.nodes.insert(target.clone(), false);
            let real = world.real.as_mut().expect("true QEMUs");
            real.running.retain(|(node, _), _| *node != target);
        }
    };
    let trial = trial::run(&cluster.lab, &cluster.equipment, order, None, &mut live).await;
    let Finished { record, log, .. } = trial.expect("the cluster stands");
    well_formed(&record);
    assert_eq!(record.outcome, Outcome::Failed, "{log}");
    let words = format!("{target}, the target, was lost: ");
    assert!(reason(&record).starts_with(&words), "{record:?}");
    assert_eq!(cluster.left(), (Vec::new(), 0));
    let lost = cluster.run(1).await.expect_err("a node is missing").to_string();
    assert!(lost.contains(&format!("the cluster does not see {target}")), "{lost}");
    double.world().nodes.insert(target, true);
    let (record, log) = cluster.record(1).await;
    assert_eq!(record.outcome, Outcome::Completed, "{:?}\n{log}", record.reason);
}

/// A cluster that takes no guest is waited for, and then ends the run; what was left is swept.
async fn unready(cluster: &Cluster) {
    let double = &cluster.double;
    double.world().quorate = false;
    let lost = cluster.run(3).await.expect_err("no quorum").to_string();
    assert!(lost.starts_with("the cluster took no guest within "), "{lost}");
    assert!(lost.contains("the cluster has no quorum"), "{lost}");
    double.world().quorate = true;

    // A trial that is broken off leaves its guest, which a sweep removes.
    let mut migrates = false;
    let told = tokio::sync::Notify::new();
    let mut live = |live: trial::Live<'_>| {
        if matches!(live, trial::Live::Sample(_)) && !migrates {
            migrates = true;
            told.notify_one();
        }
    };
    let order = &cluster.orders[3];
    let trial = trial::run(&cluster.lab, &cluster.equipment, order, None, &mut live);
    tokio::select! {
        ended = trial => panic!("{:?}", ended.map(|ended| (ended.record.reason, ended.log))),
        () = told.notified() => {}
    }
    assert_eq!(cluster.left().0.len(), 1);
    let swept = trial::sweep(&cluster.equipment).await.expect("swept");
    assert!(swept.len() == 1 && swept[0].starts_with("removed VM 99"), "{swept:?}");
    assert_eq!(cluster.left(), (Vec::new(), 0));
}
