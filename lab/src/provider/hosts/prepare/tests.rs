use super::*;

const BRIDGE: &str = "lab0";

/// A machine reached by `eno1`, its management network; in the form of `ip`, with fewer fields.
fn machine(cards: &str, routes: &str, ssh: &str) -> Machine {
    let said = format!(
        r#"[{{"ifname":"lo","addr_info":[{{"local":"127.0.0.1","prefixlen":8,"scope":"host"}}]}},
        {{"ifname":"eno1","addr_info":[{{"local":"198.51.100.7","prefixlen":24,"scope":"global"}},
            {{"local":"fe80::1","prefixlen":64,"scope":"link"}}]}},
        {cards}]

---
[{{"dst":"default","gateway":"198.51.100.1","dev":"eno1"}}{routes}]

---
[]

---
{ssh}
"#
    );
    Machine::parse(&said).expect("understood")
}

const TWO_CARDS: &str = r#"
    {"ifname":"eno2","addr_info":[{"local":"10.77.0.21","prefixlen":24,"scope":"global"},
        {"local":"fe80::2","prefixlen":64,"scope":"link"}]},
    {"ifname":"eno3","addr_info":[]}"#;

fn links(machine: &Machine, devices: &str, rest: &str) -> String {
    let text = format!(
        "name: a\nprovider: hosts\nhypervisor: qemu\nset_up: true\nhosts:\n  node1: {{ssh: a}}\n  \
         node2: {{ssh: b{devices}}}\n  node3: {{ssh: c}}\n{rest}"
    );
    let spec = LabSpec::parse("lab.yaml", &text).expect("good");
    match machine.links(&spec, 1, BRIDGE) {
        Ok(Links { guest_address, guest_device, migration_address, migration_device, .. }) => {
            format!("{guest_address} {guest_device}, {migration_address} {migration_device}")
        }
        Err(error) => error.to_string(),
    }
}

const NAMED: &str = ", devices: {migration: eno3}";

#[test]
fn addresses_that_are_there_stay_and_named_cards_get_theirs() {
    let machine = machine(TWO_CARDS, "", "198.51.100.7");
    assert_eq!(links(&machine, NAMED, ""), "10.77.0.21 eno2, 10.78.0.2 eno3");
    insta::assert_snapshot!("no_card", links(&machine, "", ""));
    insta::assert_snapshot!("no_such", links(&machine, ", devices: {migration: eth9}", ""));
    insta::assert_snapshot!(
        "elsewhere",
        links(&machine, ", devices: {guest: eno3, migration: eno1}", "")
    );
}

#[test]
fn a_machine_that_was_set_up_is_found_so() {
    let cards = r#"
        {"ifname":"lab0","linkinfo":{"info_kind":"bridge"},
            "addr_info":[{"local":"10.77.0.21","prefixlen":24,"scope":"global"}]},
        {"ifname":"guest0","master":"lab0","linkinfo":{"info_kind":"tun"},"addr_info":[]},
        {"ifname":"eno2","master":"lab0","addr_info":[]},
        {"ifname":"eno3","addr_info":[{"local":"10.78.0.2","prefixlen":24,"scope":"global"}]}"#;
    let expected = "10.77.0.21 eno2, 10.78.0.2 eno3";
    let machine = machine(cards, "", "198.51.100.7");
    assert_eq!(links(&machine, "", ""), expected);
    assert_eq!(links(&machine, ", devices: {guest: eno2}", ""), expected);
}

#[test]
fn what_a_machine_lives_by_is_not_taken() {
    let refused = |cards: &str, routes: &str, ssh: &str| {
        let error = links(&machine(cards, routes, ssh), NAMED, "");
        assert!(error.ends_with(BY_HAND), "{error}");
        error.split("\n\n").next().expect("a line").to_owned()
    };
    let guest = |cards: &str| refused(cards, "", "198.51.100.7");
    let eno3 = r#"{"ifname":"eno3","addr_info":[]}"#;
    let other = r#"{"ifname":"eno2","addr_info":[{"local":"10.77.0.21","prefixlen":24},{"local":"192.0.2.1","prefixlen":24}]},"#;
    let upon =
        r#"{"ifname":"eno2.5","link":"eno2","linkinfo":{"info_kind":"vlan"},"addr_info":[]},"#;
    let bridge = r#"{"ifname":"vmbr0","linkinfo":{"info_kind":"bridge"},"addr_info":[{"local":"10.77.0.21","prefixlen":24}]},"#;
    let part = TWO_CARDS.replace(r#""eno3","#, r#""eno3","master":"br7","#);
    let reasons = [
        refused(TWO_CARDS, "", "10.77.0.21"),
        refused(TWO_CARDS, r#",{"dst":"10.0.0.0/8","gateway":"10.77.0.1","dev":"eno2"}"#, ""),
        refused(TWO_CARDS, r#",{"dst":"default","nexthops":[{"dev":"eno3"}]}"#, ""),
        guest(&format!("{other}{eno3}")),
        guest(&format!("{upon}{TWO_CARDS}")),
        guest(&format!("{bridge}{eno3}")),
        guest(&part),
    ];
    insta::assert_snapshot!("refused", reasons.join("\n"));
    // A route to the network itself is what the address is for.
    let own = r#",{"dst":"10.77.0.0/24","dev":"eno2","prefsrc":"10.77.0.21"}"#;
    let machine = machine(TWO_CARDS, own, "");
    assert_eq!(links(&machine, NAMED, ""), "10.77.0.21 eno2, 10.78.0.2 eno3");
    insta::assert_snapshot!(
        "prefix",
        links(&machine, NAMED, "networks: {guest: {cidr: 10.77.0.0/26}}\n")
    );
}
