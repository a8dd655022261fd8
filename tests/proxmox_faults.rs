//! What goes wrong in a run on a Proxmox cluster, by the program as a user runs it: it costs a trial
//! at most, is told in Proxmox's words, and leaves nothing.

use crate::{
    pve::{Failure, Reply},
    support::{
        Sandbox, build,
        check::{verified, well_formed},
        cluster::Cluster,
        lax,
    },
};
use harness::record::{Outcome, Record};
use rustix::process::Signal;
use tokio::task::block_in_place;

/// Two trials; memory is on its way for eight seconds, so that what happens then hits it.
const EXPERIMENT: &str = "
name: faults
replicates: 2
heartbeat_interval: 2 ms
max_time: 60 s
factors:
  memory: 64 MiB
  working_set: 4 MiB
  filled: 32 MiB
  touch_rate: 100 pages/s
  bandwidth_limit: 4 MiB/s
  downtime_limit: 200 ms
";

fn reason(record: &Record) -> &str {
    record.reason.as_deref().expect("a reason")
}

fn completed(record: &Record) {
    well_formed(record);
    assert_eq!(record.outcome, Outcome::Completed, "{:?}", record.reason);
    verified(record);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_lost_costs_its_trial_and_no_more() {
    build::build().expect("built");
    let sandbox = Sandbox::new();
    let Some(mut cluster) = Cluster::up(&sandbox, true).await else { return };
    let file = sandbox.file("faults.yaml", &lax(EXPERIMENT));
    let target = block_in_place(|| {
        let mut running = cluster.experiment(file.as_str(), &[]);
        let (_, target) = running.until("a migration", || cluster.migrating());
        cluster.power(&target, false);
        let failed = running.line(|line| line.contains("[1/2]"));
        assert!(failed.contains("failed"), "{failed}");
        running.line(|line| line.contains("waiting for it"));
        cluster.power(&target, true);
        running.succeed();
        target
    });
    let (_, records) = cluster.records();
    let [lost, whole] = &records[..] else { panic!("{records:?}") };
    well_formed(lost);
    assert_eq!(lost.outcome, Outcome::Failed, "{lost:?}");
    let words = format!("{target}, the target, was lost: ");
    assert!(reason(lost).starts_with(&words), "{lost:?}");
    completed(whole);
    assert_eq!(cluster.left().await, (0, 0));
    block_in_place(|| cluster.down());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_run_leaves_nothing_and_goes_on() {
    build::build().expect("built");
    let sandbox = Sandbox::new();
    let Some(cluster) = Cluster::up(&sandbox, true).await else { return };
    let file =
        sandbox.file("faults.yaml", &lax(EXPERIMENT).replace("replicates: 2", "replicates: 1"));
    let ended = block_in_place(|| {
        let mut running = cluster.experiment(file.as_str(), &[]);
        running.until("a migration", || cluster.migrating());
        running.signal(Signal::INT);
        running.end()
    });
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert!(ended.stderr.contains("removed VM 9900"), "{}", ended.stderr);
    assert_eq!(cluster.left().await, (0, 0));
    let (run, records) = cluster.records();
    assert!(records.is_empty(), "{records:?}");
    block_in_place(|| cluster.resume(&run).succeed());
    let records = run.records().expect("read").records;
    let [record] = &records[..] else { panic!("{records:?}") };
    completed(record);
    assert_eq!(cluster.left().await, (0, 0));
    block_in_place(|| cluster.down());
}

/// Its VM stays locked, with memory on its way or all of it sent; the way back is told, and gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_costs_its_trial_and_no_more() {
    build::build().expect("built");
    let sandbox = Sandbox::new();
    let Some(cluster) = Cluster::up(&sandbox, true).await else { return };
    let file = sandbox.file("faults.yaml", &lax(EXPERIMENT));
    for status in ["active", "completed"] {
        cluster.double.world().kills_worker_at = Some(status);
        block_in_place(|| cluster.experiment(file.as_str(), &[]).succeed());
        let (_, records) = cluster.records();
        let [killed, whole] = &records[..] else { panic!("{records:?}") };
        well_formed(killed);
        assert_eq!(killed.outcome, Outcome::Failed, "{killed:?}");
        for words in ["it was killed; the VM was left locked (migrate)", "`qm unlock VMID` as root"]
        {
            assert!(reason(killed).contains(words), "no `{words}` in {killed:?}");
        }
        completed(whole);
        assert_eq!(cluster.left().await, (0, 0));
    }
    {
        let world = cluster.double.world();
        let said =
            |word| world.asked.iter().filter(|it| it.parameter("command") == Some(word)).count();
        let posts = world.asked.iter().filter(|it| it.method == "POST");
        let migrates = posts.filter(|it| it.path.ends_with("/migrate")).count();
        assert_eq!(said("migrate_cancel"), 1, "once, memory was on its way");
        assert_eq!(world.times("status/resume"), 1, "once, both stood still");
        // Each trial's, and the one by which the second QEMU was removed.
        assert_eq!(migrates, 5);
    }
    block_in_place(|| cluster.down());
}

/// Tickets that expire, a node that is not reached and a page of something in between, each for a
/// moment: the run knows better than to give up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_waited_for() {
    build::build().expect("built");
    let sandbox = Sandbox::new();
    let Some(cluster) = Cluster::up(&sandbox, true).await else { return };
    let file = sandbox.file("faults.yaml", &lax(EXPERIMENT));
    let page = Reply::html(502, "Bad Gateway", "<html><body>Bad Gateway</body></html>");
    let away = Reply::bare(595, "Connection refused");
    block_in_place(|| {
        let mut running = cluster.experiment(file.as_str(), &[]);
        running.until("a migration", || cluster.migrating());
        {
            let mut world = cluster.double.world();
            world.tickets.clear();
            for reply in [&page, &away, &page, &away] {
                world.fail("GET /nodes/", Failure::Answer(reply.clone()));
            }
            // Before the next trial the cluster is asked; what is refused then is a failed trial.
            world.fail("GET /cluster/status", Failure::Answer(page.clone()));
            world.fail("/status/start", Failure::Answer(away.clone()));
        }
        running.succeed();
    });
    let (_, records) = cluster.records();
    let [whole, refused] = &records[..] else { panic!("{records:?}") };
    completed(whole);
    well_formed(refused);
    assert_eq!(refused.outcome, Outcome::Failed, "{refused:?}");
    for words in ["does not answer: Connection refused (595)", "hint: is node"] {
        assert!(reason(refused).contains(words), "no `{words}` in {refused:?}");
    }
    assert!(cluster.double.world().times("POST /access/ticket") >= 2);
    assert_eq!(cluster.left().await, (0, 0));
    block_in_place(|| cluster.down());
}
