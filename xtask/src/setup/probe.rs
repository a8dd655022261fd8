//! What the kernel lets this user do, found out by doing it.
//!
//! Some distributions allow a user namespace and then refuse what is inside it, so the probe
//! makes in throw-away namespaces what the lab makes in its own.

use super::need::Fault;
use lab::process::{Command, Error};
use std::{fs, io, time::Duration};

const TUN: &str = "/dev/net/tun";

/// A namespace that takes longer than this to make will not serve experiments either.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the lab builds its links from. Names are of its own, so that they never meet the host's.
const LINKS: &str = "\
set -e
ip link set lo up
ip link add name probe-br type bridge
ip link add name probe-a type veth peer name probe-b
ip link set probe-a master probe-br
tc qdisc add dev probe-b root tbf rate 1gbit burst 128kb latency 50ms";

/// The guest's network card.
const TAP: &str = "ip tuntap add dev probe-t mode tap && ip link set probe-t master probe-br";

/// Whether this process is root here.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether `/dev/net/tun` can be opened.
pub fn tun() -> Result<String, Fault> {
    match fs::OpenOptions::new().read(true).write(true).open(TUN) {
        Ok(_) => Ok(format!("{TUN} opens")),
        Err(error) => Err(tun_fault(&error, is_root())),
    }
}

fn tun_fault(error: &io::Error, root: bool) -> Fault {
    let sudo = if root { "" } else { "sudo " };
    let said = format!("{TUN}: {error}");
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOENT) => Fault::missing(said)
            .remedy(format!("{sudo}modprobe tun; in a container, start it with `--device {TUN}`")),
        Some(rustix::io::Errno::NODEV | rustix::io::Errno::NXIO) => {
            Fault::missing(said).remedy(format!("{sudo}modprobe tun"))
        }
        Some(rustix::io::Errno::ACCESS) => Fault::blocked(said).remedy(format!(
            "sudo chmod 0666 {TUN} (the mode that udev gives it; lasts until the next boot)"
        )),
        _ => Fault::blocked(said)
            .remedy(format!("in a container, start it with `--device {TUN} --cap-add NET_ADMIN`")),
    }
}

/// Whether namespaces can be made: user (unless root), network, mount and process.
pub fn namespaces() -> Result<String, Fault> {
    let made = in_namespaces("true").run();
    let kinds = "network, mount and process namespaces";
    match made {
        Ok(_) if is_root() => Ok(kinds.to_owned()),
        Ok(_) => Ok(format!("user, {kinds}, without root")),
        Err(error) => Err(Fault::blocked(last_line(&error)).remedy(namespace_remedy())),
    }
}

/// Whether bridges, veth pairs, traffic control and, with `tap`, tap devices can be made inside.
pub fn links(tap: bool) -> Result<String, Fault> {
    let script = if tap { format!("{LINKS}\n{TAP}") } else { LINKS.to_owned() };
    match in_namespaces(&script).run() {
        Ok(_) if tap => Ok("bridge, veth, tbf and tap, made and removed".to_owned()),
        Ok(_) => Ok("bridge, veth and tbf, made and removed".to_owned()),
        Err(error) => Err(Fault::blocked(last_line(&error)).remedy(link_remedy(&error))),
    }
}

fn in_namespaces(script: &str) -> Command {
    let user: &[&str] = if is_root() { &[] } else { &["--user", "--map-root-user"] };
    // An ordinary user's PATH need not have the folders where `ip` and `tc` are.
    let script = format!("PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin\n{script}");
    Command::new("unshare")
        .args(user)
        .args(["--net", "--mount", "--pid", "--fork", "sh", "-c"])
        .arg(script)
        .timeout(PATIENCE)
}

fn last_line(error: &Error) -> String {
    match error {
        Error::Failed { status, last_words, .. } => match last_words.lines() {
            [] => format!("the probe ended with {status}"),
            lines => lines.join("; "),
        },
        other => other.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

fn namespace_remedy() -> String {
    if is_root() {
        return "in a container, start it with `--privileged`".to_owned();
    }
    let sysctl = |name: &str| {
        let file = format!("/proc/sys/{}", name.replace('.', "/"));
        fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
    };
    sysctl_remedy(sysctl)
        .unwrap_or_else(|| "run this as root; in a container, start it with `--privileged`".into())
}

/// The setting that forbids namespaces to ordinary users, where it is one that is known.
fn sysctl_remedy(sysctl: impl Fn(&str) -> Option<String>) -> Option<String> {
    let settings = [
        // Ubuntu from 23.10 on: the namespace is made, but without rights inside.
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        // Older Debian.
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("user.max_user_namespaces", "0", "15000"),
    ];
    settings.into_iter().find(|(name, closed, _)| sysctl(name).as_deref() == Some(closed)).map(
        |(name, _, open)| {
            format!("sudo sysctl -w {name}={open} (until the next boot), or run this as root")
        },
    )
}

fn link_remedy(error: &Error) -> String {
    let text = error.to_string();
    // What the kernel answers where it has no such kind of link or queue.
    if text.contains("not supported") || text.contains("Unknown device type") {
        let sudo = if is_root() { "" } else { "sudo " };
        return format!("{sudo}modprobe -a bridge veth sch_tbf tun; or another kernel");
    }
    namespace_remedy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_forbids_namespaces_is_named() {
        let remedy = |set: &[(&str, &str)]| {
            sysctl_remedy(|name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let apparmor = "kernel.apparmor_restrict_unprivileged_userns";
        let text = remedy(&[(apparmor, "1")]).expect("it is closed");
        assert!(text.starts_with(&format!("sudo sysctl -w {apparmor}=0 ")), "{text}");
        assert_eq!(remedy(&[(apparmor, "0"), ("user.max_user_namespaces", "9000")]), None);
        let text = remedy(&[("user.max_user_namespaces", "0")]).expect("it is closed");
        assert!(text.contains("user.max_user_namespaces=15000"), "{text}");
    }

    #[test]
    fn each_way_in_which_tun_is_closed_has_its_remedy() {
        let fault = |errno: rustix::io::Errno| tun_fault(&errno.into(), false);
        use super::super::need::State::{Blocked, Missing};
        for (errno, state, remedy) in [
            (rustix::io::Errno::NOENT, Missing, "sudo modprobe tun"),
            (rustix::io::Errno::NODEV, Missing, "sudo modprobe tun"),
            (rustix::io::Errno::ACCESS, Blocked, "sudo chmod 0666 /dev/net/tun"),
            (rustix::io::Errno::PERM, Blocked, "in a container"),
        ] {
            let fault = fault(errno);
            assert_eq!(fault.state, state);
            assert!(
                fault.remedy.as_ref().is_some_and(|text| text.starts_with(remedy)),
                "{fault:?}"
            );
        }
    }
}
