//! A VM that somebody has on a Proxmox cluster, by the program as a user runs it: it is migrated, put
//! back where it was, and nothing else is done to it.

use crate::{
    pve::World,
    support::{
        Sandbox, build,
        check::{measured, value, well_formed},
        cluster::Cluster,
        lax,
    },
};
use harness::{
    metric,
    record::{Metric, OtherGuest, Outcome, Record},
};
use rustix::process::Signal;
use std::net::Ipv4Addr;
use tokio::task::block_in_place;

/// Theirs: among those that guests of ours could have.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 250);
const VMID: u32 = 105;
const NAME: &str = "web1";

const EXPERIMENT: &str = "
name: existing
replicates: 2
heartbeat_interval: 5 ms
max_time: 60 s
factors:
  bandwidth_limit: 20 MiB/s
";

/// A VM of somebody's, which the lab file names.
async fn somebodys_vm(cluster: &Cluster<'_>, memory_mib: u64) {
    cluster.somebodys_vm(VMID, NAME, "node2", ADDRESS, memory_mib).await;
    let guest = format!("  guest: {{ vmid: {VMID}, name: {NAME}, address: {ADDRESS} }}\n");
    let text = std::fs::read_to_string(&cluster.lab).expect("read") + &guest;
    std::fs::write(&cluster.lab, text).expect("written");
}

/// What was asked for that changes anything.
fn changes(world: &World) -> Vec<String> {
    let asked = world.asked.iter().filter(|it| it.method != "GET" && it.path != "/access/ticket");
    let changes = asked.filter(|it| it.parameter("command") != Some("info migrate"));
    changes.map(|it| it.name()).collect()
}

fn completed(record: &Record) {
    well_formed(record);
    assert_eq!(record.outcome, Outcome::Completed, "{:?}", record.reason);
    let guest =
        OtherGuest::Existing { vmid: VMID, name: NAME.to_owned(), memory_bytes: Some(64 << 20) };
    assert_eq!(record.guest, Some(guest));
    for name in [metric::PROXMOX_DOWNTIME, metric::PROXMOX_SPEED, metric::LIMIT_INCREASES] {
        assert!(value(record, name).is_some(), "{name}: {:?}", record.metrics[name]);
    }
    let Metric::Measured(gap) = &record.metrics[metric::SERVICE_GAP] else { panic!("{record:?}") };
    let [low, high] = gap.interval.expect("an interval");
    assert!(0.0 < low && low <= gap.value && gap.value <= high, "{gap:?}");
    assert_eq!((gap.source.as_str(), gap.resolution), ("observer, probes, whole migration", 5.0));
    for name in [metric::TOUCH_RATE_SET, metric::PAGES_CHECKED, metric::PREDICTED_TOTAL_TIME] {
        let Metric::Unavailable(why) = &record.metrics[name] else { panic!("{name}: {record:?}") };
        assert_eq!(why, "it is a VM with a workload of its own");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_that_one_has_is_migrated_and_put_back() {
    build::build().expect("built");
    let sandbox = Sandbox::new();
    let Some(cluster) = Cluster::up(&sandbox, true).await else { return };
    somebodys_vm(&cluster, 64).await;
    let experiment = format!("{EXPERIMENT}  transport: [insecure, secure]\n");
    let file = sandbox.file("existing.yaml", &lax(&experiment));

    // What would change the VM is refused, with its place.
    let own = sandbox.file("own.yaml", &format!("{EXPERIMENT}  touch_rate: 100 pages/s\n"));
    let refused = block_in_place(|| cluster.experiment(own.as_str(), &[]).end());
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    for words in ["`touch_rate: 100 pages/s` cannot be had of a VM that one has", "leave it out"] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    assert!(cluster.double.world().asked.is_empty());

    let ended = block_in_place(|| cluster.experiment(file.as_str(), &[]).succeed());
    let words =
        "VM 105 (web1) on node2, QEMU 10.0.13: migrated and nothing else, and put back on node2";
    assert!(ended.stderr.contains(words), "{}", ended.stderr);
    let (run, records) = cluster.records();
    assert_eq!(records.len(), 4, "{}", ended.stderr);
    records.iter().for_each(completed);
    // Each trial begins where the one before it ended.
    for pair in records.windows(2) {
        assert_eq!(pair[0].roles.target, pair[1].roles.source);
    }
    let report = std::fs::read_to_string(run.path().join("report.md")).expect("a report");
    assert!(report.contains("VM 105 (web1)"), "{report}");
    assert!(!report.contains("touch_rate 1000"), "what is not known is not said: {report}");
    let log = std::fs::read_to_string(run.logs().join("0.log")).expect("a log");
    assert!(log.contains("proxmox: TASK OK"), "{log}");
    {
        let mut world = cluster.double.world();
        let all = changes(&world);
        assert!(all.iter().all(|it| it.ends_with("/qemu/105/migrate")), "{all:?}");
        // Four trials, one before them or one after them where roles begin and end elsewhere.
        assert!((4..=6).contains(&all.len()), "{all:?}");
        let vm = world.vm(VMID).expect("it is there");
        assert_eq!((vm.node.as_str(), vm.lock.as_deref(), vm.running), ("node2", None, true));
    }
    assert_eq!(cluster.left().await, (1, 1));
    block_in_place(|| cluster.down());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_run_puts_it_back_and_goes_on() {
    build::build().expect("built");
    let sandbox = Sandbox::new();
    let Some(cluster) = Cluster::up(&sandbox, true).await else { return };
    // Its zero pages are on their way for some seconds.
    somebodys_vm(&cluster, 1024).await;
    let file = sandbox.file("existing.yaml", &lax(EXPERIMENT).replace("20 MiB/s", "1 MiB/s"));
    let node = |cluster: &Cluster<'_>| {
        let mut world = cluster.double.world();
        let vm = world.vm(VMID).expect("it is there");
        (vm.node.clone(), vm.lock.clone())
    };
    let ended = block_in_place(|| {
        let mut running = cluster.experiment(file.as_str(), &[]);
        running.line(|line| line.contains("[1/2]"));
        running.until("a migration", || cluster.migrating());
        running.signal(Signal::INT);
        running.end()
    });
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert_eq!(node(&cluster), ("node2".to_owned(), None), "{}", ended.stderr);
    assert_eq!(cluster.left().await, (1, 1));
    let (run, records) = cluster.records();
    assert_eq!(records.len(), 1, "{}", ended.stderr);
    assert!(!ended.stderr.contains("may not be back"), "{}", ended.stderr);

    // Somebody moved it meanwhile, or we were killed: it is put back where the run found it.
    let home = run.home().expect("read").expect("written");
    assert_eq!((home.vmid, home.name.as_str(), home.node.as_str()), (VMID, NAME, "node2"));
    let client = cluster.double.root();
    let elsewhere = lab::hypervisor::proxmox::guest::Existing {
        vmid: VMID,
        name: NAME.to_owned(),
        home: "node1".to_owned(),
    };
    let moved = elsewhere.put_back(&client, std::time::Duration::from_secs(60)).await;
    moved.expect("moved").expect("it was elsewhere");
    block_in_place(|| cluster.resume(&run).succeed());
    let records = run.records().expect("read").records;
    assert_eq!(records.len(), 2);
    records.iter().for_each(|record| assert_eq!(record.outcome, Outcome::Completed, "{record:?}"));
    assert_eq!(node(&cluster), ("node2".to_owned(), None));
    assert!(measured(&records[1], metric::SERVICE_GAP) > 0.0);
    assert_eq!(cluster.left().await, (1, 1));

    // An id alone opts nothing in.
    let text = std::fs::read_to_string(&cluster.lab).expect("read").replace("web1", "web2");
    std::fs::write(&cluster.lab, text).expect("written");
    cluster.double.world().asked.clear();
    let refused = block_in_place(|| cluster.experiment(file.as_str(), &[]).end());
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(refused.stderr.contains("its name is `web1`, not `web2`"), "{}", refused.stderr);
    assert_eq!(changes(&cluster.double.world()), Vec::<String>::new());
    block_in_place(|| cluster.down());
}

/// Without SSH there is nobody on the nodes: guests of ours from their CD and a VM that one has are
/// migrated all the same, by a token, and what nobody can tell is not told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_alone_is_enough_to_migrate() {
    build::build().expect("built");
    let sandbox = Sandbox::new();
    let Some(cluster) = Cluster::up(&sandbox, false).await else { return };
    let text = std::fs::read_to_string(&cluster.lab).expect("read");
    let (before, rest) = text.split_once("hosts:\n").expect("it has machines");
    let (_, after) = rest.split_once("networks:").expect("and networks");
    std::fs::write(&cluster.lab, format!("{before}networks:{after}")).expect("written");
    cluster.double.world().grant(9900..=9909);

    let own = "
name: api-only
replicates: 1
max_time: 60 s
factors:
  memory: 128 MiB
  bandwidth_limit: 20 MiB/s
  downtime_limit: 200 ms
";
    let busy = sandbox.file("busy.yaml", &format!("{own}  touch_rate: 10 pages/s\n"));
    let refused = block_in_place(|| cluster.experiment(busy.as_str(), &[]).end());
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("`touch_rate: 10 pages/s` needs SSH"), "{}", refused.stderr);

    let file = sandbox.file("api-only.yaml", own);
    let ended = block_in_place(|| cluster.experiment(file.as_str(), &[]).end());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let (_, records) = cluster.records();
    let [record] = &records[..] else { panic!("{records:?}") };
    well_formed(record);
    assert_eq!(record.outcome, Outcome::Completed, "{:?}", record.reason);
    assert_eq!((record.guest.as_ref(), record.clocks), (Some(&OtherGuest::Idle), None));
    assert_eq!(record.host_load, 0.84, "as the API tells it");
    assert!(value(record, metric::PROXMOX_DOWNTIME).is_some());
    for name in [metric::SERVICE_GAP, metric::WIRE_BYTES, metric::TOUCH_RATE_DURING] {
        assert!(value(record, name).is_none(), "{name}");
    }
    assert_eq!(cluster.left().await, (0, 0));

    somebodys_vm(&cluster, 64).await;
    let limited = EXPERIMENT.replace("factors:\n  bandwidth_limit: 20 MiB/s\n", "");
    let file = sandbox.file("existing.yaml", &lax(&limited));
    let refused = block_in_place(|| cluster.experiment(file.as_str(), &[]).end());
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    for words in [
        "lacks some on /vms/105: ",
        "`pveum role add PrecopyLabMigrate --privs 'Sys.Audit VM.Audit VM.Migrate'`",
    ] {
        assert!(refused.stderr.contains(words), "no `{words}` in:\n{}", refused.stderr);
    }
    let needed = ["Sys.Audit", "VM.Audit", "VM.Migrate"];
    let granted = needed.map(|privilege| (format!("/vms/{VMID}"), privilege.to_owned()));
    cluster.double.world().granted.extend(granted);
    let ended = block_in_place(|| cluster.experiment(file.as_str(), &[]).end());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let (_, records) = cluster.records();
    assert_eq!(records.len(), 2);
    for record in &records {
        well_formed(record);
        assert_eq!(record.outcome, Outcome::Completed, "{:?}", record.reason);
        assert!(value(record, metric::PROXMOX_DOWNTIME).is_some());
        assert!(value(record, metric::SERVICE_GAP).is_none());
    }
    {
        let mut world = cluster.double.world();
        let all = changes(&world);
        assert!(all.iter().all(|it| it.ends_with("/qemu/105/migrate")), "{all:?}");
        assert_eq!(world.vm(VMID).expect("it is there").node, "node2");
    }
    assert_eq!(cluster.left().await, (1, 1));
    block_in_place(|| cluster.down());
}
