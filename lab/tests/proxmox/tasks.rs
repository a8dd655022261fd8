//! Tasks, followed to their ends.

use crate::{
    migration,
    pve::{Double, Failure, Reply, World},
};
use lab::hypervisor::proxmox::{
    Fault,
    migration_log::{MigrationLog, Outcome},
    tasks::{Ended, Exit},
};
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(2);
const LONG: Duration = Duration::from_secs(60);

fn texts(ended: &Ended) -> Vec<&str> {
    ended.log.iter().map(|line| line.t.as_str()).collect()
}

#[tokio::test]
async fn a_migration_is_followed_to_its_end() {
    let log = include_str!("../recordings/logs/lab-escalation.log");
    let lines: Vec<String> = log.lines().map(str::to_owned).collect();
    let double = Double::start(World::cluster()).await;
    double.world().migration = (lines.clone(), "OK".to_owned());
    double.world().lines_a_look = 10;
    let client = double.token();
    let upid = client.start(&migration("pve2")).await.unwrap();
    let mut live = Vec::new();
    let ended = client
        .follow(&upid, PAUSE, LONG, |new| live.extend(new.iter().map(|line| line.t.clone())))
        .await
        .unwrap();
    assert_eq!((ended.exit.clone(), &live), (Exit::Ok, &lines));
    assert_eq!(texts(&ended), lines);
    let log = MigrationLog::read(texts(&ended));
    assert_eq!((log.outcome, log.increases.len()), (Outcome::Completed, 5));
    assert_eq!(double.world().vm(101).unwrap().node, "pve2");
}

#[tokio::test]
async fn long_logs_are_read_to_their_last_line() {
    let lines: Vec<String> = (0..1234).map(|n| format!("line {n}")).collect();
    let double = Double::start(World::cluster()).await;
    double.world().migration = (lines.clone(), "WARNINGS: 2".to_owned());
    let client = double.token();
    let upid = client.start(&migration("pve2")).await.unwrap();
    let ended = client.follow(&upid, PAUSE, LONG, |_| ()).await.unwrap();
    assert_eq!(ended.exit, Exit::Warnings(2));
    assert!(ended.exit.is_good());
    assert_eq!(texts(&ended), lines);
    assert_eq!(client.task_log(&upid, 1200).await.unwrap().len(), 34);
}

/// Which is no 200: that a migration was begun says nothing.
#[tokio::test]
async fn a_migration_to_a_node_that_is_down_fails_in_its_task() {
    let double = Double::start(World::cluster()).await;
    double.world().nodes.insert("pve3".to_owned(), false);
    let client = double.token();
    let upid = client.start(&migration("pve3")).await.unwrap();
    let ended = client.follow(&upid, PAUSE, LONG, |_| ()).await.unwrap();
    assert_eq!(ended.exit, Exit::Failed("migration aborted".to_owned()));
    let log = MigrationLog::read(texts(&ended));
    assert_eq!(log.outcome, Outcome::Aborted);
    assert!(log.why().unwrap().contains("Can't connect to destination address"), "{log:?}");
    let world = double.world();
    assert_eq!((world.vms[0].node.as_str(), world.vms[0].lock.as_deref()), ("pve1", None));
}

#[tokio::test]
async fn a_task_can_be_ended() {
    let double = Double::start(World::cluster()).await;
    double.world().migration = (vec!["a line".to_owned(); 100], "OK".to_owned());
    double.world().lines_a_look = 1;
    let client = double.token();
    let upid = client.start(&migration("pve2")).await.unwrap();
    assert_eq!(client.task(&upid).await.unwrap().status, "running");
    let running = client.tasks("pve1", "qmigrate", "101").await.unwrap();
    assert_eq!((running.len(), running[0].status.as_deref()), (1, None));
    client.stop_task(&upid).await.unwrap();
    let ended = client.follow(&upid, PAUSE, LONG, |_| ()).await.unwrap();
    assert_eq!(ended.exit, Exit::Failed("migration problems".to_owned()));
    assert_eq!(
        client.cluster_tasks().await.unwrap()[0].status.as_deref(),
        Some("migration problems")
    );
}

#[tokio::test]
async fn a_task_that_does_not_end_is_said() {
    let double = Double::start(World::cluster()).await;
    double.world().lines_a_look = 0;
    let client = double.token();
    let upid = client.start(&migration("pve2")).await.unwrap();
    let error = client.follow(&upid, PAUSE, Duration::from_millis(300), |_| ()).await.unwrap_err();
    assert!(matches!(error.fault(), Fault::TaskRuns { .. }), "{error}");
    assert!(error.to_string().contains("pvenode task log UPID:pve1:"), "{error}");
}

#[tokio::test]
async fn a_node_that_is_away_for_a_moment_is_waited_for() {
    let double = Double::start(World::cluster()).await;
    let client = double.token();
    let upid = client.start(&migration("pve2")).await.unwrap();
    for _ in 0..3 {
        double.world().fail("/status", Failure::Answer(Reply::bare(595, "Connection refused")));
    }
    let ended = client.follow(&upid, PAUSE, LONG, |_| ()).await.unwrap();
    assert_eq!(ended.exit, Exit::Ok);
}

#[tokio::test]
async fn a_node_that_stays_away_ends_it() {
    let double = Double::start(World::cluster()).await;
    let patience = lab::hypervisor::proxmox::Patience {
        retry: Duration::from_millis(200),
        ..Default::default()
    };
    let client = double.client_with(double.token().credentials().clone(), patience);
    let upid = client.start(&migration("pve2")).await.unwrap();
    double.world().nodes.insert("pve1".to_owned(), false);
    let error = client.follow(&upid, PAUSE, LONG, |_| ()).await.unwrap_err();
    assert!(matches!(error.fault(), Fault::NodeDown { .. }), "{error}");
}

#[tokio::test]
async fn an_upload_is_as_proxmox_reads_it() {
    let double = Double::start(World::cluster()).await;
    let client = double.root();
    let file: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    // Put there by the node that answers; it is the task's name that says which.
    double.world().fail("/upload", Failure::DropAfter);
    let upid = client.upload("pve2", "shared", "iso", "guest.iso", file.clone()).await.unwrap();
    assert_eq!((upid.node(), upid.kind()), ("pve1", "imgcopy"));
    let ended = client.follow(&upid, PAUSE, LONG, |_| ()).await.unwrap();
    assert!(ended.exit.is_good());
    let there = client.content("pve1", "shared", "iso").await.unwrap();
    let there: Vec<_> = there.iter().map(|it| (it.volid.as_str(), it.size.unwrap())).collect();
    assert_eq!(there, [("shared:iso/guest.iso", 1_200_000)]);
    assert_eq!(double.world().volumes["shared:iso/guest.iso"], file);
    // Without the privilege a large one is dropped in the middle, as if the network were bad.
    let patience = lab::hypervisor::proxmox::Patience {
        retry: Duration::from_millis(200),
        ..Default::default()
    };
    let token = double.client_with(double.token().credentials().clone(), patience);
    let dropped = token.upload("pve1", "shared", "iso", "guest.iso", file).await.unwrap_err();
    assert!(matches!(dropped.fault(), Fault::Lost { .. }), "{dropped}");
    let denied =
        double.token().upload("pve1", "shared", "iso", "guest.iso", vec![0]).await.unwrap_err();
    assert!(
        denied.to_string().contains("Datastore.AllocateTemplate is missing on /storage/shared"),
        "{denied}"
    );
    let absent = client.upload("pve1", "other", "iso", "guest.iso", vec![0]).await.unwrap_err();
    assert!(matches!(absent.fault(), Fault::NoStorage { .. }), "{absent}");
    let name = client.upload("pve1", "shared", "iso", "a/b\".iso", vec![0]).await.unwrap_err();
    assert!(matches!(name.fault(), Fault::Settings { .. }), "{name}");
}
