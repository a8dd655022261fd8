use super::*;

const BRIDGE: &str = include_str!("testdata/bridge.json");

fn links_of(rest: &str) -> String {
    let hosts = "hosts: {node1: {ssh: a}, node2: {ssh: b}, node3: {ssh: c}}\n";
    let text = format!("name: a\nprovider: hosts\nhypervisor: qemu\n{hosts}{rest}");
    let spec = LabSpec::parse("lab.yaml", &text).expect("good");
    match links(&spec, "node1", &devices::parse(BRIDGE).expect("understood")) {
        Ok(links) => format!("{links:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn links_are_found_by_addresses() {
    let found = links_of("");
    assert_eq!(
        found,
        "Links { guest_address: 10.77.0.1, guest_device: \"eth1\", migration_address: 10.78.0.1, \
         migration_device: \"eth2\", storage: None }"
    );
    let storage = links_of("networks: {storage: {cidr: 10.79.0.0/24}}\n");
    assert!(storage.starts_with("it has no address in the storage network 10.79.0.0/24\n"));
    assert!(storage.contains("127.0.0.1 (lo), 10.78.0.1 (eth2), 10.77.0.1 (vmbr0)"), "{storage}");
}

#[test]
fn an_address_of_guests_is_no_nodes() {
    let mut spec =
        LabSpec::parse("lab.yaml", "name: a\nprovider: netns\nhypervisor: qemu\n").expect("good");
    let address = "10.77.0.239".parse().expect("an address");
    let error = not_a_guests(&spec, address).expect_err("a guest's").to_string();
    assert!(error.contains("10.77.0.239 is one of the 16 highest"), "{error}");
    not_a_guests(&spec, "10.77.0.238".parse().expect("an address")).expect("below them");
    spec.networks.guest.cidr = "10.77.0.0/16".parse().expect("a range");
    not_a_guests(&spec, address).expect("in the middle");
}
