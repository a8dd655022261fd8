//! The guest's disk on real QEMU: it is handed over and arrives whole; one bit that was altered on
//! the storage is found; what the target's disk refuses is told.

use crate::support::{
    Sandbox, build,
    check::{measured, value, verified, well_formed},
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
use std::{fs::File, future::Future, os::unix::fs::FileExt, pin::Pin, time::Duration};

const EXPERIMENT: &str = "
name: disk
replicates: 2
heartbeat_interval: 2 ms
factors:
  memory: 64 MiB
  working_set: 8 MiB
  touch_rate: 1000 pages/s
  disk: 16 MiB
  disk_write_rate: 200 blocks/s
";

const LAB: &str = "name: disk\nprovider: netns\nhypervisor: qemu\nqemu: {accelerator: tcg}\n";

/// Blocks of the disk.
const BLOCKS: u64 = 4096;
/// Writes that every guest has done by the end of its gate, and that none has done by the end of
/// its trial: half a minute at the rate set.
const DONE: u64 = 100;
const NEVER_DONE: u64 = 6000;

#[test]
fn a_disk_arrives_whole() {
    let sandbox = Sandbox::new();
    let lab = sandbox.file("lab.yaml", LAB);
    let file = sandbox.file("disk.yaml", &lax(EXPERIMENT));
    experiment(&sandbox, &file, &lab, &[]);
    let records = sandbox.run().records().expect("read").records;
    assert_eq!(records.len(), 2);
    for record in &records {
        well_formed(record);
        assert_eq!(record.outcome, Outcome::Completed, "{:?}", record.reason);
        verified(record);
        assert_eq!(measured(record, metric::DISK_BLOCKS_CHECKED), 4096.0);
        assert_eq!(measured(record, metric::DISK_BLOCKS_WRONG), 0.0);
        // Nothing was written while the guest stood still.
        let gap_ms = measured(record, metric::DISK_GAP);
        assert!(gap_ms + 2.0 >= measured(record, metric::VCPU_PAUSE), "{gap_ms} ms");
    }
    let series = sandbox.run().series(0).expect("read");
    let last = series.beats.as_slice().last().expect("beats");
    assert!(last.disk_writes > DONE, "{last:?}");
    sandbox.assert_nothing_left();
}

/// The target's disk takes no write, and does not give its first blocks: what the guest is told
/// by its device is in the reason.
#[test]
fn what_the_target_s_disk_refuses_is_told() {
    let sandbox = Sandbox::new();
    let qemu = find::choose(None).expect("a QEMU").qemu.path;
    let faults = r#"{"event":"none","iotype":"write","errno":5},{"event":"none","iotype":"read","errno":5,"sector":0}"#;
    let script = format!(
        r#"#!/bin/sh
case "$*" in *-incoming*) ;; *) exec {qemu} "$@" ;; esac
for argument; do
    shift
    case "$argument" in '{{'*)
        argument=$(printf %s "$argument" | sed 's|"file":"image"|"file":{{"driver":"blkdebug","inject-error":[{faults}],"image":"image"}}|')
    esac
    set -- "$@" "$argument"
done
exec {qemu} "$@"
"#,
        qemu = qemu.display()
    );
    let qemu = sandbox.script("qemu", &script);
    let lab = sandbox.file("lab.yaml", LAB);
    let file =
        sandbox.file("disk.yaml", &lax(EXPERIMENT).replace("replicates: 2", "replicates: 1"));
    experiment(&sandbox, &file, &lab, &[("PRECOPY_QEMU", qemu.as_str())]);
    let records = sandbox.run().records().expect("read").records;
    let [record] = &records[..] else { panic!("{records:?}") };
    well_formed(record);
    assert_eq!(record.outcome, Outcome::Corrupt, "{:?}", record.reason);
    let reason = record.reason.as_deref().expect("a reason");
    assert!(reason.contains("8 of 4096 blocks of the guest's disk cannot be read"), "{reason}");
    assert!(reason.contains("writes with an error"), "{reason}");
    assert!(value(record, metric::DISK_BLOCKS_WRONG).is_some_and(|blocks| blocks >= 8.0));
    sandbox.assert_nothing_left();
}

fn experiment(sandbox: &Sandbox, file: &Utf8PathBuf, lab: &Utf8PathBuf, env: &[(&str, &str)]) {
    let (runs, baselines) = (sandbox.runs(), sandbox.baselines());
    let folders = ["--out", runs.as_str(), "--baselines", baselines.as_str()];
    let args = ["experiment", file.as_str(), "--lab", lab.as_str(), "--json"];
    sandbox.start_with(&[&args, &folders[..]].concat(), env).succeed();
}

/// Flips one bit of a block on the storage, which the guest has written and will not write again.
struct Flip {
    image: Utf8PathBuf,
    block: u64,
}

impl Flip {
    fn flip(&self) -> Result<()> {
        let file = File::options().read(true).write(true).open(&self.image);
        let file = file.context("the disk is no file of the storage")?;
        let (at, mut byte) = (self.block * 4096 + 1234, [0]);
        let mut block = [0; 4096];
        file.read_exact_at(&mut block, self.block * 4096)?;
        ensure!(block.iter().any(|byte| *byte != 0), "the block is not written");
        file.read_exact_at(&mut byte, at)?;
        file.write_all_at(&[byte[0] ^ 0b100], at)?;
        // QEMU reads past the page cache.
        file.sync_all().map_err(Into::into)
    }
}

impl Intervention for Flip {
    fn after_move<'a>(
        &'a self,
        _target: &'a Vm,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(async { self.flip() })
    }
}

#[test]
fn one_flipped_bit_is_one_wrong_block() {
    // Two threads: waiting for a lab to come up blocks one.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(flipped());
}

async fn flipped() {
    let sandbox = Sandbox::new();
    let built = build::build().expect("built");
    let qemu = find::choose(None).expect("a QEMU").qemu.path;
    let equipment = Equipment {
        hypervisor: Hypervisor::Qemu(QemuEquipment::alone(qemu.try_into().expect("UTF-8"))),
        accelerator: Accelerator::Tcg,
        patience: 1.0,
        node_patience: Duration::ZERO,
        guest: built.guest,
        observer: built.observer,
    };
    let experiment = Experiment::parse("disk.yaml", &lax(EXPERIMENT)).expect("valid");
    let spec = LabSpec::parse("lab.yaml", LAB).expect("valid");
    let plan = Plan::new(&experiment, spec.nodes.len());
    let lab = netns::up(spec, Lifetime::Ephemeral, &program()).expect("up");
    let order = order(&experiment, &plan, 0);
    let storage = lab.nodes[order.target].storage.clone().expect("shared by all nodes");

    let flip = Flip {
        image: storage.join(format!("{}-{}.raw", order.run, order.trial)),
        block: written_for_good(order.guest_seed),
    };
    let record = trial(&lab, &equipment, &order, &flip).await;
    assert_eq!(record.outcome, Outcome::Corrupt, "{:?}", record.reason);
    assert_eq!(measured(&record, metric::DISK_BLOCKS_WRONG), 1.0);
    assert_eq!(measured(&record, metric::PAGES_WRONG), 0.0);
    let expected = format!(
        "1 of 4096 blocks of the guest's disk do not hold what was written to them (the first is block {})",
        flip.block
    );
    assert_eq!(record.reason.as_deref(), Some(expected.as_str()));
    assert!(!flip.image.exists(), "{} is left", flip.image);

    let folders = [lab.folder.clone(), storage];
    drop(lab);
    for folder in folders {
        // This lab is of the test's own process, whose state is not in the sandbox.
        assert!(!folder.exists(), "{folder} is left");
        processes::assert_none_mentions(&folder);
    }
    sandbox.assert_nothing_left();
}

/// A block that is written early and then not again.
fn written_for_good(seed: u64) -> u64 {
    let block = |write| wire::disk::block_of_write(seed, BLOCKS, write).expect("a disk");
    let early =
        (0..DONE).find(|&write| (write + 1..NEVER_DONE).all(|later| block(later) != block(write)));
    block(early.expect("one of a hundred blocks"))
}

async fn trial(
    lab: &RunningLab,
    equipment: &Equipment,
    order: &Order,
    intervention: &dyn Intervention,
) -> Record {
    let finished = trial::run(lab, equipment, order, Some(intervention), &mut |_| {}).await;
    let record = finished.expect("the lab stands").record;
    well_formed(&record);
    record
}
