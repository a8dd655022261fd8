//! The integrity check sees one bit that was flipped from outside, in the memory of a guest that
//! has arrived and does not run; and it sees nothing where nothing was flipped.

use crate::support::{
    Sandbox, build,
    check::{measured, verified, well_formed},
    lax,
    order::order,
    processes,
    program::program,
};
use anyhow::{Context, Result, ensure};
use camino::Utf8PathBuf;
use harness::{
    experiment::Experiment,
    metric,
    plan::Plan,
    record::{Outcome, Record},
    trial::{self, Equipment, Hypervisor, Intervention, Order, QemuEquipment},
};
use lab::{
    Lifetime, RunningLab,
    hypervisor::qemu::{Accelerator, Vm, find},
    provider::netns,
    spec::LabSpec,
};
use serde_json::Value;
use std::{future::Future, os::unix::fs::FileExt, pin::Pin, time::Duration};

const EXPERIMENT: &str = "
name: flip
replicates: 2
heartbeat_interval: 2 ms
factors:
  memory: 64 MiB
  working_set: 8 MiB
  filled: 32 MiB
  touch_rate: 1000 pages/s
";

const LAB: &str = "name: flip\nprovider: netns\nhypervisor: qemu\n";

/// Of 64 MiB: behind the guest's own memory and the working set, whose pages are rewritten, and
/// before the end of what is filled.
const OFFSET: u64 = (20 << 20) + 1234;

/// Flips one bit of the stopped target's memory.
struct Flip {
    memory_folder: Utf8PathBuf,
    target: String,
}

impl Flip {
    async fn flip(&self, target: &Vm) -> Result<()> {
        target.ask("stop", Value::Null).await?;
        let file = std::fs::File::options()
            .read(true)
            .write(true)
            .open(self.memory_folder.join(&self.target))
            .context("the target's memory is no file")?;
        let (mut page, mut byte) = ([0; 4096], [0]);
        file.read_exact_at(&mut page, OFFSET & !4095)?;
        ensure!(page.iter().any(|byte| *byte != 0), "the page is not filled");
        file.read_exact_at(&mut byte, OFFSET)?;
        file.write_all_at(&[byte[0] ^ 0b100], OFFSET)?;
        target.ask("cont", Value::Null).await.map(drop)
    }
}

impl Intervention for Flip {
    fn after_move<'a>(
        &'a self,
        target: &'a Vm,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(self.flip(target))
    }
}

#[test]
fn one_flipped_bit_is_one_wrong_page() {
    // Two threads: waiting for a lab to come up blocks one.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(flipped_and_not());
}

async fn flipped_and_not() {
    let sandbox = Sandbox::new();
    let built = build::build().expect("built");
    let qemu = find::choose(None).expect("a QEMU").qemu.path;
    // In memory, where there is such a place: the guest's own memory lies there.
    let memory = ["/dev/shm", "/tmp"].iter().find(|folder| std::path::Path::new(folder).is_dir());
    let memory = tempfile::tempdir_in(memory.expect("a folder")).expect("a folder");
    let memory_folder = Utf8PathBuf::try_from(memory.path().to_owned()).expect("UTF-8");
    let equipment = Equipment {
        hypervisor: Hypervisor::Qemu(QemuEquipment {
            memory_folder: Some(memory_folder.clone()),
            ..QemuEquipment::alone(qemu.try_into().expect("UTF-8"))
        }),
        accelerator: Accelerator::Tcg,
        patience: 1.0,
        node_patience: Duration::ZERO,
        guest: built.guest,
        observer: built.observer,
    };
    let experiment = Experiment::parse("flip.yaml", &lax(EXPERIMENT)).expect("valid");
    let spec = LabSpec::parse("flip-lab.yaml", LAB).expect("valid");
    let plan = Plan::new(&experiment, spec.nodes.len());
    let lab = netns::up(spec, Lifetime::Ephemeral, &program()).expect("up");
    let orders = [0, 1].map(|index| order(&experiment, &plan, index));

    let target = lab.nodes[orders[0].target].name.clone();
    let flip = Flip { memory_folder: memory_folder.clone(), target };
    let record = trial(&lab, &equipment, &orders[0], Some(&flip)).await;
    assert_eq!(record.outcome, Outcome::Corrupt, "{:?}", record.reason);
    assert_eq!(measured(&record, metric::PAGES_WRONG), 1.0);
    let reason = record.reason.as_deref().expect("a reason");
    assert!(reason.starts_with("1 of ") && reason.contains("do not hold"), "{reason}");

    // The control: the same, but nothing is flipped.
    let record = trial(&lab, &equipment, &orders[1], None).await;
    assert_eq!(record.outcome, Outcome::Completed, "{:?}", record.reason);
    verified(&record);
    let folder = lab.folder.clone();
    drop(lab);
    // This lab is of the test's own process, whose state is not in the sandbox.
    assert!(!folder.exists(), "{folder} is left");
    processes::assert_none_mentions(&folder);
    processes::assert_none_mentions(&memory_folder);
    sandbox.assert_nothing_left();
}

async fn trial(
    lab: &RunningLab,
    equipment: &Equipment,
    order: &Order,
    intervention: Option<&dyn Intervention>,
) -> Record {
    let finished = trial::run(lab, equipment, order, intervention, &mut |_| {}).await;
    let record = finished.expect("the lab stands").record;
    well_formed(&record);
    record
}
