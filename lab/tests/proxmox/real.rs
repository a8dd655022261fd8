//! Migrations that really happen: the double runs true QEMUs, and they are watched over SSH, as on
//! a cluster.

use crate::{
    guests::{order, spec},
    pve::{Double, Real, World},
    sshd::Servers,
    support::{LONG, PAUSE, observer},
};
use camino::Utf8Path;
use lab::{
    hypervisor::{
        proxmox::{
            Client,
            capabilities::InfoMigrateFormat,
            guest::{Boot, Guest, GuestSpec, MonitorFolder, same_on_all},
            migrate::{Live, Migration, MigrationOrder, Monitor, Watching, migrate},
            migration_log::Outcome,
        },
        qemu::migration::{End, Side},
    },
    node::Node,
    provider::machines::{self, Links},
    spec::LabSpec,
};
use std::{net::Ipv4Addr, time::Duration};

/// A kernel that adds one to a word of each of 2048 pages, over and over, counting down from
/// `pause` in between. As QEMU's `-kernel` takes it (multiboot).
fn kernel(pause: u32) -> Vec<u8> {
    const START: u32 = 0x0010_0000;
    let code = [
        &[0xbf, 0, 0, 0, 1][..], // mov edi, 16 MiB
        &[0x83, 0x07, 1],        // add dword [edi], 1
        &[0xb9],                 // mov ecx, pause
        &pause.to_le_bytes(),
        &[0x49, 0x75, 0xfd],          // dec ecx; jnz
        &[0x81, 0xc7, 0, 0x10, 0, 0], // add edi, 4096
        &[0x81, 0xff, 0, 0, 0x80, 1], // cmp edi, 24 MiB
        &[0x72, 0xe7, 0xeb, 0xe0],    // jb, jmp
    ]
    .concat();
    let (magic, flags) = (0x1BAD_B002_u32, 0x0001_0000_u32);
    let end = START + 32 + u32::try_from(code.len()).expect("small");
    let sum = 0_u32.wrapping_sub(magic.wrapping_add(flags));
    let header = [magic, flags, sum, START, START, end, 0, START + 32];
    [header.map(u32::to_le_bytes).concat(), code].concat()
}

struct Cluster {
    double: Double,
    client: Client,
    nodes: Vec<Node>,
    guest: Guest,
    _servers: Servers,
    folder: tempfile::TempDir,
}

/// Two nodes and a guest on pve1 that runs; `None` where this machine lacks a program.
async fn cluster(pause: u32, speed: Option<u64>) -> Option<Cluster> {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = Utf8Path::from_path(temporary.path()).expect("UTF-8").to_owned();
    let real = Real::find(folder.clone())?;
    let servers = Servers::start().await?;
    let targets = ["pve1", "pve2"].map(|name| (name.to_owned(), servers.target(&[])));
    let connections = machines::connect(&targets, observer()).await.expect("nodes");
    let lab = LabSpec::read("../labs/hosts.example.yaml".into()).expect("shipped");
    let links = Links {
        guest_address: Ipv4Addr::LOCALHOST,
        guest_device: "lo".to_owned(),
        migration_address: Ipv4Addr::LOCALHOST,
        migration_device: "lo".to_owned(),
        storage: None,
    };
    let names = targets.iter().map(|(name, _)| name);
    let nodes: Vec<Node> = names
        .zip(connections)
        .map(|(name, connection)| machines::node(&lab, name, connection, links.clone()))
        .collect();

    let file = folder.join("guest.elf");
    std::fs::write(&file, kernel(pause)).expect("written");
    assert_eq!(same_on_all(&nodes, &file).await.expect("the same").len(), 64);
    let missing = same_on_all(&nodes, &folder.join("none")).await.expect_err("none");
    assert!(format!("{missing:#}").contains("No such file"), "{missing:#}");

    let double = Double::start(World::cluster()).await;
    double.world().real = Some(real);
    let client = double.root();
    let boot = Boot::Kernel { file, command_line: String::new() };
    let monitor = Some(MonitorFolder::default());
    let spec = GuestSpec { monitor, migrate_speed_mib_s: speed, ..spec(boot) };
    let guest = Guest::create(&client, "pve1", &spec).await.expect("made");
    guest.start(&client).await.expect("started");
    // It has been all over its memory.
    let last_page = async || {
        let said = client.monitor("pve1", guest.vmid, "xp /1wx 0x17ff000").await?;
        anyhow::ensure!(!said.trim().ends_with("0x00000000"), "{said}");
        Ok(())
    };
    lab::wait::until(PAUSE, LONG, last_page).await.expect("it works");
    Some(Cluster { double, client, nodes, guest, _servers: servers, folder: temporary })
}

impl Cluster {
    fn monitor(&self, index: usize) -> Monitor {
        let node = self.nodes[index].clone();
        let world = self.double.world();
        let folder = MonitorFolder(world.real.as_ref().expect("true QEMUs").folder(&node.name));
        Monitor { node, socket: folder.socket(self.guest.vmid) }
    }

    fn monitors(&self) -> Watching {
        Watching::Monitors { source: self.monitor(0).into(), target: self.monitor(1).into() }
    }

    async fn migrate(&self, max_time: Duration, watching: &Watching) -> Migration {
        let order = MigrationOrder { max_time, ..order(self.guest.vmid, "pve1", "pve2") };
        let (mut samples, mut lines) = (0, 0);
        let live = |live: Live<'_>| match live {
            Live::Sample(_) => samples += 1,
            Live::Line(_) => lines += 1,
        };
        let migration = migrate(&self.client, &order, watching, live).await.expect("begun");
        assert_eq!((samples, lines), (migration.log.samples.len(), migration.lines.len()));
        migration
    }
}

#[tokio::test]
async fn a_migration_is_watched_from_both_ends() {
    let Some(cluster) = cluster(200_000, Some(20)).await else { return };
    let migration = cluster.migrate(LONG, &cluster.monitors()).await;
    let told = format!("{migration:#?}");
    let End::Completed(last) = &migration.log.end else { panic!("{told}") };
    assert_eq!(last["status"], "completed", "{told}");
    assert_eq!((migration.node.as_deref(), &migration.left_locked), (Some("pve2"), &None));
    assert!(migration.troubles.is_empty(), "{told}");
    assert_eq!(migration.task.outcome, Outcome::Completed);
    assert_eq!(migration.task.average.unwrap().downtime_ms, last["downtime"].as_u64().unwrap());
    assert!(migration.log.samples.len() > 3, "{told}");

    // In their order: asked, answered, begun, stopped, done, resumed, ended.
    let times = [
        Some(0.0),
        Some(migration.answered_s),
        migration.began_s(),
        migration.stop_s(),
        migration.completed_s(),
        migration.resume_s(),
        Some(migration.ended_s),
    ];
    let times = times.map(|at| at.unwrap_or_else(|| panic!("{told}")));
    assert!(times.is_sorted(), "{times:?}");
    // Proxmox looks ten times a second at best.
    assert!(migration.after_completed_s().unwrap() > 0.0);
    for side in [Side::Source, Side::Target] {
        let (_, answer) = migration.capabilities.iter().find(|(s, _)| *s == side).expect("told");
        let is_on = |name: &str| {
            let all = answer.as_array().unwrap();
            all.iter().find(|one| one["capability"] == name).unwrap()["state"] == true
        };
        assert!(is_on("xbzrle") && is_on("auto-converge") && !is_on("return-path"), "{answer}");
    }
    // The race for events was won, or it is known that it was not.
    let of_source = migration.capabilities.iter().find(|(side, _)| *side == Side::Source);
    let (_, source) = of_source.unwrap();
    let events = source.as_array().unwrap().iter().find(|one| one["capability"] == "events");
    assert_eq!(events.unwrap()["state"] == true, migration.log.passes().count() > 0, "{told}");
}

#[tokio::test]
async fn one_that_does_not_converge_is_cancelled() {
    let Some(cluster) = cluster(1, Some(2)).await else { return };
    let migration = cluster.migrate(Duration::from_secs(3), &cluster.monitors()).await;
    let told = format!("{migration:#?}");
    assert!(matches!(migration.log.end, End::TimedOut(_)), "{told}");
    assert_eq!(migration.node.as_deref(), Some("pve1"));
    assert!(migration.task.was_cancelled() && migration.left_locked.is_none(), "{told}");
    assert!(migration.troubles.is_empty(), "{told}");
    assert_eq!(cluster.double.world().real.as_ref().unwrap().running.len(), 1, "no twin");
}

/// A worker that is ended when QEMU has just sent everything leaves a VM that stands still: nobody's
/// but ours may come to that.
#[tokio::test]
async fn somebodys_vm_that_does_not_converge_is_cancelled_in_qemu_alone() {
    let Some(cluster) = cluster(1, Some(2)).await else { return };
    let order = MigrationOrder {
        max_time: Duration::from_secs(3),
        may_end_worker: false,
        ..order(cluster.guest.vmid, "pve1", "pve2")
    };
    let watching = Watching::Api(InfoMigrateFormat::Lines);
    let migration = migrate(&cluster.client, &order, &watching, |_| ()).await.expect("begun");
    let told = format!("{migration:#?}");
    assert!(matches!(migration.log.end, End::TimedOut(_)), "{told}");
    assert_eq!((migration.node.as_deref(), &migration.left_locked), (Some("pve1"), &None));
    assert!(migration.troubles.is_empty(), "{told}");
    let world = cluster.double.world();
    let says =
        |word: &str| world.asked.iter().filter(|it| it.parameter("command") == Some(word)).count();
    assert_eq!(says("migrate_cancel"), 1);
    assert!(world.asked.iter().all(|it| it.method != "DELETE"), "no task was ended");
}

#[tokio::test]
async fn without_a_monitor_the_api_says_how_it_is() {
    let Some(cluster) = cluster(200_000, Some(20)).await else { return };
    let watching = Watching::Api(InfoMigrateFormat::Lines);
    let migration = cluster.migrate(LONG, &watching).await;
    let told = format!("{migration:#?}");
    assert!(matches!(migration.log.end, End::Completed(_)), "{told}");
    assert!(migration.log.samples.len() > 1 && migration.log.events.is_empty(), "{told}");
    // While QEMU sets it up there is nothing to say of memory.
    let samples = migration.log.samples.iter();
    let sent: Vec<u64> =
        samples.filter_map(|sample| sample.raw["ram"]["transferred"].as_u64()).collect();
    assert!(sent.len() > 1 && sent.is_sorted() && sent[0] < sent[sent.len() - 1], "{told}");
    assert!(migration.began_s().is_some() && migration.resume_s().is_none());
}

#[tokio::test]
async fn a_kernel_that_the_target_lacks_fails_it_in_qemus_words() {
    let Some(cluster) = cluster(200_000, None).await else { return };
    std::fs::remove_file(cluster.folder.path().join("guest.elf")).unwrap();
    let migration = cluster.migrate(LONG, &cluster.monitors()).await;
    let End::Failed(words) = &migration.log.end else { panic!("{migration:#?}") };
    assert!(words.contains("guest.elf"), "{words}");
    assert_eq!(migration.node.as_deref(), Some("pve1"));
    assert!(migration.left_locked.is_none() && migration.troubles.is_empty(), "{migration:#?}");
}
