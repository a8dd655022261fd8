//! What a lab file may not say of its machines and of what they share.

use super::{NAME_HINT, bad_name};
use crate::{
    spec::{HostDevices, HypervisorKind, LabSpec, Provider},
    units::Bytes,
    yaml::{Parsed, Problem},
};
use camino::Utf8Path;

/// A node with less cannot boot and run a guest.
const LEAST_MEMORY: Bytes = Bytes(512 << 20);
/// A node with less cannot hold its packages.
const LEAST_DISK: Bytes = Bytes(4 << 30);
/// Longest name of a device that the kernel allows.
const DEVICE_CHARS: usize = 15;
/// Longest prefix: names of libvirt's networks and bridges come from it.
const PREFIX_CHARS: usize = 12;

/// Everything that is wrong.
pub(super) fn problems(parsed: &Parsed<LabSpec>, problems: &mut Vec<Problem>) {
    sections(parsed, problems);
    vagrant(parsed, problems);
    hosts(parsed, problems);
    storage(parsed, problems);
}

/// Sections that belong to another provider than the lab's.
fn sections(parsed: &Parsed<LabSpec>, problems: &mut Vec<Problem>) {
    let spec = &parsed.value;
    let given = [
        ("vagrant", spec.vagrant.is_some(), Provider::Vagrant),
        ("hosts", spec.hosts.is_some(), Provider::Hosts),
        ("set_up", spec.set_up.is_some(), Provider::Hosts),
    ];
    for (key, given, provider) in given {
        if given && spec.provider != provider {
            let what = format!("`{key}` says nothing to the provider `{}`", spec.provider);
            problems.push(
                parsed
                    .problem(&[key], what)
                    .hint(format!("leave it out, or take `provider: {provider}`")),
            );
        }
    }
    if spec.packages.is_some() && spec.provider == Provider::Netns {
        let what = "a lab of namespaces gets no packages: its nodes share this machine's files";
        problems.push(parsed.problem(&["packages"], what.to_owned()).hint("leave it out"));
    }
    if spec.sets_up_hosts() && spec.hypervisor == HypervisorKind::Proxmox {
        // Joining a cluster replaces /etc/pve, and root's authorized_keys becomes a link into it;
        // /etc/network/interfaces, /etc/hosts and the root password are written anew.
        let what = "Proxmox VE is not set up on machines that one already has: they would lose \
                     root's SSH keys, root password and network configuration";
        problems.push(parsed.problem(&["set_up"], what.to_owned()).hint(
            "install Proxmox VE and make the cluster by hand, or take `provider: vagrant`, \
              whose machines are made for it",
        ));
    }
    if spec.provider == Provider::Netns && spec.networks.storage.is_some() {
        let what =
            "a lab of namespaces has no storage network: its nodes share this machine's files";
        problems
            .push(parsed.problem(&["networks", "storage"], what.to_owned()).hint("leave it out"));
    }
}

fn vagrant(parsed: &Parsed<LabSpec>, problems: &mut Vec<Problem>) {
    let spec = &parsed.value;
    if (spec.provider, spec.hypervisor) == (Provider::Vagrant, HypervisorKind::Proxmox)
        && spec.vagrant.clone().unwrap_or_default().boots_beside_disk()
    {
        let what =
            "nodes that boot directly never run the kernel that Proxmox VE brings".to_owned();
        problems.push(
            parsed.problem(&["vagrant", "boot"], what).hint("`vagrant: { boot: disk }` boots it"),
        );
    }
    let Some(vagrant) = &parsed.value.vagrant else { return };
    if let Some(why) = bad_name(&vagrant.prefix, PREFIX_CHARS) {
        let what = format!("`{}` cannot be a prefix: {why}", vagrant.prefix);
        problems.push(parsed.problem(&["vagrant", "prefix"], what).hint(NAME_HINT));
    }
    if vagrant.box_name.is_empty() || vagrant.box_name.chars().any(char::is_whitespace) {
        let what = format!("`{}` cannot name a box", vagrant.box_name);
        problems.push(
            parsed
                .problem(&["vagrant", "box"], what)
                .hint("`debian-13`, `debian-12`, or a published box such as `debian/trixie64`"),
        );
    }
    if vagrant.cpus == 0 {
        let what = "a node needs a processor".to_owned();
        problems.push(parsed.problem(&["vagrant", "cpus"], what).hint("1 or more"));
    }
    for (key, size, least) in
        [("memory", vagrant.memory, LEAST_MEMORY), ("disk", vagrant.disk, LEAST_DISK)]
    {
        if size < least {
            let what = format!("a node with a {key} of {size} cannot run guests");
            problems.push(parsed.problem(&["vagrant", key], what).hint(format!("{least} or more")));
        }
    }
}

fn hosts(parsed: &Parsed<LabSpec>, problems: &mut Vec<Problem>) {
    let spec = &parsed.value;
    let Some(hosts) = &spec.hosts else {
        if spec.provider == Provider::Hosts && spec.api().is_none() {
            let what = "the provider `hosts` needs to know the machines".to_owned();
            problems.push(
                parsed
                    .problem(&["provider"], what)
                    .hint("`hosts: {node1: {ssh: root@host1.example}, …}`, one for each node"),
            );
        }
        return;
    };
    // A cluster may be reached by its API alone, but not some of its nodes.
    let needs_ssh = spec.api().is_none() || spec.has_ssh();
    for node in spec.nodes.iter().filter(|node| needs_ssh && !hosts.contains_key(*node)) {
        let what = format!("`{node}` is a node, and has no machine here");
        problems.push(
            parsed.problem(&["hosts"], what).hint(format!("`{node}: {{ssh: root@host.example}}`")),
        );
    }
    for (name, host) in hosts {
        let at = ["hosts", name.as_str()];
        if !spec.nodes.contains(name) {
            let what = format!("`{name}` is none of the lab's nodes");
            let nodes = spec.nodes.join(", ");
            problems.push(parsed.problem(&at, what).hint(format!("the nodes are {nodes}")));
        }
        let Some(ssh) = &host.ssh else {
            if needs_ssh {
                let what = format!("nothing says how SSH finds `{name}`");
                let hint = match spec.api() {
                    Some(_) => "`ssh: root@host.example`; or leave `ssh` out for every node",
                    None => "`ssh: root@host.example`",
                };
                problems.push(parsed.problem(&at, what).hint(hint));
            }
            continue;
        };
        let odd = |c: char| c.is_whitespace() || c.is_control();
        if ssh.is_empty() || ssh.starts_with('-') || ssh.contains(odd) {
            let what = format!("`{}` is no place that SSH can find", ssh.escape_debug());
            problems.push(
                parsed
                    .problem(&["hosts", name, "ssh"], what)
                    .hint("`user@host`, or a name from `~/.ssh/config`"),
            );
        }
        devices(parsed, name, &host.devices, problems);
    }
}

fn devices(
    parsed: &Parsed<LabSpec>,
    node: &str,
    devices: &HostDevices,
    problems: &mut Vec<Problem>,
) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (network, device) in devices.named() {
        let at = ["hosts", node, "devices", network];
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if device.is_empty()
            || device.len() > DEVICE_CHARS
            || device.starts_with(['-', '.'])
            || !device.chars().all(plain)
        {
            let what = format!("`{}` cannot be a network device", device.escape_debug());
            problems
                .push(parsed.problem(&at, what).hint("a name that `ip link` on the machine shows"));
        }
        if !parsed.value.networks.all().any(|(name, _)| name == network) {
            let what = format!("this lab has no {network} network");
            let hint = format!("leave it out, or declare `networks.{network}`");
            problems.push(parsed.problem(&at, what).hint(hint));
        }
        if let Some((first, _)) = seen.iter().find(|(_, other)| *other == device) {
            let what = format!("`{device}` is the device of the {first} network already");
            problems.push(
                parsed
                    .problem(&at, what)
                    .hint("give each network a card, or a VLAN, of its own")
                    .also(parsed.at(&["hosts", node, "devices", first]), "the first"),
            );
        }
        seen.push((network, device));
    }
}

fn storage(parsed: &Parsed<LabSpec>, problems: &mut Vec<Problem>) {
    let spec = &parsed.value;
    let Some(storage) = &spec.storage else { return };
    match (&storage.directory, &storage.nfs) {
        (None, None) | (Some(_), Some(_)) => {
            let what = "a lab's storage is either a folder or NFS".to_owned();
            problems.push(
                parsed
                    .problem(&["storage"], what)
                    .hint("`storage: {directory: /path}` or `storage: {nfs: {server: node1}}`"),
            );
        }
        (Some(directory), None) => {
            absolute(parsed, &["storage", "directory"], directory, problems);
        }
        (None, Some(nfs)) => {
            if spec.provider == Provider::Netns {
                let what = "nodes that are namespaces share this machine's files and need no NFS";
                problems.push(
                    parsed
                        .problem(&["storage", "nfs"], what.to_owned())
                        .hint("leave `storage` out, or name a `directory`"),
                );
            }
            if !spec.nodes.contains(&nfs.server) {
                let what = format!("`{}` is none of the lab's nodes", nfs.server);
                let nodes = spec.nodes.join(", ");
                problems.push(
                    parsed
                        .problem(&["storage", "nfs", "server"], what)
                        .hint(format!("the nodes are {nodes}")),
                );
            }
            absolute(parsed, &["storage", "nfs", "export"], &nfs.export, problems);
            absolute(parsed, &["storage", "nfs", "mount"], &nfs.mount, problems);
        }
    }
}

/// Paths go into files of other programs, where spaces and the like mean something.
fn absolute(parsed: &Parsed<LabSpec>, at: &[&str], path: &Utf8Path, problems: &mut Vec<Problem>) {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    let whole = path.is_absolute() && path.as_str().len() > 1 && !path.as_str().contains("..");
    if !(whole && path.as_str().chars().all(plain)) {
        let what = format!("`{path}` cannot be the path of a shared folder");
        problems.push(
            parsed.problem(at, what).hint("an absolute path of letters, digits, `-`, `_`, `.`"),
        );
    }
}
