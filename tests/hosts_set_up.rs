//! Machines that one already has, set up by a playbook: a small one, so that a test installs nothing.

use crate::support::{Sandbox, build, machines::Machines};

/// What the shipped playbook of `qemu` makes, as far as namespaces have it.
const PLAYBOOK: &str = r#"
name: small
steps:
  - name: file
    files:
      - path: /etc/precopy-lab-test
        mode: "0644"
        content: |
          {{ node.name }} {{ node.guest_address }} {{ node.migration_address }}
    check: 'true'
    action: 'true'
  - name: network
    check: |
      ip -4 -o address show dev {{ node.guest_bridge }} | grep -qwF {{ node.guest_address }}
      ip -4 -o address show dev {{ node.migration_device }} | grep -qwF {{ node.migration_address }}
    action: |
      ip link add {{ node.guest_bridge }} type bridge
      ip link set {{ node.guest_device }} master {{ node.guest_bridge }}
      ip tuntap add dev {{ node.tap }} mode tap
      ip link set {{ node.tap }} master {{ node.guest_bridge }} up
      ip address flush dev {{ node.guest_device }}
      ip address add {{ node.guest_address }}/{{ lab.networks.guest.cidr | prefix }} dev {{ node.guest_bridge }}
      ip link set {{ node.guest_bridge }} up
      ip address add {{ node.migration_address }}/{{ lab.networks.migration.cidr | prefix }} dev {{ node.migration_device }}
"#;

/// An address in the guest network, other than the lab file would give; none for migrations.
fn machine(number: usize) -> String {
    format!("ip addr add 10.77.0.2{number}/24 dev lan0")
}

#[tokio::test]
async fn machines_are_set_up_as_the_lab_file_says_and_told_so() {
    build::build().expect("built");
    let sandbox = Sandbox::new();
    let Some(machines) = Machines::up(&sandbox, machine).await else { return };
    let playbooks = sandbox.path().join("playbooks");
    std::fs::create_dir(&playbooks).expect("made");
    sandbox.file("playbooks/qemu.yaml.j2", PLAYBOOK);
    let environment = [("PRECOPY_LAB_PLAYBOOKS", playbooks.as_str())];
    let on = |lab: &str, args: &[&str]| {
        let (command, rest) = args.split_first().expect("a command");
        sandbox.start_with(&[&[*command, "--lab", lab], rest].concat(), &environment).end()
    };

    // A card that is not named is asked for, and nothing has been changed by then.
    let unnamed = machines.lab("unnamed", "", "set_up: true\n");
    let refused = on(unnamed.as_str(), &["lab-up"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    let words = "node2: it has no address in the migration network 10.78.0.0/24 yet";
    assert!(refused.stderr.contains(words), "{refused:?}");
    assert!(refused.stderr.contains("name it as `hosts.node2.devices.migration`; its cards"));
    on(unnamed.as_str(), &["lab-down"]);
    // Nor is the card by which a machine reaches the world taken.
    machines.on(1, "ip route add default via 10.77.0.1");
    let lab = machines.lab("set-up", ", devices: { migration: mig0 }", "set_up: true\n");
    let on_lab = |args: &[&str]| on(lab.as_str(), args);
    let refused = on_lab(&["lab-up"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains("node2: `set_up` would configure its card `lan0`"));
    assert!(refused.stderr.contains("the machine's default route leads over it"), "{refused:?}");
    machines.on(1, "ip route del default; test ! -e /etc/precopy-lab-test");
    on_lab(&["lab-down"]);

    let preview = on_lab(&["lab-up", "--dry-run"]);
    assert_eq!(preview.code, Some(0), "{preview:?}");
    for words in [
        "node2: 10.77.0.22 on lab0 over lan0 for guests, 10.78.0.2 on mig0 for migrations",
        "nothing takes that back",
        "/etc/precopy-lab-test",
    ] {
        assert!(preview.stdout.contains(words), "no `{words}`: {preview:?}");
    }
    machines.on(1, "test ! -e /etc/precopy-lab-test; ! ip link show lab0 2>&1");
    machines.assert_no_files();

    let up = on_lab(&["lab-up"]);
    assert_eq!(up.code, Some(0), "{up:?}");
    assert!(up.stderr.contains("nothing takes that back"), "{up:?}");
    assert_eq!(machines.on(1, "cat /etc/precopy-lab-test"), "node2 10.77.0.22 10.78.0.2\n");
    assert!(!std::path::Path::new("/etc/precopy-lab-test").exists(), "this machine's own /etc");
    let status = on_lab(&["lab-status"]);
    assert!(status.stdout.contains("10.77.0.22  lan0"), "under the bridge: {status:?}");
    let shaped = machines.on(1, "tc qdisc show dev mig0");
    assert!(shaped.contains("qdisc tbf 7063: root") && shaped.contains("rate 1Gbit"), "{shaped}");

    // Up already, and as its file says: looked at, and nothing acts.
    machines.on(1, "ip address del 10.78.0.2/24 dev mig0");
    let again = on_lab(&["lab-up"]);
    assert_eq!(again.code, Some(4), "a bridge cannot be made twice: {again:?}");
    assert!(again.stderr.contains("node2") && again.stderr.contains("network"), "{again:?}");
    machines.on(1, "ip address add 10.78.0.2/24 dev mig0");
    let again = on_lab(&["lab-up"]);
    assert_eq!(again.code, Some(0), "{again:?}");

    let down = on_lab(&["lab-down"]);
    assert_eq!(down.code, Some(0), "{down:?}");
    assert!(down.stderr.contains("what setting up made on node1, node2, node3 stays"), "{down:?}");
    machines.on(1, "test -e /etc/precopy-lab-test; ip link show lab0");
    assert!(!machines.on(1, "tc qdisc show").contains("tbf"));
    machines.assert_no_files();
    drop(machines);
    sandbox.assert_nothing_left();
}
