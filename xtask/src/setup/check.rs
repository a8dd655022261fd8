//! What this machine has and lacks.

use super::{
    distribution::{Distribution, Package},
    libvirt,
    need::{Fault, Job, Need, Source, State},
    probe, vagrant,
};
use lab::{
    hypervisor::qemu::find::{self, GOOD_MAJOR},
    process::{self, Command},
};
use std::{fs, path::Path, path::PathBuf};

/// Memory that source, target and harness of the shipped experiments take.
const MEMORY_MIB: u64 = 1536;
/// Room that a build and some runs take.
const DISK_MIB: u64 = 2048;

/// Everything that `job` needs of this machine, in the order in which it should be looked at.
pub fn check(job: Job) -> Vec<Need> {
    let distribution = Distribution::here();
    let (ip, tc) = (process::find("ip"), process::find("tc"));
    let tools = ip.is_some() && tc.is_some();
    let tun = probe::tun();
    let namespaces = probe::namespaces();
    let links = if namespaces.is_err() {
        Err(Fault::blocked("not tried").remedy("first make namespaces possible"))
    } else if tools {
        probe::links(tun.is_ok())
    } else {
        Err(Fault::blocked("not tried").remedy("first get `ip` and `tc`"))
    };
    let mut needs = vec![
        Need::required("x86-64 Linux", "the guest is a program for it", platform()),
        qemu(&distribution),
        tool(&distribution, "ip", "makes the lab's nodes and links", ip, Package::Iproute),
        tool(&distribution, "tc", "sets the rate of the lab's links", tc, Package::Iproute),
        Need::required("/dev/net/tun", "the guest's network card on the node", tun),
        Need::required("namespaces", "nodes are network namespaces of this machine", namespaces),
        Need::required("links inside", "the lab's networks", links),
        packaged(&distribution, Package::Compiler, "C linker", "links what is built here", cc()),
        packaged(
            &distribution,
            Package::Compiler,
            "static C library",
            "the observer must run on any node",
            libc(),
        ),
        Need::required("memory", "two guests and the harness", memory()).optional(),
        Need::required("disk", "a build and some runs", disk()).optional(),
    ];
    match job {
        Job::Experiment => {}
        Job::Ci => needs.push(vagrant::summary()),
        Job::Vagrant => needs.extend(vagrant::needs(&distribution)),
    }
    if job == Job::Ci {
        let component = |what: &'static str, why, program: &str| {
            let found = cargo_tool(program);
            let remedy = format!("rustup component add {what}");
            Need::required(what, why, found).for_ci().from(Source::Rustup(what), remedy)
        };
        needs.push(component("rustfmt", "checks the format", "rustfmt"));
        needs.push(component("clippy", "checks the code", "cargo-clippy"));
        needs.push(
            tool(
                &distribution,
                "shellcheck",
                "checks .ci/run; left out without it",
                process::find("shellcheck"),
                Package::Shellcheck,
            )
            .for_ci()
            .optional(),
        );
        needs.push(ssh_server(&distribution));
        needs.push(
            Need::required(
                "cargo-deny",
                "checks licences and advisories; left out without it",
                cargo_deny(),
            )
            .for_ci()
            .optional()
            .from(Source::ByHand, "cargo install --locked cargo-deny (takes minutes)".to_owned()),
        );
    }
    needs
}

fn ssh_server(distribution: &Distribution) -> Need {
    let why = "tests of machines that are reached by SSH; left out without it";
    let found = process::find("sshd");
    let need = tool(distribution, "sshd", why, found, Package::SshServer).for_ci().optional();
    if Path::new("/run/systemd/system").exists() {
        // The package starts a server for everybody; in a container without systemd it does not.
        let remedy = "install an SSH server, if this machine may have one running".to_owned();
        return need.from(Source::ByHand, remedy);
    }
    need
}

fn platform() -> Result<String, Fault> {
    let here = format!("{} {}", std::env::consts::ARCH, std::env::consts::OS);
    if here == "x86_64 linux" {
        Ok(here)
    } else {
        Err(Fault::missing(here).remedy("use another machine"))
    }
}

fn qemu(distribution: &Distribution) -> Need {
    let choice = find::choose(None);
    let named = std::env::var_os(find::VARIABLE).is_some_and(|value| !value.is_empty());
    let found = match choice {
        Ok(choice) => {
            let found = format!("{} at {}", choice.qemu.full_version, choice.qemu.path.display());
            if choice.qemu.is_good() {
                Ok(found)
            } else {
                Err(Fault {
                    state: State::Old,
                    found: format!("{found}; before {GOOD_MAJOR} it loses memory under TCG"),
                    remedy: None,
                })
            }
        }
        Err(error) => {
            let text = error.to_string();
            Err(Fault::missing(text.split("\n\nhint").next().unwrap_or_default()))
        }
    };
    let why = "runs and migrates the guests";
    let need = packaged(distribution, Package::Qemu, find::NAME, why, found);
    if named {
        // Installing another would not help: the one that was named is the one that is used.
        return need.from(Source::ByHand, format!("change or unset {}", find::VARIABLE));
    }
    if need.state == State::Old && !libvirt::users_of_qemu().is_empty() {
        let source = need.source;
        let replace = "cargo xtask setup --install --replace-qemu (a libvirt may use the old one)";
        return need.from(source, replace.to_owned());
    }
    need
}

/// A thing from the distribution's packages.
pub(super) fn packaged(
    distribution: &Distribution,
    package: Package,
    what: &'static str,
    why: &'static str,
    found: Result<String, Fault>,
) -> Need {
    let remedy = remedy(distribution, package);
    Need::required(what, why, found).from(Source::Package(package), remedy)
}

fn remedy(distribution: &Distribution, package: Package) -> String {
    let sudo = if probe::is_root() { "" } else { "sudo " };
    let Some(family) = distribution.family() else {
        return format!("install your distribution's package of it ({})", distribution.name);
    };
    let line = format!("{sudo}{}", family.install_line(family.packages(package)));
    match distribution.qemu_suite() {
        Some(suite) if package == Package::Qemu => {
            let line = line.replace("apt-get install", &format!("apt-get install -t {suite}"));
            format!("{line} (`--install` adds {suite} to the apt sources where it is not yet)")
        }
        _ => line,
    }
}

fn tool(
    distribution: &Distribution,
    what: &'static str,
    why: &'static str,
    found: Option<PathBuf>,
    package: Package,
) -> Need {
    let found = found.map(|path| path.display().to_string());
    packaged(distribution, package, what, why, found.ok_or_else(|| Fault::missing("not found")))
}

fn cc() -> Result<String, Fault> {
    let cc = process::find("cc").map(|path| path.display().to_string());
    cc.ok_or_else(|| Fault::missing("no `cc` in PATH"))
}

fn libc() -> Result<String, Fault> {
    let answer = Command::new("cc").arg("-print-file-name=libc.a").run();
    // For a file that it does not have, the compiler answers the bare name.
    let path = answer.map(|output| output.text().trim().to_owned()).unwrap_or_default();
    if Path::new(&path).is_file() { Ok(path) } else { Err(Fault::missing("no `libc.a`")) }
}

fn memory() -> Result<String, Fault> {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    amount(kib.map(|kib| kib / 1024), MEMORY_MIB, "stop what is not needed, or use smaller guests")
}

fn disk() -> Result<String, Fault> {
    let free = rustix::fs::statvfs(".").ok().map(|fs| fs.f_bavail * fs.f_frsize / (1 << 20));
    amount(free, DISK_MIB, "remove old runs, or `cargo clean`")
}

fn amount(mib: Option<u64>, needed: u64, remedy: &str) -> Result<String, Fault> {
    match mib {
        Some(mib) if mib >= needed => Ok(format!("{mib} MiB free")),
        Some(mib) => Err(Fault::missing(format!("{mib} MiB free of {needed} MiB")).remedy(remedy)),
        // What cannot be asked is no reason to stop.
        None => Ok("unknown".to_owned()),
    }
}

/// A tool of the toolchain that runs us: rustup's stand-ins in PATH exist without it, too.
fn cargo_tool(program: &str) -> Result<String, Fault> {
    let toolchain = std::env::var_os("CARGO").map(PathBuf::from);
    let beside = toolchain.and_then(|cargo| Some(cargo.parent()?.join(program)));
    let found = match beside {
        Some(path) => Some(path).filter(|path| process::is_executable(path)),
        None => process::find(program),
    };
    let found = found.map(|path| path.display().to_string());
    found.ok_or_else(|| Fault::missing("not part of the toolchain"))
}

fn cargo_deny() -> Result<String, Fault> {
    let found = process::find("cargo-deny").map(|path| path.display().to_string());
    found.ok_or_else(|| Fault::missing("not found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_with_what_is_needed() {
        assert_eq!(amount(Some(2048), 2048, "x"), Ok("2048 MiB free".to_owned()));
        let fault = amount(Some(2047), 2048, "do this").expect_err("too little");
        assert_eq!(fault.found, "2047 MiB free of 2048 MiB");
        assert_eq!(fault.remedy.as_deref(), Some("do this"));
    }

    #[test]
    fn an_experiment_needs_nothing_of_a_developer() {
        let needs = check(Job::Experiment);
        assert!(needs.iter().all(|need| need.needed_for == Job::Experiment));
        let ci = check(Job::Ci);
        assert!(ci.len() > needs.len());
        for need in ci {
            assert_eq!(need.state == State::Ok, need.remedy.is_none(), "{need:?}");
        }
    }
}
