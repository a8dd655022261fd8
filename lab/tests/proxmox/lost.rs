//! Answers that are lost: nothing is done twice, and nothing is forgotten.

use crate::{
    migration,
    pve::{Double, Failure, Listing, World},
};
use lab::hypervisor::proxmox::{Fault, Form};

const MIGRATE: &str = "POST /nodes/pve1/qemu/101/migrate";

#[tokio::test]
async fn a_task_that_was_started_is_found() {
    for failure in [Failure::DropAfter, Failure::CutBody] {
        let double = Double::start(World::cluster()).await;
        double.world().fail(MIGRATE, failure);
        let upid = double.token().start(&migration("pve2")).await.unwrap();
        let world = double.world();
        assert_eq!((world.tasks.len(), world.times(MIGRATE)), (1, 1));
        assert_eq!(upid.to_string(), world.tasks[0].upid);
    }
}

#[tokio::test]
async fn a_task_that_was_not_started_is_started() {
    let double = Double::start(World::cluster()).await;
    double.world().fail(MIGRATE, Failure::DropBefore);
    let upid = double.token().start(&migration("pve2")).await.unwrap();
    let world = double.world();
    assert_eq!((world.tasks.len(), world.times(MIGRATE)), (1, 2));
    assert_eq!(upid.to_string(), world.tasks[0].upid);
    assert!(world.asked.iter().any(|r| r.parameter("source") == Some("all")), "running ones too");
}

#[tokio::test]
async fn older_tasks_and_those_of_others_are_not_taken_for_it() {
    let double = Double::start(World::cluster()).await;
    let done = || (vec!["TASK OK".to_owned()], "OK".to_owned());
    for (kind, id, user) in [
        ("qmigrate", "101", "lab@pve!harness"),
        ("qmigrate", "101", "root@pam"),
        ("qmigrate", "102", "lab@pve!harness"),
        ("qmstart", "101", "lab@pve!harness"),
    ] {
        double.world().start_task("pve1", kind, id, user, done());
    }
    double.world().fail(MIGRATE, Failure::DropBefore);
    let client = double.token();
    let upid = client.start(&migration("pve2")).await.unwrap();
    let world = double.world();
    assert_eq!((world.tasks.len(), world.times(MIGRATE)), (5, 2));
    assert_eq!(upid.to_string(), world.tasks[4].upid);
}

/// Somebody else's task that began in between is not ours either.
#[tokio::test]
async fn a_task_of_another_user_is_not_ours() {
    let double = Double::start(World::cluster()).await;
    double.world().fail(MIGRATE, Failure::SomebodyElse);
    let upid = double.token().start(&migration("pve2")).await.unwrap();
    assert_eq!(upid.user(), "lab@pve!harness");
    assert_eq!(double.world().tasks.len(), 2);
}

/// Carried out later than it was looked for, so that the second try finds the VM locked.
#[tokio::test]
async fn refused_because_of_itself_is_no_refusal() {
    let double = Double::start(World::cluster()).await;
    double.world().fail(MIGRATE, Failure::DropAfter);
    double.world().listing = Listing::EmptyUntil(2);
    let upid = double.token().start(&migration("pve2")).await.unwrap();
    let world = double.world();
    assert_eq!((world.tasks.len(), world.times(MIGRATE)), (1, 2));
    assert_eq!(upid.to_string(), world.tasks[0].upid);
}

#[tokio::test]
async fn what_nobody_can_tell_is_not_done_again() {
    let double = Double::start(World::cluster()).await;
    double.world().fail(MIGRATE, Failure::DropAfter);
    double.world().listing = Listing::BrokenFrom(1);
    let error = double.token().start(&migration("pve2")).await.unwrap_err();
    assert!(matches!(error.fault(), Fault::Unresolved { .. }), "{error}");
    insta::assert_snapshot!("unresolved", error);
    assert_eq!(double.world().times(MIGRATE), 1);
}

#[tokio::test]
async fn it_is_given_up_after_a_few_tries() {
    let double = Double::start(World::cluster()).await;
    for _ in 0..9 {
        double.world().fail(MIGRATE, Failure::DropBefore);
    }
    let error = double.token().start(&migration("pve2")).await.unwrap_err();
    assert!(matches!(error.fault(), Fault::Lost { .. }), "{error}");
    assert_eq!(double.world().times(MIGRATE), 3);
    assert!(double.world().tasks.is_empty());
}

#[tokio::test]
async fn what_makes_no_task_is_not_done_twice() {
    let double = Double::start(World::cluster()).await;
    double.world().fail("POST", Failure::DropAfter);
    let form = Form::new().with("command", "migrate_cancel");
    let error = double.token().post("/nodes/pve1/qemu/101/monitor", &form).await.unwrap_err();
    assert!(error.fault().leaves_open(), "{error}");
    assert_eq!(double.world().times("POST"), 1);
    // What was not even sent may be.
    let client = double.token();
    double.world().cut_handshakes = 1;
    client.post("/nodes/pve1/qemu/101/monitor", &form).await.unwrap();
}
