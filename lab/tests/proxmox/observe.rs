//! Looking at somebody's VM: what is asked, what stands against it, and that a true QEMU says what
//! its guest really does.

use crate::{
    guests::spec,
    pve::{Dirtying, Double, Failure, Real, Reply, World},
    support::{LONG, PAUSE},
};
use camino::Utf8Path;
use lab::{
    hypervisor::proxmox::{
        Client, Fault,
        guest::{Boot, Guest, GuestSpec},
        observe::Window,
    },
    units::Bytes,
};
use std::time::Instant;

const MIB: f64 = 1_048_576.0;

/// A cluster whose VM 101 dirties 30 MiB in a second and 80 MiB in four.
async fn dirtying() -> Double {
    let double = Double::start(World::cluster()).await;
    double.world().vm(101).expect("a VM").dirtying = Some(Dirtying::at([(1, 30), (4, 20)]));
    double
}

#[tokio::test]
async fn a_vm_is_looked_at_and_nothing_else() {
    let double = dirtying().await;
    {
        let mut world = double.world();
        let config = &mut world.vm(101).unwrap().config;
        config.insert("migrate_downtime".to_owned(), "0.3".to_owned());
        config.insert("migrate_speed".to_owned(), "50".to_owned());
        config.insert("memory".to_owned(), "16384".to_owned());
    }
    let seen = double.root().observe(101).await.expect("it is told");
    assert_eq!((seen.node.as_str(), seen.name.as_deref()), ("pve1", Some("dirty")));
    assert_eq!((seen.memory_bytes, seen.migrate_downtime_s), (16 << 30, Some(0.3)));
    assert_eq!((seen.migrate_speed_bytes_s, seen.ha), (Some(50 << 20), false));
    let window = |window_s, mib_per_s| Window { window_s, mib_per_s, sample_pages_per_gib: 2048 };
    assert_eq!(seen.windows, [window(1, 30), window(4, 20)]);
    let world = double.world();
    let said: Vec<&str> = world.asked.iter().filter_map(|it| it.parameter("command")).collect();
    let begun: Vec<_> = said.iter().filter(|it| !it.starts_with("info ")).collect();
    assert_eq!(begun, [&"calc_dirty_rate 1 2048", &"calc_dirty_rate 4 2048"]);
    let written = world.asked.iter().filter(|it| it.method != "GET" && it.path != "/access/ticket");
    assert_eq!(written.count(), said.len(), "nothing else was done");
}

#[tokio::test]
async fn a_token_needs_privileges_and_is_told_which_before_it_asks() {
    let double = dirtying().await;
    for (path, privilege) in [("/vms/101", "Sys.Audit"), ("/", "Sys.Modify")] {
        double.world().granted.retain(|(on, _)| on != "/" || privilege == "Sys.Modify");
        let error = double.token().observe(101).await.expect_err("not allowed");
        let text = error.to_string();
        let Fault::Privilege { path: on, privileges, .. } = error.fault() else { panic!("{text}") };
        assert_eq!((on.as_str(), privileges[0].as_str()), (path, privilege), "{text}");
        assert!(text.contains(&format!("--privs {privilege}")), "{text}");
        assert_eq!(double.world().times("/monitor"), 0);
        double.world().granted.insert((path.to_owned(), privilege.to_owned()));
    }
    double.token().observe(101).await.expect("it is told");
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_told() {
    let double = dirtying().await;
    let client = double.root();
    let why = async |vmid: u32| match client.observe(vmid).await.expect_err("refused").fault() {
        Fault::Unfit { why, .. } => why.clone(),
        other => panic!("{other}"),
    };
    assert_eq!(why(999).await, "the cluster has no such VM");
    let set = |change: fn(&mut crate::pve::Vm)| change(double.world().vm(101).unwrap());
    set(|vm| vm.qmpstatus = "paused".to_owned());
    assert_eq!(why(101).await, "it does not run (paused)");
    set(|vm| vm.running = false);
    assert_eq!(why(101).await, "it does not run (stopped)");
    set(|vm| (vm.running, vm.qmpstatus) = (true, "running".to_owned()));
    set(|vm| vm.lock = Some("migrate".to_owned()));
    assert_eq!(why(101).await, "it is being migrated");
    set(|vm| vm.lock = None);
    set(|vm| drop(vm.config.insert("memory".to_owned(), "64".to_owned())));
    assert_eq!(why(101).await, "of its 64 MiB of memory QEMU takes no samples");
    set(|vm| drop(vm.config.insert("memory".to_owned(), "512".to_owned())));
    assert_eq!(double.world().times("/monitor"), 0);
    // The monitor's errors are answers like others.
    let words = "Error: the dirty rate is already being measured.\r\n";
    let busy = Reply::data(&serde_json::json!(words));
    double.world().fail("/monitor", Failure::Answer(busy));
    assert!(why(101).await.contains("already being measured"));
}

/// A kernel that adds one to a word of any of 16,384 pages (64 MiB from 16 MiB on), over and over,
/// counting down from `pause` in between, and counts how often at 2 MiB.
fn kernel(pause: u32) -> Vec<u8> {
    const START: u32 = 0x0010_0000;
    let code = [
        &[0xb8, 1, 0, 0, 0][..],            // mov eax, 1
        &[0x69, 0xc0, 0x0d, 0x66, 0x19, 0], // imul eax, eax, 1664525
        &[0x05, 0x5f, 0xf3, 0x6e, 0x3c],    // add eax, 1013904223
        &[0x89, 0xc7],                      // mov edi, eax
        &[0xc1, 0xef, 18, 0xc1, 0xe7, 12],  // shr edi, 18; shl edi, 12
        &[0x83, 0x87, 0, 0, 0, 1, 1],       // add dword [edi + 16 MiB], 1
        &[0x83, 0x05, 0, 0, 0x20, 0, 1],    // add dword [2 MiB], 1
        &[0xb9],                            // mov ecx, pause
        &pause.to_le_bytes(),
        &[0x49, 0x75, 0xfd], // dec ecx; jnz
        &[0xeb, 0xd5],       // jmp to imul
    ]
    .concat();
    let (magic, flags) = (0x1BAD_B002_u32, 0x0001_0000_u32);
    let end = START + 32 + u32::try_from(code.len()).expect("small");
    let sum = 0_u32.wrapping_sub(magic.wrapping_add(flags));
    let header = [magic, flags, sum, START, START, end, 0, START + 32];
    [header.map(u32::to_le_bytes).concat(), code].concat()
}

/// How often the guest has touched a page.
async fn touches(client: &Client, guest: &Guest) -> anyhow::Result<f64> {
    let said = client.monitor("pve1", guest.vmid, "xp /1wx 0x200000").await?;
    let hex = said.rsplit("0x").next().unwrap_or_default().trim();
    Ok(f64::from(u32::from_str_radix(hex, 16)?))
}

/// True QEMU, true writes at a rate that the guest itself counts: what is seen in a window is
/// what so many random writes leave dirty.
#[tokio::test]
async fn a_true_qemu_says_what_its_guest_dirties() {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = Utf8Path::from_path(temporary.path()).expect("UTF-8").to_owned();
    let Some(real) = Real::find(folder.clone()) else { return };
    let double = Double::start(World::cluster()).await;
    double.world().real = Some(real);
    let client = double.root();
    let file = folder.join("guest.elf");
    std::fs::write(&file, kernel(40_000)).expect("written");
    let boot = Boot::Kernel { file, command_line: String::new() };
    let spec = GuestSpec { memory: Bytes(128 << 20), ..spec(boot) };
    let guest = Guest::create(&client, "pve1", &spec).await.expect("made");
    guest.start(&client).await.expect("started");
    let works = async || {
        anyhow::ensure!(touches(&client, &guest).await? > 1000.0, "not yet");
        Ok(())
    };
    lab::wait::until(PAUSE, LONG, works).await.expect("it works");

    let (began, before) = (Instant::now(), touches(&client, &guest).await.expect("told"));
    let seen = client.observe(guest.vmid).await.expect("it is told");
    let took_s = began.elapsed().as_secs_f64();
    let rate = (touches(&client, &guest).await.expect("told") - before) / took_s * 4096.0 / MIB;
    let told = format!("{rate:.1} MiB/s touched; {seen:?}");
    println!("{told}");
    assert_eq!(seen.memory_bytes, 128 << 20, "{told}");
    for window in seen.windows {
        let seconds = window.window_s as f64;
        let dirtied = 64.0 * (1.0 - (-rate * seconds / 64.0).exp());
        // 512 samples; a machine that does other things too; MiB cut off.
        let (least, most) = (dirtied * 0.7 - seconds, dirtied * 1.3 + 1.0);
        let found = window.mib_per_s as f64 * seconds;
        assert!((least..=most).contains(&found), "{dirtied:.1} MiB expected: {told}");
    }
}
