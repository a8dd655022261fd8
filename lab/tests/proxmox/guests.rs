//! Guests of ours: made, found again, removed, and nothing else touched.

use crate::pve::{Double, Failure, Reply, World};
use lab::{
    hypervisor::proxmox::{
        Fault, Form, Start,
        guest::{self, Boot, Existing, Guest, GuestSpec, MonitorFolder, Ours, Stale},
        migrate::{MigrationOrder, Watching, migrate},
        tasks::Exit,
    },
    hypervisor::qemu::migration::End,
    spec::MigrationType,
    units::Bytes,
};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

pub fn ours() -> Ours {
    Ours { ids: 9100..=9103, tag: Ours::TAG.to_owned() }
}

pub fn spec(boot: Boot) -> GuestSpec {
    GuestSpec {
        ours: ours(),
        name: "guest".to_owned(),
        memory: Bytes(64 << 20),
        bridge: "vmbr0".to_owned(),
        mac: [2, 0, 10, 77, 0, 101],
        kvm: false,
        boot,
        monitor: None,
        arguments: Vec::new(),
        migrate_downtime: None,
        migrate_speed_mib_s: None,
    }
}

fn cd() -> Boot {
    Boot::Cd { volume: "shared:iso/guest.iso".to_owned() }
}

pub fn order(vmid: u32, source: &str, target: &str) -> MigrationOrder {
    MigrationOrder {
        vmid,
        source: source.to_owned(),
        target: target.to_owned(),
        kind: None,
        network: None,
        bwlimit_kib_s: None,
        max_time: Duration::from_secs(60),
        may_end_worker: true,
    }
}

#[tokio::test]
async fn ids_that_are_taken_are_left_to_those_who_have_them() {
    let double = Double::start(World::cluster()).await;
    let client = double.root();
    let first = Guest::create(&client, "pve1", &spec(cd())).await.unwrap();
    assert_eq!(first, Guest { vmid: 9100, node: "pve1".to_owned() });
    // Somebody was faster.
    let taken = "unable to create VM 9101 - VM 9101 already exists on node 'pve3'";
    double.world().fail("POST /nodes/pve2/qemu", Failure::Answer(Reply::error(500, taken)));
    let second = Guest::create(&client, "pve2", &spec(cd())).await.unwrap();
    assert_eq!((second.vmid, second.node.as_str()), (9102, "pve2"));
    // The answer is lost: it is not made twice.
    double.world().fail("POST /nodes/pve1/qemu", Failure::DropAfter);
    Guest::create(&client, "pve1", &spec(cd())).await.unwrap();
    let third = double.world().vms.iter().filter(|vm| vm.vmid == 9101).count();
    assert_eq!((third, double.world().vms.len()), (1, 4));
    Guest::create(&client, "pve1", &spec(cd())).await.unwrap();
    let none = Guest::create(&client, "pve1", &spec(cd())).await.unwrap_err();
    assert!(none.to_string().contains("all ids from 9100..=9103 are taken"), "{none}");
}

#[tokio::test]
async fn arguments_are_for_root_only() {
    let double = Double::start(World::cluster()).await;
    let watched = GuestSpec { monitor: Some(MonitorFolder::default()), ..spec(cd()) };
    let refused = Guest::create(&double.token(), "pve1", &watched).await.unwrap_err();
    assert!(matches!(refused.fault(), Fault::RootOnly { .. }), "{refused}");
    assert_eq!(double.world().times("POST"), 0, "nothing was asked");
    let denied = Guest::create(&double.token(), "pve1", &spec(cd())).await.unwrap_err();
    assert!(matches!(denied.fault(), Fault::Privilege { .. }), "{denied}");
    double.world().granted.insert(("/vms".to_owned(), "VM.Allocate".to_owned()));
    let denied = Guest::create(&double.token(), "pve1", &spec(cd())).await.unwrap_err();
    assert!(denied.to_string().contains("VM.Config."), "{denied}");
    // What the README's commands grant is enough.
    double.world().grant(9100..=9103);
    Guest::create(&double.token(), "pve1", &spec(cd())).await.unwrap();
}

#[tokio::test]
async fn a_sweep_removes_ours_and_nothing_else() {
    let double = Double::start(World::cluster()).await;
    let client = double.root();
    for node in ["pve1", "pve2", "pve3"] {
        let guest = Guest::create(&client, node, &spec(cd())).await.unwrap();
        guest.start(&client).await.unwrap();
    }
    {
        let mut world = double.world();
        // One that somebody tagged alike, one that got into the range, one that a killed
        // migration left.
        world.vm(101).unwrap().config.insert("tags".to_owned(), "precopy-lab".to_owned());
        world.vm(9101).unwrap().config.insert("tags".to_owned(), "theirs".to_owned());
        let left = world.vm(9102).unwrap();
        left.lock = Some("migrate".to_owned());
        left.qmpstatus = "postmigrate".to_owned();
        // It went to pve1, where a second QEMU is left: the next migration there removes it.
        let began = "2026-11-22 10:15:11 starting migration of VM 9102 to node 'pve1' (192.0.2.11)";
        let killed = (vec![began.to_owned()], "unexpected status".to_owned());
        world.start_task("pve3", "qmigrate", "9102", "root@pam", killed);
        let task = world.tasks.last_mut().unwrap();
        (task.written, task.ended) = (1, true);
        let log = include_str!("../recordings/logs/lab-8b-retry-with-twin.log");
        let lines = log.lines().map(str::to_owned).collect();
        world.migration = (lines, "migration problems".to_owned());
    }
    let other = Guest { vmid: 101, node: "pve1".to_owned() };
    let refused = other.destroy(&client, &ours()).await.unwrap_err();
    assert!(matches!(refused.fault(), Fault::Unfit { vmid: 101, .. }), "{refused}");
    let swept = guest::sweep(&client, &ours()).await.unwrap();
    let swept: Vec<_> = swept.iter().map(|swept| (swept.guest.vmid, swept.stale)).collect();
    assert_eq!(swept, [(9100, Stale::Nothing), (9102, Stale::Standstill)]);
    let left: Vec<u32> = double.world().vms.iter().map(|vm| vm.vmid).collect();
    assert_eq!(left, [101, 9101]);
    {
        let world = double.world();
        let migrated = world.asked.iter().filter(|r| r.name().ends_with("/migrate"));
        let migrated: Vec<_> = migrated.map(|r| (r.name(), r.parameter("target"))).collect();
        assert_eq!(migrated, [("POST /nodes/pve3/qemu/9102/migrate".to_owned(), Some("pve1"))]);
    }
    assert_eq!(guest::sweep(&client, &ours()).await.unwrap(), []);
}

/// The harness was killed while a guest of ours was on its way.
#[tokio::test]
async fn a_sweep_ends_what_is_under_way() {
    let double = Double::start(World::cluster()).await;
    let client = double.root();
    let guest = Guest::create(&client, "pve1", &spec(cd())).await.unwrap();
    guest.start(&client).await.unwrap();
    double.world().lines_a_look = 0;
    let form = Form::new().with("target", "pve2").with_flag("online", true);
    let start = Start::of_vm("pve1", guest.vmid, "migrate", "qmigrate", form);
    let upid = client.start(&start).await.unwrap();
    double.world().lines_a_look = 1;
    let swept = guest::sweep(&client, &ours()).await.unwrap();
    assert_eq!(swept.len(), 1);
    assert_eq!(client.task(&upid).await.unwrap().exitstatus.unwrap(), "migration problems");
    assert_eq!(double.world().vms.len(), 1);
}

#[tokio::test]
async fn a_vm_of_somebody_is_migrated_and_put_back() {
    let double = Double::start(World::cluster()).await;
    let client = double.token();
    let log = include_str!("../recordings/logs/lab-escalation.log");
    double.world().migration = (log.lines().map(str::to_owned).collect(), "OK".to_owned());
    let vm = Existing::find(&client, 101, "dirty").await.unwrap();
    vm.check(&client, "pve3").await.unwrap();
    assert_eq!(vm.home, "pve1");
    assert!(vm.put_back(&client, LONG).await.unwrap().is_none(), "it is there");
    let order = vm.order("pve1", "pve3", LONG);
    let migration = migrate(&client, &order, &Watching::Nothing, |_| ()).await.unwrap();
    assert_eq!(migration.log.end, End::Completed(serde_json::Value::Null));
    assert_eq!((migration.node.as_deref(), migration.task.increases.len()), (Some("pve3"), 5));
    let back = vm.put_back(&client, LONG).await.unwrap().expect("moved");
    assert_eq!(back.node.as_deref(), Some("pve1"));
    let mut changes: Vec<String> =
        double.world().asked.iter().filter(|r| r.method != "GET").map(|r| r.name()).collect();
    changes.dedup();
    assert_eq!(changes, ["POST /nodes/pve1/qemu/101/migrate", "POST /nodes/pve3/qemu/101/migrate"]);
    let none = Existing::find(&client, 102, "dirty").await.unwrap_err();
    assert!(matches!(none.fault(), Fault::Unfit { vmid: 102, .. }), "{none}");
}

/// An id alone opts nothing in: whoever gets a VM's id later is left alone.
#[tokio::test]
async fn a_vm_of_another_name_is_left_alone() {
    let double = Double::start(World::cluster()).await;
    let client = double.token();
    let vm = Existing::find(&client, 101, "dirty").await.unwrap();
    double.world().vm(101).unwrap().config.insert("name".to_owned(), "other".to_owned());
    for error in [
        Existing::find(&client, 101, "dirty").await.unwrap_err(),
        vm.bring(&client, "pve2", LONG).await.unwrap_err(),
        vm.put_back(&client, LONG).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("its name is `other`, not `dirty`"), "{error}");
    }
    assert!(double.world().asked.iter().all(|it| it.method == "GET"));
}

/// What was broken off is still under way: QEMU is told to cancel it, nobody kills its worker, and
/// what it has moved all the same comes back.
#[tokio::test]
async fn a_vm_of_somebody_is_put_back_while_our_migration_of_it_runs() {
    let double = Double::start(World::cluster()).await;
    let client = double.token();
    let vm = Existing::find(&client, 101, "dirty").await.unwrap();
    vm.bring(&client, "pve2", LONG).await.unwrap().expect("moved");
    let log = include_str!("../recordings/logs/lab-escalation.log");
    double.world().migration = (log.lines().map(str::to_owned).collect(), "OK".to_owned());
    double.world().lines_a_look = 1;
    let form = Form::new().with("target", "pve3").with_flag("online", true);
    let upid = client.start(&Start::of_vm("pve2", 101, "migrate", "qmigrate", form)).await.unwrap();
    vm.put_back(&client, LONG).await.unwrap().expect("moved");
    assert_eq!(client.task(&upid).await.unwrap().exitstatus.unwrap(), "OK");
    let mut world = double.world();
    assert_eq!((world.times("DELETE"), world.times("POST /nodes/pve2/qemu/101/monitor")), (0, 1));
    let vm = world.vm(101).unwrap();
    assert_eq!((vm.node.as_str(), vm.lock.as_deref()), ("pve1", None));
}

/// A migration home that fails is told, with where the VM is.
#[tokio::test]
async fn a_vm_of_somebody_that_cannot_be_put_back_is_told_where_it_is() {
    let double = Double::start(World::cluster()).await;
    let client = double.token();
    let vm = Existing::find(&client, 101, "dirty").await.unwrap();
    vm.bring(&client, "pve2", LONG).await.unwrap().expect("moved");
    double.world().nodes.insert("pve1".to_owned(), false);
    let error = vm.put_back(&client, LONG).await.unwrap_err().to_string();
    assert!(error.contains("it is on pve2, and was not brought to pve1: "), "{error}");
    assert!(error.contains("Can't connect to destination address"), "{error}");
}

/// By its words, and with what helps; nothing is left on the target or locked.
#[tokio::test]
async fn a_migration_that_fails_says_why() {
    let double = Double::start(World::cluster()).await;
    double.world().nodes.insert("pve3".to_owned(), false);
    let order = order(101, "pve1", "pve3");
    let migration = migrate(&double.token(), &order, &Watching::Nothing, |_| ()).await.unwrap();
    let End::Failed(words) = &migration.log.end else { panic!("{migration:?}") };
    assert!(words.contains("Can't connect to destination address"), "{words}");
    assert!(words.contains("hint: the target is down"), "{words}");
    assert_eq!((migration.node.as_deref(), migration.left_locked), (Some("pve1"), None));
}

/// Its task ends without a last word, and the lock stays.
#[tokio::test]
async fn a_migration_that_is_killed_leaves_a_lock_that_can_be_taken_away() {
    let double = Double::start(World::cluster()).await;
    let lines = vec!["2026-11-22 10:10:19 set migration capabilities".to_owned()];
    double.world().migration = (lines, "unexpected status".to_owned());
    double.world().leaves_lock = true;
    let client = double.root();
    let order = order(101, "pve1", "pve2");
    let migration = migrate(&client, &order, &Watching::Nothing, |_| ()).await.unwrap();
    assert!(matches!(migration.log.end, End::Failed(_)), "{migration:?}");
    assert_eq!(
        (migration.exit, migration.left_locked),
        (Some(Exit::Killed), Some("migrate".to_owned()))
    );
    assert_eq!(guest::free(&client, "pve1", 101).await.unwrap(), Stale::Lock);
    assert_eq!(double.world().vm(101).unwrap().lock, None);
}

#[tokio::test]
async fn a_lock_is_taken_away_from_nothing_that_runs() {
    let double = Double::start(World::cluster()).await;
    double.world().vm(101).unwrap().lock = Some("migrate".to_owned());
    let done = || (vec!["TASK OK".to_owned()], "OK".to_owned());
    let upid = double.world().start_task("pve1", "qmigrate", "101", "root@pam", done());
    let locked = guest::free(&double.root(), "pve1", 101).await.unwrap_err();
    assert!(matches!(locked.fault(), Fault::Locked { .. }), "{locked}");
    assert!(double.world().vm(101).unwrap().lock.is_some());
    double.world().tasks.iter_mut().find(|task| task.upid == upid).unwrap().ended = true;
    let denied = guest::free(&double.token(), "pve1", 101).await.unwrap_err();
    assert!(matches!(denied.fault(), Fault::Unfit { .. }), "{denied}");
    assert!(denied.to_string().contains("`qm unlock VMID`"), "{denied}");
    assert_eq!(guest::free(&double.root(), "pve1", 101).await.unwrap(), Stale::Lock);
    let mut world = double.world();
    assert_eq!(world.vm(101).unwrap().lock, None);
    let cancels = world.asked.iter().filter(|r| r.parameter("command") == Some("migrate_cancel"));
    assert_eq!(cancels.count(), 1);
}

#[tokio::test]
async fn what_stands_against_a_migration_is_said_before_it() {
    let double = Double::start(World::cluster()).await;
    let client = double.root();
    let good = order(101, "pve1", "pve2");
    good.check(&client).await.unwrap();
    let check = async |order: &MigrationOrder| order.check(&client).await.unwrap_err();
    let away = check(&order(101, "pve2", "pve3")).await;
    assert!(matches!(away.fault(), Fault::NoVm { .. }), "{away}");
    double.world().vm(101).unwrap().ha = true;
    let managed = check(&good).await;
    assert!(managed.to_string().contains("HA manages it"), "{managed}");
    double.world().vm(101).unwrap().ha = false;
    double.world().vm(101).unwrap().running = false;
    assert!(check(&good).await.to_string().contains("it does not run"));
    double.world().vm(101).unwrap().running = true;
    double.world().vm(101).unwrap().lock = Some("backup".to_owned());
    assert!(matches!(check(&good).await.fault(), Fault::Locked { .. }));
    double.world().vm(101).unwrap().lock = None;
    let disks = serde_json::json!({"running": 1, "local_resources": [], "not_allowed_nodes": {},
        "local_disks": [{"volid": "local:iso/x.iso", "cdrom": 1, "is_unused": 0}]});
    double.world().fail("GET /nodes/pve1/qemu/101/migrate", Failure::Answer(Reply::data(&disks)));
    assert!(check(&good).await.to_string().contains("only pve1 has local:iso/x.iso"));
    let typed = MigrationOrder { kind: Some(MigrationType::Insecure), ..good };
    let denied = typed.check(&double.token()).await.unwrap_err();
    assert!(denied.to_string().contains("the datacenter's option `migration` counts"), "{denied}");
    typed.check(&client).await.unwrap();
    assert_eq!(double.world().times("POST /nodes"), 0, "nothing was begun");
}
