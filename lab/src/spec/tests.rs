use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

const HEAD: &str = "name: local\nprovider: netns\nhypervisor: qemu\n";

const BAD: &[(&str, &str)] = &[
    ("no_hosts", "name: a\nprovider: hosts\nhypervisor: qemu\n"),
    (
        "hosts",
        "name: a\nprovider: hosts\nhypervisor: qemu\nvagrant: {}\nhosts:\n  node1: { ssh: '-oProxyCommand=x' }\n  node2: { ssh: root@b }\n  node4: { ssh: '' }\n",
    ),
    (
        "host_device_mistyped",
        "name: a\nprovider: hosts\nhypervisor: qemu\nhosts:\n  node1: { ssh: a, devices: { guests: eno1 } }\n",
    ),
    (
        "host_devices_named",
        "name: a\nprovider: hosts\nhypervisor: qemu\nhosts:\n  node1: { ssh: a, devices: { guest: eno1, migration: eno1 } }\n  node2: { ssh: b, devices: { guest: 'a b', storage: eno3 } }\n  node3: { ssh: c }\n",
    ),
    (
        "proxmox_on_hosts",
        "name: a\nprovider: hosts\nhypervisor: proxmox\nset_up: true\nhosts: { node1: { ssh: a }, node2: { ssh: b }, node3: { ssh: c } }\n",
    ),
    ("host_without_ssh", "name: a\nprovider: hosts\nhypervisor: qemu\nhosts: { node1: {} }\n"),
    (
        "vagrant",
        "name: a\nprovider: vagrant\nhypervisor: qemu\nset_up: true\nvagrant:\n  box: 'a b'\n  prefix: much-too-long-a-prefix\n  cpus: 0\n  memory: 64 MiB\n  disk: 1 GiB\n",
    ),
    (
        "nfs",
        "name: a\nprovider: vagrant\nhypervisor: qemu\nnetworks: { guest: { cidr: 10.1.0.0/24 }, migration: { cidr: 10.2.0.0/24 }, storage: { cidr: 10.2.0.0/16 } }\nstorage: { nfs: { server: nodeX, export: '/a b', mount: relative } }\n",
    ),
    (
        "boot",
        "name: a\nprovider: vagrant\nhypervisor: qemu\npackages: cache\nvagrant: { boot: disc }\n",
    ),
    (
        "proxmox_without_its_kernel",
        "name: a\nprovider: vagrant\nhypervisor: proxmox\nvagrant: { boot: direct }\n",
    ),
    ("proxmox_of_namespaces", "name: a\nprovider: netns\nhypervisor: proxmox\nqemu: {}\n"),
    ("proxmox_without_proxmox", "name: a\nprovider: vagrant\nhypervisor: qemu\nproxmox: {}\n"),
    (
        "proxmox",
        "name: a\nprovider: vagrant\nhypervisor: proxmox\nvagrant: { boot: disk }\nproxmox:\n  repository: ftp://a.example\n  suite: 'a b'\n  key: https://a.example/key\n  cluster: a-cluster-for-ever\n  domain: -.lab\n  storage: a/b\n  user: root@pam\n  token: x\n  ready_deadline: 0 s\n",
    ),
    (
        "proxmox_words",
        "name: a\nprovider: vagrant\nhypervisor: proxmox\nproxmox:\n  migration: unsecure\n",
    ),
    (
        "proxmox_key",
        "name: a\nprovider: vagrant\nhypervisor: proxmox\nvagrant: { boot: disk }\nproxmox: { key: '', key_sha256: 12ab }\n",
    ),
    (
        "api",
        "name: a\nprovider: hosts\nhypervisor: proxmox\nnodes: [pve1, pve2, pve3]\nproxmox:\n  vmids: 100-101\n  bridge: 'a b'\n  api:\n    nodes: [pve1, 'pve2:x']\n    user: root\n    secret_variable: hunter-2\n    secret_file: pve-token\n    fingerprints: { pve9: 'AA:BB', pve1: '' }\n",
    ),
    (
        "api_of_vagrant",
        "name: a\nprovider: vagrant\nhypervisor: proxmox\nvagrant: { boot: disk }\nproxmox: { api: { user: root@pam, ca: ca.pem } }\n",
    ),
    (
        "api_without_trust",
        "name: a\nprovider: hosts\nhypervisor: proxmox\nproxmox: { vmids: 9999-9900, api: { user: 'lab@pve!lab=0f0f' } }\n",
    ),
    (
        "api_words",
        "name: a\nprovider: hosts\nhypervisor: proxmox\nproxmox: { api: { user: root@pam, password: hunter2 } }\n",
    ),
    (
        "api_ids",
        "name: a\nprovider: hosts\nhypervisor: proxmox\nproxmox: { vmids: 1-99, api: { user: root@pam, ca: ca.pem } }\n",
    ),
    (
        "api_ids_malformed",
        "name: a\nprovider: hosts\nhypervisor: proxmox\nproxmox: { vmids: 9900..9999 }\nhosts: { node1: {}, node2: {}, node3: {} }\n",
    ),
    (
        "api_and_ssh_to_some",
        "name: a\nprovider: hosts\nhypervisor: proxmox\nproxmox: { api: { user: root@pam, ca: ca.pem } }\nhosts: { node1: { ssh: root@a }, node2: {} }\n",
    ),
    (
        "existing_guest",
        "name: a\nprovider: hosts\nhypervisor: proxmox\nproxmox: { api: { user: root@pam, ca: ca.pem }, guest: { vmid: 9950, name: 'web 1', address: 127.0.0.1 } }\n",
    ),
    (
        "existing_guest_without_name",
        "name: a\nprovider: hosts\nhypervisor: proxmox\nproxmox: { api: { user: root@pam, ca: ca.pem }, guest: { vmid: 105 } }\n",
    ),
    ("provider_mistyped", "name: a\nprovider: netnss\nhypervisor: qemu\n"),
    ("no_hypervisor", "name: a\nprovider: netns\n"),
    ("lab_name", "name: my lab\nprovider: netns\nhypervisor: qemu\n"),
];

/// These follow [`HEAD`].
const BAD_REST: &[(&str, &str)] = &[
    ("two_nodes", "nodes: [node1, node2]\n"),
    ("packages_of_namespaces", "packages: direct\n"),
    ("node_names", "nodes: [node_1, 2nd, migration-source, node, NODE, '']\n"),
    ("network_mistyped", "networks:\n  migraton: { cidr: 10.1.0.0/24 }\n"),
    ("no_cidr", "networks:\n  guest: { mtu: 1500 }\n"),
    ("no_prefix", "networks:\n  guest: { cidr: 10.1.0.0 }\n"),
    ("prefix_too_long", "networks:\n  guest: { cidr: 10.1.0.0/33 }\n"),
    ("ipv6", "networks:\n  guest: { cidr: 'fd00::/64' }\n"),
    ("host_bits", "networks:\n  guest: { cidr: 10.1.0.5/24 }\n"),
    (
        "too_small",
        "networks:\n  guest: { cidr: 10.1.0.0/28 }\n  migration: { cidr: 10.2.0.0/30 }\n",
    ),
    ("loopback", "networks:\n  guest: { cidr: 127.1.0.0/16 }\n"),
    ("multicast", "networks:\n  guest: { cidr: 224.0.0.0/24 }\n"),
    ("overlap", "networks:\n  guest: { cidr: 10.1.0.0/16 }\n  migration: { cidr: 10.1.7.0/24 }\n"),
    ("overlap_of_default", "networks:\n  migration: { cidr: 10.77.0.128/25 }\n"),
    ("mtu", "networks:\n  guest: { cidr: 10.1.0.0/24, mtu: 100000 }\n"),
    ("link_rate", "networks:\n  migration: { cidr: 10.1.0.0/24, link_rate: 1 kbit/s }\n"),
    ("link_rate_in_bytes", "networks:\n  migration: { cidr: 10.1.0.0/24, link_rate: 100 MB/s }\n"),
    ("link_rate_word", "networks:\n  migration: { cidr: 10.1.0.0/24, link_rate: fast }\n"),
    ("storage_network_of_namespaces", "networks: { storage: { cidr: 10.1.0.0/24 } }\n"),
    ("nfs_of_namespaces", "storage: { nfs: { server: node1 } }\n"),
    ("storage_is_both", "storage: { directory: /a, nfs: { server: node1 } }\n"),
    ("storage_is_neither", "storage: {}\n"),
    ("storage_root", "storage: { directory: / }\n"),
    ("accelerator", "qemu: { accelerator: xen }\n"),
    (
        "everything_at_once",
        "nodes: [a, a]\nnetworks:\n  guest: { cidr: 10.1.0.1/24, mtu: 1 }\n  migration: { cidr: 10.1.0.0/24 }\n",
    ),
];

#[test]
fn bad_labs_are_refused_where_the_mistake_is() {
    let rest = BAD_REST.iter().map(|(name, text)| (*name, format!("{HEAD}{text}")));
    let all = BAD.iter().map(|(name, text)| (*name, (*text).to_owned())).chain(rest);
    for (name, text) in all {
        let report = LabSpec::parse("labs/bad.yaml", &text).expect_err(name);
        insta::assert_snapshot!(name, report.render(false, 90));
    }
}

#[test]
fn the_shipped_lab_is_what_the_defaults_are() {
    let shipped = LabSpec::read("../labs/local.yaml".into()).expect("the shipped lab is good");
    let least = LabSpec::parse("least.yaml", HEAD).expect("three keys suffice");
    assert_eq!(shipped, least);
    assert_eq!(shipped.nodes, ["node1", "node2", "node3"]);
    assert_eq!(shipped.networks.guest.link_rate, None);
    assert_eq!(shipped.networks.migration.link_rate, Some(BitRate(1_000_000_000)));
}

#[test]
fn the_example_of_machines_one_has_is_good() {
    let example = LabSpec::read("../labs/hosts.example.yaml".into()).expect("it is good");
    let hosts = example.hosts.expect("machines");
    assert_eq!(hosts["node1"].ssh.as_deref(), Some("root@host1.example"));
    assert_eq!(example.set_up, Some(false));
}

#[test]
fn the_example_of_a_cluster_one_has_is_good() {
    let example = LabSpec::read("../labs/proxmox.example.yaml".into()).expect("it is good");
    let api = example.api().expect("it is asked");
    assert!(!example.has_ssh() && api.is_token());
    assert_eq!(api.variable(), TOKEN_VARIABLE);
    assert_eq!(example.proxmox().expect("it is Proxmox's").vmids, VmIds::default());
    assert_eq!(example.api_nodes()[2], "pve3.example");
}

#[test]
fn who_is_asked_follows_from_the_machines() {
    let head = "name: a\nprovider: hosts\nhypervisor: proxmox\nproxmox: { api: { user: root@pam, ca: c } }\n";
    let spec = |rest: &str| LabSpec::parse("lab.yaml", &format!("{head}{rest}")).expect(rest);
    let alone = spec("");
    assert_eq!(alone.api_nodes(), ["node1", "node2", "node3"]);
    assert_eq!(alone.api().map(ApiSpec::variable), Some(PASSWORD_VARIABLE));
    let by_ssh =
        "hosts: { node1: { ssh: root@a.example }, node2: { ssh: b }, node3: { ssh: r@c } }";
    let by_ssh = spec(by_ssh);
    assert!(by_ssh.has_ssh() && !alone.has_ssh());
    assert_eq!(by_ssh.api_nodes(), ["a.example", "b", "c"]);
    let written = yaml::write(&by_ssh).expect("a lab can be written");
    assert_eq!(LabSpec::parse("again.yaml", &written).expect("it reads back"), by_ssh);
}

#[test]
fn only_a_fetched_key_of_ones_own_needs_a_hash() {
    let head = "name: a\nprovider: vagrant\nhypervisor: proxmox\nvagrant: { boot: disk }\n";
    let spec = |rest: &str| LabSpec::parse("lab.yaml", &format!("{head}{rest}")).expect(rest);
    let hash = |rest: &str| spec(rest).proxmox().expect("it is Proxmox's").key_hash();
    assert_eq!(hash("").as_deref(), Some(proxmox::KEY_SHA256));
    assert_eq!(hash("proxmox: { key: /etc/keyring.gpg }"), None);
    let digits = "AB".repeat(32);
    let given = hash(&format!("proxmox: {{ key: 'http://m.example/k', key_sha256: {digits} }}"));
    assert_eq!(given, Some(digits.to_lowercase()));
    assert_eq!(LabSpec::parse("least.yaml", HEAD).expect("a good lab").proxmox(), None);
}

#[test]
fn addresses_go_up_for_nodes_and_down_for_guests() {
    let network = Networks::default().guest;
    assert_eq!(network.node_address(0), Ipv4Addr::new(10, 77, 0, 1));
    assert_eq!(network.node_address(2), Ipv4Addr::new(10, 77, 0, 3));
    assert_eq!(network.guest_address(0), Ipv4Addr::new(10, 77, 0, 254));
    assert_eq!(network.guest_address(GUEST_SLOTS - 1), Ipv4Addr::new(10, 77, 0, 239));
    assert_eq!(network.guest_address(GUEST_SLOTS), network.guest_address(0));
}

#[test]
fn a_file_that_is_not_there_is_said() {
    let error = LabSpec::read("labs/none.yaml".into()).expect_err("there is none");
    // As it is shown: with its cause, which stands there once.
    let text = format!("{:#}", anyhow::Error::from(error));
    assert!(text.starts_with("failed to read `labs/none.yaml`: No such file"), "{text}");
    assert_eq!(text.matches("No such file").count(), 1, "{text}");
}

#[test]
fn a_written_lab_reads_back() {
    let text = "qemu: { binary: /opt/qemu, accelerator: tcg }\nnodes: [a, b, c, d]\n";
    let spec = LabSpec::parse("lab.yaml", &format!("{HEAD}{text}")).expect("a good lab");
    let written = yaml::write(&spec).expect("a lab can be written");
    assert_eq!(LabSpec::parse("again.yaml", &written).expect("it reads back"), spec);
}

fn cidr() -> impl Strategy<Value = Ipv4Cidr> {
    (any::<u32>(), 0_u8..=32)
        .prop_map(|(bits, prefix)| Ipv4Cidr::new(Ipv4Addr::from_bits(bits), prefix))
}

proptest! {
    #[test]
    fn a_cidr_reads_back(cidr in cidr()) {
        prop_assert_eq!(cidr.to_string().parse::<Ipv4Cidr>(), Ok(cidr));
    }

    #[test]
    fn two_ranges_overlap_when_one_has_an_end_of_the_other(a in cidr(), b in cidr()) {
        let (a, b) = (a.network(), b.network());
        let apart = a.last() < b.address() || b.last() < a.address();
        prop_assert_eq!(a.overlaps(b), !apart);
        prop_assert!(a.contains(a.last()) && a.contains(a.address()));
    }

    #[test]
    fn no_two_hosts_of_a_lab_share_an_address(prefix in 8_u8..=27, nodes in 3_usize..=14) {
        let cidr = Ipv4Cidr::new(Ipv4Addr::new(10, 0, 0, 0), prefix);
        let network = Network { cidr, mtu: 1500, link_rate: None };
        let mut seen = std::collections::BTreeSet::new();
        for address in (0..nodes).map(|node| network.node_address(node))
            .chain((0..GUEST_SLOTS).map(|slot| network.guest_address(slot)))
        {
            prop_assert!(cidr.contains(address));
            prop_assert!(address != cidr.last() && address != cidr.address());
            prop_assert!(seen.insert(address), "{address} twice");
        }
    }
}

/// Mistakes of meaning: a schema knows nothing of what fits what, or of numbers in a text.
const TAKES: &[&str] = &[
    "no_hosts",
    "hosts",
    "host_without_ssh",
    "api",
    "api_of_vagrant",
    "api_without_trust",
    "api_and_ssh_to_some",
    "existing_guest",
    "vagrant",
    "nfs",
    "proxmox_of_namespaces",
    "proxmox_without_proxmox",
    "proxmox",
    "proxmox_key",
    "proxmox_on_hosts",
    "host_bits",
    "too_small",
    "loopback",
    "multicast",
    "overlap",
    "overlap_of_default",
    "link_rate",
    "packages_of_namespaces",
    "proxmox_without_its_kernel",
    "storage_network_of_namespaces",
    "nfs_of_namespaces",
    "storage_is_both",
    "storage_is_neither",
    "storage_root",
];

#[test]
fn mistakes_that_a_schema_can_know_are_refused_by_it() {
    let schema = crate::schema::of::<LabSpec>("lab");
    let of_rest = BAD_REST.iter().map(|(name, rest)| (name, format!("{HEAD}{rest}")));
    let all = BAD.iter().map(|(name, text)| (name, (*text).to_owned())).chain(of_rest);
    let taken = all.filter(|(_, text)| crate::schema::tests::takes(&schema, text));
    assert_eq!(
        taken.map(|(name, _)| *name).collect::<BTreeSet<_>>(),
        TAKES.iter().copied().collect()
    );
    for good in [
        "",
        "qemu: { accelerator: kvm }\n",
        "networks: { guest: { cidr: 10.1.0.0/24, link_rate: unlimited } }\n",
    ] {
        assert!(crate::schema::tests::takes(&schema, &format!("{HEAD}{good}")), "{good}");
    }
}
