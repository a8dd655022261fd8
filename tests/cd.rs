//! The guest starts from a CD of its own, as a BIOS starts one, and is the guest that it is
//! otherwise: it has its address and answers.

use crate::support::{Sandbox, build};
use camino::Utf8Path;
use lab::{boot_cd, hypervisor::qemu::find, process::Command};
use std::{fs, io::ErrorKind, net::Ipv4Addr, path::Path, time::Duration};
use tokio::{net::UnixDatagram, time::timeout};

const GUEST: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 250);
const ASKING: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const ASKING_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// Until the guest answers: a BIOS takes its time.
const DEADLINE: Duration = Duration::from_secs(120);
/// From one question to the next.
const PAUSE: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_guest_starts_from_a_cd() {
    let Ok(choice) = find::choose(None) else { return };
    let sandbox = Sandbox::new();
    let guest = fs::read(build::build().expect("built").guest).expect("read");
    let file = sandbox.path().join("guest.iso");
    fs::write(&file, boot_cd::image(&guest).expect("a CD")).expect("written");
    let path = |name: &str| sandbox.path().join(name);
    let card = UnixDatagram::bind(path("ours")).expect("a socket");
    let running = qemu(&choice.qemu.path, &file, &path("theirs"), &path("ours")).converse();
    let running = running.expect("started");
    let theirs = path("theirs");
    let answered = timeout(DEADLINE, answer(&card, &theirs)).await;
    let said = fs::read_to_string(path("serial")).unwrap_or_default();
    drop(running.stdin);
    let words = running.ending.last_words(Duration::ZERO).await;
    assert!(answered.is_ok(), "no answer: {said}\n{words}");
    sandbox.assert_nothing_left();
}

/// A machine like those of Proxmox: a BIOS of its own, a CD, a card.
fn qemu(program: &Path, cd: &Utf8Path, theirs: &Utf8Path, ours: &Utf8Path) -> Command {
    let mac = wire::mac_of_ipv4(GUEST.octets()).map(|byte| format!("{byte:02x}")).join(":");
    let serial = theirs.with_file_name("serial");
    let options = [
        ["-machine", "pc"],
        ["-accel", "tcg"],
        ["-m", "64"],
        ["-nodefaults", ""],
        ["-display", "none"],
        ["-serial", &format!("file:{serial}")],
        ["-drive", &format!("file={cd},if=ide,index=2,media=cdrom,format=raw,readonly=on")],
        ["-boot", "order=d"],
        [
            "-netdev",
            &format!(
                "dgram,id=lan,local.type=unix,local.path={theirs},remote.type=unix,remote.path={ours}"
            ),
        ],
        ["-device", &format!("virtio-net-pci,netdev=lan,mac={mac},romfile=")],
    ];
    let words = options.iter().flatten().filter(|word| !word.is_empty()).copied();
    Command::new(program).args(words.map(str::to_owned))
}

/// Asks for the guest's hardware address until it tells.
async fn answer(card: &UnixDatagram, guest: &Utf8Path) {
    let mut frame = [0; 2048];
    loop {
        match card.send_to(&question(), guest).await {
            // It is not there yet.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {}
            sent => assert_eq!(sent.expect("sent"), question().len()),
        }
        if let Ok(received) = timeout(PAUSE, card.recv(&mut frame)).await
            && is_answer(&frame[..received.expect("received")])
        {
            return;
        }
    }
}

/// Who has the guest's address? (RFC 826)
fn question() -> Vec<u8> {
    let everybody = [0xff; 6];
    let asking = [ASKING_MAC.as_slice(), &ASKING.octets()].concat();
    let about = [[0; 6].as_slice(), &GUEST.octets()].concat();
    let frame = [everybody.as_slice(), &ASKING_MAC, &[8, 6], &[0, 1, 8, 0, 6, 4, 0, 1]].concat();
    let mut frame = [frame, asking, about].concat();
    frame.resize(60, 0);
    frame
}

fn is_answer(frame: &[u8]) -> bool {
    let theirs = [wire::mac_of_ipv4(GUEST.octets()).as_slice(), &GUEST.octets()].concat();
    frame.get(12..14) == Some(&[8, 6])
        && frame.get(20..22) == Some(&[0, 2])
        && frame.get(22..32) == Some(&theirs[..])
}
