//! A libvirt of the lab's own, where none runs on this machine.

use super::super::netns::{self, namespaces};
use anyhow::{Context, Result, bail};
use camino::Utf8Path;
use rustix::mount::mount_bind;
use std::{
    collections::HashMap,
    fs,
    os::unix::net::UnixDatagram,
    process::Stdio,
    time::{Duration, Instant},
};

/// What the supervisor is told to hold.
pub(in crate::provider) const LIBVIRT: &str = "libvirt";
/// The name under which processes are started beside that libvirt.
pub(super) const INSIDE: &str = "host";
/// The lab's folders that lie over those that libvirt is built to write to.
const MOUNTS: [(&str, &str); 5] = [
    ("run", "/run"),
    ("etc", "/etc/libvirt"),
    ("lib", "/var/lib/libvirt"),
    ("cache", "/var/cache/libvirt"),
    ("log", "/var/log/libvirt"),
];
/// How long libvirt may take to begin; it asks QEMU for what it can do first.
const DEADLINE: Duration = Duration::from_secs(120);

/// QEMU runs as who runs libvirt, with no confinement that needs a service of the host.
const QEMU_CONF: &str = r#"user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
namespaces = []
seccomp_sandbox = 0
stdio_handler = "file"
"#;

/// Only this process's user reaches it, by the folder's rights.
const LIBVIRTD_CONF: &str = r#"auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_ro_perms = "0700"
unix_sock_rw_perms = "0700"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
"#;

/// Is process 1 of the lab's namespaces: starts libvirt in them and serves until the lab ends.
pub(in crate::provider) fn supervise(folder: &Utf8Path) -> Result<()> {
    namespaces::settle_mounts()?;
    let own = folder.join(LIBVIRT);
    for (name, place) in MOUNTS {
        let source = own.join(name);
        fs::create_dir_all(&source).with_context(|| format!("failed to make {source}"))?;
        fs::create_dir_all(place).with_context(|| format!("failed to make {place}"))?;
        mount_bind(source.as_std_path(), place)
            .with_context(|| format!("failed to mount {source} on {place}"))?;
    }
    // Sockets and process numbers of a libvirt that was killed.
    for entry in fs::read_dir("/run")? {
        let path = entry?.path();
        if path.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
    }
    fs::create_dir_all("/run/lock")?;
    fs::write("/etc/libvirt/qemu.conf", QEMU_CONF)?;
    fs::write("/etc/libvirt/libvirtd.conf", LIBVIRTD_CONF)?;
    let network = namespaces::current_network()?;
    let start = |argv: &[&str], output: Stdio| {
        let argv: Vec<String> = argv.iter().map(|&word| word.to_owned()).collect();
        netns::start(&network, &argv, None, [Stdio::null(), Stdio::null(), output])
    };
    if !start(&["ip", "link", "set", "lo", "up"], Stdio::inherit())?.wait()?.success() {
        bail!("failed to bring the loopback device up");
    }
    let told = UnixDatagram::bind("/run/ready.sock").context("failed to make a socket")?;
    told.set_read_timeout(Some(Duration::from_secs(1)))?;
    let log = fs::File::create(own.join("libvirtd.stderr"))?;
    let argv = ["env", "NOTIFY_SOCKET=/run/ready.sock", "libvirtd", "-p", "/run/libvirtd.pid"];
    let mut libvirtd = start(&argv, log.into())?;
    let begin = Instant::now();
    let mut words = [0; 1024];
    loop {
        let length = told.recv(&mut words).unwrap_or(0);
        if String::from_utf8_lossy(&words[..length]).lines().any(|line| line == "READY=1") {
            break;
        }
        if let Some(status) = libvirtd.try_wait()? {
            let words = fs::read_to_string(own.join("libvirtd.stderr")).unwrap_or_default();
            let log = fs::read_to_string("/var/log/libvirt/libvirtd.log").unwrap_or_default();
            let last = log.lines().rev().find(|line| line.contains("error")).unwrap_or_default();
            bail!("libvirtd ended with {status}: {} {last}", words.trim());
        }
        if begin.elapsed() > DEADLINE {
            bail!("libvirtd was not ready within {DEADLINE:?}");
        }
    }
    netns::serve(folder, HashMap::from([(INSIDE.to_owned(), network)]))
}
