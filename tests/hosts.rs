//! A lab of machines that are reached by SSH, as a user works with it.

use crate::support::{Sandbox, build, lax, machines::Machines};
use serde_json::Value;

/// The guest network's address on a bridge, as on a hypervisor.
fn machine(number: usize) -> String {
    format!(
        "ip link add vmbr0 type bridge; ip link set lan0 master vmbr0
         ip tuntap add dev guest0 mode tap; ip link set guest0 master vmbr0 up
         ip addr add 10.77.0.{number}/24 dev vmbr0; ip link set vmbr0 up
         ip addr add 10.78.0.{number}/24 dev mig0"
    )
}

#[tokio::test]
async fn machines_that_are_reached_by_ssh_make_a_lab() {
    // It may take longer than a command of this test may.
    build::build().expect("built");
    let sandbox = Sandbox::new();
    let Some(mut machines) = Machines::up(&sandbox, machine).await else { return };
    let lab = machines.lab("owned", "", "");
    let on = |lab: &str, args: &[&str]| {
        let (command, rest) = args.split_first().expect("a command");
        sandbox.start(&[&[*command, "--lab", lab], rest].concat()).end()
    };
    let on_lab = |args: &[&str]| on(lab.as_str(), args);

    let networks = "networks: { migration: { cidr: 10.99.0.0/24 } }\n";
    let elsewhere = machines.lab("elsewhere", "", networks);
    let refused = on(elsewhere.as_str(), &["lab-up"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    let words = "node2: it has no address in the migration network 10.99.0.0/24";
    assert!(refused.stderr.contains(words), "{refused:?}");
    assert!(refused.stderr.contains("10.78.0.2 (mig0)"), "{refused:?}");
    on(elsewhere.as_str(), &["lab-down"]);

    // Of a lab that is not up, the machines are told, and nothing is put there.
    let status = on_lab(&["lab-status"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    for words in ["the lab `owned` is not up", "10.77.0.2 by lan0", "10.78.0.3 by mig0"] {
        assert!(status.stdout.contains(words), "no `{words}`: {status:?}");
    }
    machines.assert_no_files();
    let preview = on_lab(&["lab-up", "--dry-run"]);
    assert!(preview.stdout.contains("change nothing else: `set_up` is off"), "{preview:?}");

    let up = on_lab(&["lab-up"]);
    assert_eq!(up.code, Some(0), "{up:?}");
    assert!(up.stdout.contains("the lab `owned` is up: node1, node2, node3"), "{up:?}");
    let again = on_lab(&["lab-up"]);
    assert!(again.stdout.contains("is up already"), "{again:?}");
    assert!(!machines.on(0, "tc qdisc show").contains("tbf"), "`set_up` is off");

    let addresses = on_lab(&["lab-exec", "node3", "--", "ip", "-br", "address"]);
    assert_eq!(addresses.code, Some(0), "{addresses:?}");
    assert!(addresses.stdout.contains("10.77.0.3/24"), "{addresses:?}");
    let ended = on_lab(&["lab-exec", "node1", "--", "sh", "-c", "echo no >&2; exit 7"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(7), "no\n"), "{ended:?}");
    let missing = on_lab(&["lab-exec", "node1", "--", "no-such-program"]);
    assert_eq!(missing.code, Some(127), "{missing:?}");

    // A machine that cannot be reached is told, and nothing is half taken down.
    machines.stop(2);
    let status = on_lab(&["lab-status"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    assert!(status.stdout.contains("lost: node3 cannot be looked at"), "{status:?}");
    assert!(status.stdout.contains("10.77.0.1  lan0"), "{status:?}");
    let json = on_lab(&["lab-status", "--json"]);
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(json["details"]["unreachable"][0]["name"], "node3", "{json}");
    assert_eq!(json["details"]["nodes"][1]["guest_device"], "lan0", "{json}");
    let lost = on_lab(&["lab-down"]);
    assert_eq!(lost.code, Some(4), "{lost:?}");
    assert!(lost.stderr.contains("node3"), "{lost:?}");
    machines.start(2).await;

    let down = on_lab(&["lab-down"]);
    assert_eq!(down.code, Some(0), "{down:?}");
    assert!(down.stdout.contains("the lab `owned` is down"), "{down:?}");
    let again = on_lab(&["lab-down"]);
    assert!(again.stdout.contains("was not up"), "{again:?}");
    machines.assert_no_files();
    drop(machines);
    sandbox.assert_nothing_left();
}

/// A migration over the guest network is shaped where it leaves the machine, and so is what guests
/// send; a neighbour who has an address of guests ends an experiment before it begins.
#[tokio::test]
async fn links_are_shaped_where_they_leave_and_guests_addresses_are_free() {
    build::build().expect("built");
    let sandbox = Sandbox::new();
    let Some(machines) = Machines::up(&sandbox, machine).await else { return };
    let lab = machines.lab("shaped", "", "");
    let experiment = sandbox.file(
        "shared.yaml",
        &lax("name: shared\nreplicates: 1\nfactors:\n  memory: 128 MiB\n  working_set: 8 MiB\n  \
             touch_rate: 1000 pages/s\n  link_rate: 400 Mbit/s\n  network: shared\n"),
    );
    let run = || {
        let (runs, baselines) = (sandbox.runs(), sandbox.baselines());
        let folders = ["--out", runs.as_str(), "--baselines", baselines.as_str()];
        let args = ["experiment", experiment.as_str(), "--lab", lab.as_str(), "--json"];
        sandbox.start(&[&args, &folders[..]].concat())
    };
    sandbox.start(&["lab-up", "--lab", lab.as_str()]).succeed();

    machines.on_switch("ip addr add 10.77.0.250/24 dev guest");
    let mac = machines.on_switch("ip -o link show guest | sed 's/.*ether \\([^ ]*\\).*/\\1/'");
    let taken = format!("10.77.0.250 is taken by {}", mac.trim());
    let check = sandbox.start(&["lab-check", "--lab", lab.as_str()]).end();
    assert_eq!(check.code, Some(4), "{check:?}");
    assert!(check.stdout.contains(&taken), "{check:?}");
    let refused = run().end();
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains(&taken), "{refused:?}");
    machines.on_switch("ip addr del 10.77.0.250/24 dev guest");
    let check = sandbox.start(&["lab-check", "--lab", lab.as_str(), "--json"]).end();
    let check: Value = serde_json::from_str(&check.stdout).expect("JSON");
    let findings = check["check"]["findings"].as_array().expect("findings");
    let addresses = findings.iter().find(|it| it["what"] == "guest_addresses").expect("asked");
    assert_eq!(addresses["severity"], "ok", "{addresses}");

    assert!(!sandbox.runs().exists(), "a refused run is none");
    run().succeed();
    let checks = sandbox.run().manifest().expect("a manifest").link_checks;
    let carried = checks[0].carried_bits_per_s;
    assert!(carried < 440e6, "{carried} bit/s of 400 Mbit/s");
    let records = sandbox.run().records().expect("read").records;
    assert_eq!(records.len(), 1);
    // What experiments shape they leave as it was.
    let shaped = machines.on(0, "tc qdisc show");
    assert!(!shaped.contains("tbf"), "{shaped}");

    // What a killed one leaves, `lab-down` takes away, and nothing else.
    machines
        .on(1, "tc qdisc replace dev lan0 root handle 7063: tbf rate 1mbit burst 16kb limit 64kb");
    machines.on(1, "tc qdisc replace dev mig0 root handle 9: tbf rate 1mbit burst 16kb limit 64kb");
    sandbox.start(&["lab-down", "--lab", lab.as_str()]).succeed();
    let left = machines.on(1, "tc qdisc show");
    assert!(!left.contains("7063:") && left.contains("qdisc tbf 9: dev mig0"), "{left}");
    machines.assert_no_files();
    drop(machines);
    sandbox.assert_nothing_left();
}
