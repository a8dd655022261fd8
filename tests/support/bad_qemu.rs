//! A QEMU that is known to lose memory: 7.2 under TCG.
//!
//! `PRECOPY_KNOWN_BAD_QEMU` says which: the path of such a QEMU, or `download` for Debian 12's,
//! which is unpacked into the target folder without being installed. Without either the tests say
//! that they were left out, and so they do not depend on anybody's mirror.

use camino::{Utf8Path, Utf8PathBuf};
use lab::{
    process::{Command, quote},
    state,
};
use std::{fs, os::unix::fs::symlink};

const VARIABLE: &str = "PRECOPY_KNOWN_BAD_QEMU";

/// Such a QEMU.
pub struct BadQemu {
    binary: Utf8PathBuf,
    /// Where its libraries lie, when they are not the system's.
    libraries: Option<Utf8PathBuf>,
}

impl BadQemu {
    /// The one that was asked for; none, and a word on it, when none was.
    pub fn asked_for() -> Option<Self> {
        let named = std::env::var(VARIABLE).unwrap_or_default();
        match named.as_str() {
            "" => {
                eprintln!("left out: {VARIABLE} is not set (see tests/support/bad_qemu.rs)");
                None
            }
            "download" => {
                let folder = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("known-bad-qemu");
                download(&folder);
                let usr = folder.join("usr");
                Some(Self {
                    binary: usr.join("bin/qemu-system-x86_64"),
                    libraries: Some(usr.join("lib/x86_64-linux-gnu")),
                })
            }
            _ => Some(Self { binary: named.into(), libraries: None }),
        }
    }

    /// A script that starts it with its own libraries: what a user writes who names a QEMU that is
    /// unpacked and not installed.
    pub fn starter(&self) -> String {
        let libraries = self.libraries.iter();
        let libraries = libraries.map(|it| format!("LD_LIBRARY_PATH={} ", quote(it.as_str())));
        let libraries: String = libraries.collect();
        format!("#!/bin/sh\n{libraries}exec {} \"$@\"\n", quote(self.binary.as_str()))
    }
}

/// Unpacks Debian 12's QEMU and the libraries that this machine lacks into a folder.
fn download(folder: &Utf8Path) {
    // Two tests want it, and may run side by side.
    let _alone = state::lock(&folder.with_extension("lock")).expect("a lock");
    if folder.join("complete").exists() {
        return;
    }
    let archives = folder.join("archives");
    fs::create_dir_all(archives.join("partial")).expect("made");
    let packages = ["qemu-system-x86", "qemu-system-common", "qemu-system-data", "qemu-utils"];
    let packages = packages.map(|package| format!("{package}={}", old_version(package)));
    Command::new("apt-get")
        .args(["install", "--yes", "--download-only", "--allow-downgrades"])
        .args(["--no-install-recommends", "-o", &format!("Dir::Cache::archives={archives}")])
        .args(packages)
        .run()
        .expect("downloaded");
    for archive in archives.read_dir_utf8().expect("listed") {
        let archive: Utf8PathBuf = archive.expect("an entry").into_path();
        if archive.extension() == Some("deb") {
            let unpack = Command::new("dpkg-deb").args(["-x", archive.as_str(), folder.as_str()]);
            unpack.run().expect("unpacked");
        }
    }
    // Firmware that is installed was not downloaded, and QEMU looks for it beside itself.
    let firmware = folder.join("usr/share/seabios");
    if !firmware.exists() {
        symlink("/usr/share/seabios", firmware).expect("linked");
    }
    fs::write(folder.join("complete"), "").expect("written");
}

/// The newest 7.2 that apt offers of a package.
fn old_version(package: &str) -> String {
    let offered = Command::new("apt-cache").args(["madison", package]).run().expect("asked").text();
    let mut versions = offered.lines().filter_map(|line| line.split('|').nth(1).map(str::trim));
    let version = versions.find(|version| version.starts_with("1:7.2"));
    version.unwrap_or_else(|| panic!("apt offers no {package} 7.2:\n{offered}")).to_owned()
}
