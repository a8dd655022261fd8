//! The Vagrantfile of a lab. Pure.

use super::{
    Virtualization,
    names::{MANAGEMENT, Names},
    settings,
};
use crate::spec::LabSpec;
use anyhow::{Context, Result};
use minijinja::{Environment, UndefinedBehavior, value::Serde};
use serde::Serialize;

const TEMPLATE: &str = include_str!("../../../../vagrant/Vagrantfile.j2");
/// How long a node may take to boot; an emulated one on a busy machine takes minutes.
pub(super) const BOOT_TIMEOUT_S: u32 = 900;
/// The lab's networks besides Vagrant's own, in the order of the nodes' cards from eth1 on.
pub(super) const NETWORKS: [&str; 3] = ["guest", "storage", "migration"];

/// The box that nodes are made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct BoxUse {
    /// Its name, for Vagrant.
    pub name: String,
    /// Its version, where one is wanted.
    pub version: Option<String>,
    /// Whether it is one of ours, which takes name and key from the machine it boots on.
    pub own: bool,
    /// The kernel it boots from directly; without one its boot loader is used.
    pub kernel: Option<String>,
    /// The initrd beside that.
    pub initrd: Option<String>,
    /// What that kernel is told.
    pub command_line: &'static str,
}

/// What may log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Key {
    /// File of the private key.
    pub path: String,
    /// The public key, one line.
    pub public: String,
}

#[derive(Serialize)]
struct Values<'a> {
    lab: &'a str,
    #[serde(rename = "box")]
    box_use: &'a BoxUse,
    boot_timeout_s: u32,
    key: &'a Key,
    nodes: Vec<NodeContext<'a>>,
    networks: Vec<String>,
    prefix: &'a str,
    cpus: u32,
    memory_mib: u64,
    disk_gib: u64,
    kvm: bool,
    management: Management,
}

#[derive(Serialize)]
struct NodeContext<'a> {
    name: &'a str,
    macs: Vec<String>,
}

#[derive(Serialize)]
struct Management {
    name: String,
    cidr: String,
    mode: &'static str,
}

/// The networks that this lab's nodes have cards in, beside Vagrant's own, in their order.
pub(super) fn networks(spec: &LabSpec) -> Vec<&'static str> {
    let has = |name: &str| spec.networks.all().any(|(other, _)| other == name);
    NETWORKS.into_iter().filter(|name| has(name)).collect()
}

/// The Vagrantfile's text. `private`: whether libvirt is the lab's own, from which nothing else
/// can be reached.
pub(super) fn render(
    spec: &LabSpec,
    box_use: &BoxUse,
    key: &Key,
    cpu: &Virtualization,
    private: bool,
) -> Result<String> {
    let (names, settings) = (Names::of(spec), settings(spec));
    let networks = networks(spec);
    let nodes = spec.nodes.iter().enumerate().map(|(index, name)| NodeContext {
        name,
        macs: (0..=networks.len()).map(|card| names.mac(card, index)).collect(),
    });
    let context = Values {
        lab: &spec.name,
        box_use,
        boot_timeout_s: BOOT_TIMEOUT_S,
        key,
        nodes: nodes.collect(),
        networks: networks.iter().map(|network| names.network(network)).collect(),
        prefix: names.prefix(),
        cpus: settings.cpus,
        memory_mib: settings.memory.0 >> 20,
        disk_gib: settings.disk.0.div_ceil(1 << 30),
        kvm: cpu.kvm,
        management: Management {
            name: names.network(MANAGEMENT),
            cidr: names.management().to_string(),
            mode: if private { "none" } else { "nat" },
        },
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("ruby", |text: &str| ruby(text));
    environment.add_template("Vagrantfile", TEMPLATE)?;
    let template = environment.get_template("Vagrantfile")?;
    let text = template.render(minijinja::Value::from(Serde(&context)));
    // The last line's end is not part of a template.
    Ok(text.context("failed to write the Vagrantfile")? + "\n")
}

/// A text as Ruby writes it, whatever is in it.
fn ruby(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::LabSpec;

    const LAB: &str = "name: nested\nprovider: vagrant\nhypervisor: qemu\n\
        nodes: [node1, node2, node3]\nnetworks:\n  storage: {cidr: 10.79.0.0/24}\n\
        vagrant: {memory: 2 GiB}\n";

    fn spec(text: &str) -> LabSpec {
        LabSpec::parse("labs/nested.yaml", text).expect("a lab")
    }

    fn own() -> BoxUse {
        BoxUse {
            name: "precopy-lab-trixie-0123456789ab".to_owned(),
            version: None,
            own: true,
            kernel: Some("/data/it's/vmlinux".to_owned()),
            initrd: Some("/data/it's/initrd".to_owned()),
            command_line: "root=/dev/vda1",
        }
    }

    fn rendered(box_use: &BoxUse, kvm: bool) -> String {
        let key = Key { path: "/lab/key".to_owned(), public: "ssh-ed25519 AAAA lab".to_owned() };
        let cpu = Virtualization { kvm, reason: String::new() };
        render(&spec(LAB), box_use, &key, &cpu, !kvm).expect("a Vagrantfile")
    }

    #[test]
    fn nodes_of_our_own_box_under_tcg() {
        insta::assert_snapshot!(rendered(&own(), false));
    }

    #[test]
    fn nodes_of_a_published_box_under_kvm() {
        let published = BoxUse {
            name: "debian/trixie64".to_owned(),
            version: Some("13.1".to_owned()),
            own: false,
            kernel: None,
            initrd: None,
            command_line: "",
        };
        insta::assert_snapshot!(rendered(&published, true));
    }

    #[test]
    fn nodes_that_boot_from_their_disk_are_told_of_no_kernel() {
        let direct = rendered(&own(), false);
        let disk = rendered(&BoxUse { kernel: None, initrd: None, ..own() }, false);
        let gone: Vec<&str> = direct.lines().filter(|line| !disk.contains(*line)).collect();
        let keys = gone.iter().map(|line| line.trim().split(' ').next().expect("a word"));
        let keys: Vec<&str> = keys.collect();
        // The same three for each node, and nothing else differs.
        assert_eq!(keys, ["libvirt.kernel", "libvirt.initrd", "libvirt.cmd_line"].repeat(3));
        assert!(disk.lines().all(|line| direct.contains(line)));
    }

    #[test]
    fn a_lab_without_a_storage_network_has_a_card_less() {
        let without = spec("name: n\nprovider: vagrant\nhypervisor: qemu\n");
        assert_eq!(networks(&without), ["guest", "migration"]);
        assert_eq!(networks(&spec(LAB)), ["guest", "storage", "migration"]);
    }

    #[test]
    fn ruby_understands_any_text() {
        assert_eq!(ruby(r"a'b\c#{d}"), r"'a\'b\\c#{d}'");
    }
}
