//! A guest on plain QEMU: a process on the source, one on the target that receives it, and the
//! image of its disk.

use super::{Migrated, Waiting};
use crate::{
    record::Outcome,
    settings::{BandwidthLimit, QemuName, Settings},
    trial::{
        Equipment, Order, disk::DiskImage, equipment::QemuEquipment, nodes, outcome::Ended,
        tear_down::END_DEADLINE,
    },
};
use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use lab::{
    RunningLab,
    hypervisor::qemu::{
        Accelerator, Disk, Vm, VmSpec,
        migration::{self, MigrationOrder, Sample, SendCap, Side},
    },
    node::{Exit, Node},
};
use std::net::{Ipv4Addr, SocketAddrV4};
use tokio::time::timeout;

/// Where the target's QEMU listens: any port does in a namespace of the lab's own.
const MIGRATION_PORT: u16 = 49_152;

/// Both QEMUs of a guest.
#[derive(Debug)]
pub struct Pair {
    source: End,
    target: End,
    /// The image of the guest's disk.
    disk: Option<DiskImage>,
    /// What is the same at both ends.
    common: Common,
    migration: MigrationOrder,
}

/// One of them.
#[derive(Debug)]
struct End {
    node: Node,
    program: Utf8PathBuf,
    /// Once it runs.
    vm: Option<Vm>,
}

#[derive(Debug)]
struct Common {
    equipment: QemuEquipment,
    accelerator: Accelerator,
    /// The guest's image, on this machine.
    image: Utf8PathBuf,
    address: Ipv4Addr,
    settings: Settings,
}

impl Common {
    fn spec(&self, end: &End, kernel: Utf8PathBuf, incoming: bool, disk: Option<Disk>) -> VmSpec {
        let QemuEquipment { tcg_cache_mib, machine, memory_folder, .. } = &self.equipment;
        VmSpec {
            binary: end.program.clone(),
            accelerator: self.accelerator,
            tcg_cache_mib: *tcg_cache_mib,
            machine: machine.clone(),
            memory: self.settings.memory,
            kernel,
            address: self.address,
            tap: end.node.tap.clone(),
            incoming,
            memory_file: memory_folder.as_ref().map(|folder| folder.join(&end.node.name)),
            disk,
        }
    }
}

impl Pair {
    /// Nothing runs yet.
    pub fn new(
        lab: &RunningLab,
        equipment: &Equipment,
        qemu: &QemuEquipment,
        order: &Order,
    ) -> Result<Self> {
        let [source, target, _] = nodes::of(lab, order)?;
        let disk = (!order.settings.disk.is_none()).then(|| DiskImage::of(order, source, target));
        let end = |node: &Node, name: &QemuName| {
            let program: Option<&Utf8Path> = qemu.program(name);
            let program =
                program.with_context(|| format!("the run has no QEMU named `{name}`"))?.to_owned();
            anyhow::Ok(End { node: node.clone(), program, vm: None })
        };
        let programs = &order.settings.qemu;
        Ok(Self {
            disk: disk.transpose()?,
            source: end(source, &programs.source)?,
            target: end(target, &programs.target)?,
            migration: migration_order(target, order),
            common: Common {
                equipment: qemu.clone(),
                accelerator: equipment.accelerator,
                image: equipment.guest.clone(),
                address: lab.spec.networks.guest.guest_address(0),
                settings: order.settings.clone(),
            },
        })
    }

    pub async fn start(&mut self) -> Result<()> {
        let Self { source, target, disk, common, .. } = self;
        let [source_disk, target_disk] = match disk {
            Some(image) => image.make(common.settings.disk.bytes()).await?.map(Some),
            None => [None, None],
        };
        // Where it is already, nothing is sent.
        let (source_image, target_image) = tokio::try_join!(
            source.node.deliver(&common.image),
            target.node.deliver(&common.image)
        )?;
        let source_spec = common.spec(source, source_image, false, source_disk);
        let target_spec = common.spec(target, target_image, true, target_disk);
        let (source_vm, target_vm) = tokio::join!(
            Vm::start(&source.node, &source_spec),
            Vm::start(&target.node, &target_spec)
        );
        source.vm = Some(source_vm?);
        target.vm = Some(target_vm?);
        Ok(())
    }

    pub async fn prepare(&self) -> Result<()> {
        migration::prepare(self.source.running()?, self.target.running()?, &self.migration).await
    }

    pub async fn migrate(&mut self, live: &mut (dyn FnMut(&Sample) + Send)) -> Result<Migrated> {
        let Self { source, target, migration, .. } = self;
        let (source, target) = (source.running_mut()?, target.running_mut()?);
        let log = migration::migrate(source, target, migration, live).await?;
        // QEMU begins when it is asked.
        Ok(Migrated { began_s: 0.0, end_s: log.asked.elapsed().as_secs_f64(), log, told: None })
    }

    pub fn dies(&self) -> Waiting<Side> {
        let (source, target) = (self.end_dies(Side::Source), self.end_dies(Side::Target));
        Box::pin(async move {
            tokio::select! {
                () = source => Side::Source,
                () = target => Side::Target,
            }
        })
    }

    pub fn end_dies(&self, side: Side) -> Waiting<()> {
        match &self.of(side).vm {
            Some(vm) => Box::pin(vm.exited()),
            None => Box::pin(std::future::pending()),
        }
    }

    pub async fn died(&mut self, side: Side) -> Ended {
        let name = name(side);
        let (exit, words) = match &mut self.of_mut(side).vm {
            Some(vm) => vm.wait().await,
            None => return Ended::new(Outcome::Failed, format!("the {name}'s QEMU did not start")),
        };
        let why = format!("the {name}'s QEMU {exit} before the migration: {words}");
        Ended::new(Outcome::Failed, why)
    }

    pub fn is_dead(&self, side: Side) -> bool {
        self.vm(side).and_then(Vm::ended).is_some()
    }

    pub async fn silent(&mut self, side: Side, what: &str, outcome: Outcome) -> Ended {
        if let Some(vm) = &mut self.of_mut(side).vm
            && vm.ended().is_some()
        {
            let (exit, words) = vm.wait().await;
            // The guest ends its QEMU when it panics: that is a dead guest, not a dead QEMU.
            let outcome = if words.contains("guest:") { outcome } else { Outcome::Failed };
            return Ended::new(outcome, format!("{what}: QEMU {exit}: {words}"));
        }
        Ended::new(outcome, what)
    }

    pub fn lost(&self) -> Option<Side> {
        let lost = |side: &Side| self.vm(*side).and_then(Vm::ended) == Some(Exit::NodeLost);
        [Side::Source, Side::Target].into_iter().find(lost)
    }

    pub fn vm(&self, side: Side) -> Option<&Vm> {
        self.of(side).vm.as_ref()
    }

    pub fn kill(&self) {
        for vm in [&self.source.vm, &self.target.vm].into_iter().flatten() {
            vm.kill();
        }
    }

    /// The disk's image is removed too.
    pub async fn end(&mut self) -> String {
        self.kill();
        let mut log = String::new();
        for (side, end) in [(Side::Source, &mut self.source), (Side::Target, &mut self.target)] {
            if let Some(vm) = &mut end.vm {
                let ended = timeout(END_DEADLINE, vm.wait()).await;
                let words = match ended {
                    Ok((_, words)) => words,
                    Err(_) => format!("{}\nits end was not heard of", vm.words()),
                };
                for line in words.lines() {
                    log += &format!("{}: {line}\n", name(side));
                }
            }
        }
        if let Some(disk) = &self.disk
            && let Err(error) = disk.remove().await
        {
            log += &format!("disk: {error:#}\n");
        }
        log
    }

    fn of(&self, side: Side) -> &End {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    fn of_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Source => &mut self.source,
            Side::Target => &mut self.target,
        }
    }
}

impl End {
    fn running(&self) -> Result<&Vm> {
        self.vm.as_ref().with_context(|| format!("no QEMU on {}", self.node.name))
    }

    fn running_mut(&mut self) -> Result<&mut Vm> {
        self.vm.as_mut().with_context(|| format!("no QEMU on {}", self.node.name))
    }
}

fn name(side: Side) -> &'static str {
    match side {
        Side::Source => "source",
        Side::Target => "target",
    }
}

fn migration_order(target: &Node, order: &Order) -> MigrationOrder {
    let link = order.settings.network.link();
    MigrationOrder {
        listen: SocketAddrV4::new(target.address(link), MIGRATION_PORT),
        downtime_limit: order.settings.downtime_limit.duration(),
        cap: match order.settings.bandwidth_limit {
            BandwidthLimit::Default => SendCap::Default,
            BandwidthLimit::Unlimited => SendCap::Unlimited,
            BandwidthLimit::Capped(rate) => SendCap::BytesPerSecond(rate.0),
        },
        max_time: order.max_time,
    }
}
