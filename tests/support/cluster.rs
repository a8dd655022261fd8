//! A cluster of Proxmox VE that one already has, without any: machines with true SSH servers, and a
//! double of the API that runs true QEMUs on them.

use super::{
    Running, Sandbox, build,
    machines::{Machines, NODES},
};
use crate::pve::{Double, PASSWORD, Place, Real, TOKEN, TOKEN_SECRET, World};
use camino::Utf8PathBuf;
use harness::{record::Record, run_folder::RunFolder};
use lab::{
    hypervisor::proxmox::guest::{Boot, Guest, GuestSpec, Ours},
    units::Bytes,
};
use serde_json::{Value, json};
use std::{net::Ipv4Addr, sync::Arc};

/// Such a cluster.
pub struct Cluster<'a> {
    sandbox: &'a Sandbox,
    pub machines: Machines<'a>,
    pub double: Double,
    /// The lab file.
    pub lab: Utf8PathBuf,
}

/// A machine as a node of a cluster is: a bridge with a tap for the guest, a card for migrations, and
/// folders of its own.
fn machine(number: usize) -> String {
    format!(
        "mount -t tmpfs tmpfs /run; mkdir /run/sshd /run/qemu-server
         ip link add vmbr0 type bridge
         ip link set lan0 master vmbr0
         ip tuntap add dev guest0 mode tap
         ip link set guest0 master vmbr0 up
         ip addr add 10.77.0.{number}/24 dev vmbr0
         ip link set vmbr0 up
         ip addr add 10.78.0.{number}/24 dev mig0"
    )
}

impl<'a> Cluster<'a> {
    /// One whose lab file has root ask, or a token. `None`, with a word, where that cannot be.
    pub async fn up(sandbox: &'a Sandbox, is_root: bool) -> Option<Self> {
        let mut real = Real::find(sandbox.path().join("cluster"))?;
        let machines = Machines::up_with(sandbox, machine, Some("/run/precopy-lab")).await?;
        for (index, (name, last)) in NODES.into_iter().zip(1..).enumerate() {
            let migration_address = Ipv4Addr::new(10, 78, 0, last);
            let place = Place::Machine { enter: machines.enter(index), migration_address };
            real.nodes.insert(name.to_owned(), place);
        }
        let mut world = World::of(NODES);
        world.facts.options = json!({"migration": {"type": "insecure", "network": "10.78.0.0/24"}});
        let double = Double::start(world).await;
        double.world().real = Some(real);
        let api = format!("127.0.0.1:{}", double.address.port());
        let user = if is_root { "root@pam" } else { TOKEN };
        let rest = format!(
            "networks: {{ migration: {{ cidr: 10.78.0.0/24, link_rate: 1 Gbit/s }} }}\n\
             proxmox:\n  vmids: 9900-9909\n  api:\n    nodes: [\"{api}\"]\n    user: {user}\n    \
             fingerprints: {{ \"{api}\": \"{}\" }}\n",
            double.fingerprint()
        );
        let lab = machines.lab_of("proxmox", "pve", "", &rest);
        Some(Self { sandbox, machines, double, lab })
    }

    /// Starts an experiment, with a password.
    pub fn experiment_as(&self, password: &str, file: &str, more: &[&str]) -> Running {
        let (runs, baselines) = (self.sandbox.runs(), self.sandbox.baselines());
        let own = ["experiment", file, "--lab", self.lab.as_str(), "--out", runs.as_str()];
        let own = [&own[..], &["--baselines", baselines.as_str()], more].concat();
        self.start(&own, password)
    }

    /// Likewise, with the right one.
    pub fn experiment(&self, file: &str, more: &[&str]) -> Running {
        self.experiment_as(PASSWORD, file, more)
    }

    /// Asks for advice.
    pub fn advise(&self, more: &[&str]) -> Running {
        self.start(&[&["advise", "--lab", self.lab.as_str()], more].concat(), PASSWORD)
    }

    /// Goes on with a run.
    pub fn resume(&self, run: &RunFolder) -> Running {
        let baselines = self.sandbox.baselines();
        let run = run.path().as_str();
        let own = ["experiment", "--resume", run, "--baselines", baselines.as_str()];
        self.start(&own, PASSWORD)
    }

    fn start(&self, arguments: &[&str], password: &str) -> Running {
        let secrets = [("PRECOPY_PVE_PASSWORD", password), ("PRECOPY_PVE_TOKEN", TOKEN_SECRET)];
        self.sandbox.start_with(arguments, &secrets)
    }

    /// Somebody's VM, running. It stands still: it is our guest's image that nobody has told what to
    /// do.
    pub async fn somebodys_vm(
        &self,
        vmid: u32,
        name: &str,
        node: &str,
        address: Ipv4Addr,
        memory_mib: u64,
    ) {
        let client = self.double.root();
        let spec = GuestSpec {
            ours: Ours { ids: vmid..=vmid, tag: "shop".to_owned() },
            name: name.to_owned(),
            memory: Bytes(memory_mib << 20),
            bridge: "vmbr0".to_owned(),
            mac: wire::mac_of_ipv4(address.octets()),
            kvm: false,
            boot: Boot::Kernel {
                file: build::build().expect("built").guest,
                command_line: String::new(),
            },
            monitor: None,
            arguments: Vec::new(),
            migrate_downtime: None,
            migrate_speed_mib_s: None,
        };
        let vm = Guest::create(&client, node, &spec).await.expect("made");
        vm.start(&client).await.expect("started");
        self.double.world().asked.clear();
    }

    /// Records of the run that was begun last.
    pub fn records(&self) -> (RunFolder, Vec<Record>) {
        let runs = RunFolder::list(&self.sandbox.runs()).expect("listed");
        let run = runs.last().expect("a run").clone();
        let records = run.records().expect("read").records;
        (run, records)
    }

    /// Where a guest comes from and goes to, while memory is on its way.
    pub fn migrating(&self) -> Option<(String, String)> {
        let mut world = self.double.world();
        let task = world.tasks.iter().find(|task| task.kind == "qmigrate" && !task.ended)?;
        let begun = task.log.iter().any(|line| line.contains("start migrate command"));
        let source = task.node.clone();
        let running = world.real.as_mut().expect("true QEMUs").running.keys();
        let target = running.map(|(node, _)| node.clone()).find(|node| *node != source)?;
        begun.then_some((source, target))
    }

    /// Ends a node as a power cut does, or starts it again.
    pub fn power(&mut self, node: &str, on: bool) {
        let index = NODES.iter().position(|name| *name == node).expect("a node");
        {
            let mut world = self.double.world();
            world.nodes.insert(node.to_owned(), on);
            let real = world.real.as_mut().expect("true QEMUs");
            real.running.retain(|(place, _), _| place != node);
        }
        self.machines.power(index, on);
    }

    /// VMs that there are, and QEMUs that live.
    pub async fn left(&self) -> (usize, usize) {
        let (vms, qmps) = {
            let world = self.double.world();
            let running = world.real.as_ref().expect("true QEMUs").running.values();
            (world.vms.len(), running.map(|qemu| Arc::clone(&qemu.qmp)).collect::<Vec<_>>())
        };
        let mut alive = 0;
        for qmp in qmps {
            alive += usize::from(qmp.ask("query-status", Value::Null).await.is_ok());
        }
        (vms, alive)
    }

    /// Takes all of it down; nothing may be left.
    pub fn down(self) {
        let Self { sandbox, machines, double, lab } = self;
        sandbox.start(&["lab-down", "--lab", lab.as_str()]).succeed();
        drop(double);
        drop(machines);
        sandbox.assert_nothing_left();
    }
}
