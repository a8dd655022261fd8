//! The judgement of a lab: all well, and each fault.

use super::*;
use crate::{link_check::LinkCheck, settings::MigrationNetwork};
use lab::{spec::LabSpec, units::BitRate};
use std::fmt::Write;

const LAB: &str = "
name: three
provider: hosts
hypervisor: qemu
set_up: true
networks:
  storage: {cidr: 10.79.0.0/24, mtu: 9000}
storage: {nfs: {server: node1}}
hosts: {node1: {ssh: a}, node2: {ssh: b}, node3: {ssh: c}}
";

const NODES: [&str; 3] = ["node1", "node2", "node3"];

fn spec() -> LabSpec {
    LabSpec::parse("three.yaml", LAB).expect("a lab")
}

fn way(spec: &LabSpec, network: &str, from: usize, to: usize) -> Way {
    let (_, declared) = spec.networks.all().find(|(name, _)| *name == network).expect("there");
    let carried = declared.link_rate.map_or(9.4e9, |rate| rate.0 as f64 * 0.95);
    Way {
        network: network.to_owned(),
        from: NODES[from].to_owned(),
        device: (network == "migration").then(|| "mig0".to_owned()),
        to: NODES[to].to_owned(),
        address: declared.node_address(to).to_string(),
        mtu: Reading::Measured(declared.mtu),
        round_trip: Some(Reading::Measured(trips(20, 0.2))),
        carried_bits_per_s: Some(Reading::Measured(carried)),
    }
}

fn trips(answered: u32, median_ms: f64) -> RoundTrip {
    RoundTrip { sent: 20, answered, min_ms: median_ms / 2.0, median_ms, max_ms: median_ms * 3.0 }
}

fn facts() -> Facts {
    Facts {
        load: 0.2,
        processors: 4,
        memory_available_bytes: 3 << 30,
        kernel: "6.12.0".to_owned(),
        qemu: Some("10.0.2".to_owned()),
    }
}

/// A lab without a fault.
fn good() -> Measured {
    let spec = spec();
    let ring = [(0, 1), (1, 2), (2, 0)];
    let networks = ["guest", "migration", "storage"];
    let names = |node: usize| (0..3).filter(move |other| *other != node).map(|i| NODES[i]);
    let offset = |offset_ms| Reading::Measured(Offset { offset_ms, error_ms: 0.1 });
    Measured {
        machines: NODES
            .map(|node| Machine { nodes: vec![node.to_owned()], facts: Reading::Measured(facts()) })
            .into(),
        ways: networks
            .iter()
            .flat_map(|network| ring.map(|(from, to)| way(&spec, network, from, to)))
            .collect(),
        storage: (0..3)
            .map(|node| Store {
                node: NODES[node].to_owned(),
                folder: "/srv/shared".to_owned(),
                wrote: Reading::Measured(Wrote { ms: 3.5, free_bytes: 5 << 30 }),
                read: names(node).map(|other| (other.to_owned(), Seen::Same)).collect(),
            })
            .collect(),
        addresses: NODES
            .map(|node| Answered { node: node.to_owned(), taken: Reading::Measured(Vec::new()) })
            .into(),
        clocks: NODES
            .map(|node| Clock {
                node: node.to_owned(),
                first: offset(1.0),
                last: offset(1.1),
                apart_s: 4.0,
            })
            .into(),
        proxmox: None,
    }
}

fn words(findings: &[Finding]) -> String {
    findings.iter().fold(String::new(), |mut text, finding| {
        let Finding { severity, remedy, .. } = finding;
        let _ = writeln!(text, "{severity:?}  {}", finding.words());
        if let Some(remedy) = remedy {
            let _ = writeln!(text, "      remedy: {remedy}");
        }
        text
    })
}

#[test]
fn a_good_lab_has_no_faults() {
    let findings =
        judge(&spec(), &good(), &Needs { memory_bytes: 2 << 30, storage_bytes: 1 << 30 });
    insta::assert_snapshot!("good", words(&findings));
    assert!(findings.iter().all(|finding| finding.severity == Severity::Ok));
    assert!(findings.iter().all(|finding| finding.remedy.is_none()));
}

type Spoil = fn(&mut Measured);

fn way_of<'a>(lab: &'a mut Measured, network: &str) -> &'a mut Way {
    lab.ways.iter_mut().find(|way| way.network == network).expect("there")
}

fn facts_of(lab: &mut Measured) -> &mut Facts {
    match &mut lab.machines[1].facts {
        Reading::Measured(facts) => facts,
        Reading::Failed(why) => panic!("{why}"),
    }
}

fn rate(lab: &mut Measured, carried: f64) {
    way_of(lab, "migration").carried_bits_per_s = Some(Reading::Measured(carried));
}

fn clock(lab: &mut Measured, [first_ms, last_ms]: [f64; 2], error_ms: f64) {
    let offset = |offset_ms| Reading::Measured(Offset { offset_ms, error_ms });
    (lab.clocks[1].first, lab.clocks[1].last) = (offset(first_ms), offset(last_ms));
}

fn failed<T>(why: &str) -> Reading<T> {
    Reading::Failed(why.to_owned())
}

fn take(lab: &mut Measured, node: usize) {
    let address = std::net::Ipv4Addr::new(10, 77, 0, 250);
    let taken = Taken { address, mac: "02:00:00:00:00:07".to_owned() };
    lab.addresses[node].taken = Reading::Measured(vec![taken]);
}

const FAULTS: [(&str, Spoil); 28] = [
    ("an address taken", |lab| (take(lab, 0), take(lab, 2)).0),
    ("addresses not asked for", |lab| lab.addresses[1].taken = failed("Operation not permitted")),
    ("slow link", |lab| rate(lab, 3.1e8)),
    ("unshaped link", |lab| rate(lab, 9.4e9)),
    ("no TCP", |lab| {
        way_of(lab, "guest").carried_bits_per_s = Some(failed("Connection refused"));
    }),
    ("long way", |lab| {
        way_of(lab, "guest").round_trip = Some(Reading::Measured(trips(20, 12.0)));
    }),
    ("a packet lost", |lab| {
        way_of(lab, "guest").round_trip = Some(Reading::Measured(trips(19, 0.2)));
    }),
    ("packets lost", |lab| {
        way_of(lab, "migration").round_trip = Some(Reading::Measured(trips(11, 0.2)));
    }),
    ("no ping", |lab| way_of(lab, "guest").round_trip = Some(failed("Network is down"))),
    ("small packets", |lab| way_of(lab, "storage").mtu = Reading::Measured(1500)),
    ("large packets", |lab| way_of(lab, "migration").mtu = Reading::Measured(9000)),
    ("silent link", |lab| way_of(lab, "migration").mtu = Reading::Measured(0)),
    ("no route", |lab| way_of(lab, "migration").mtu = failed("Network is unreachable")),
    ("read-only storage", |lab| lab.storage[1].wrote = failed("Read-only file system")),
    ("storage not shared", |lab| {
        lab.storage[2].read[0].1 = Seen::Nothing("No such file or directory".to_owned());
    }),
    ("storage mixed up", |lab| lab.storage[2].read[0].1 = Seen::Other),
    ("slow storage", |lab| {
        lab.storage[0].wrote = Reading::Measured(Wrote { ms: 250.0, free_bytes: 5 << 30 });
    }),
    ("full storage", |lab| {
        lab.storage[0].wrote = Reading::Measured(Wrote { ms: 2.5, free_bytes: 1 << 20 });
    }),
    ("vague clock", |lab| clock(lab, [1.0, 1.0], 7.5)),
    ("far clock", |lab| clock(lab, [-3_600_000.0; 2], 0.1)),
    ("running clock", |lab| clock(lab, [1.0, 3.0], 0.1)),
    ("no clock", |lab| lab.clocks[1].last = failed("the agent does not answer")),
    ("busy machine", |lab| facts_of(lab).load = 3.5),
    ("little memory", |lab| facts_of(lab).memory_available_bytes = 1 << 30),
    ("other kernel", |lab| facts_of(lab).kernel = "6.1.0".to_owned()),
    ("other QEMU", |lab| facts_of(lab).qemu = Some("7.2".to_owned())),
    ("no QEMU", |lab| facts_of(lab).qemu = None),
    ("dead node", |lab| lab.machines[2].facts = failed("the connection is closed")),
];

#[test]
fn each_fault_is_found_with_its_remedy() {
    let needs = Needs { memory_bytes: 2 << 30, storage_bytes: 0 };
    let mut text = String::new();
    for (name, spoil) in FAULTS {
        let mut lab = good();
        spoil(&mut lab);
        let mut findings = judge(&spec(), &lab, &needs);
        findings.retain(|finding| finding.severity != Severity::Ok);
        assert!(!findings.is_empty(), "{name} is not found");
        assert!(findings.iter().all(|finding| finding.remedy.is_some()), "{findings:#?}");
        let _ = writeln!(text, "# {name}\n{}", words(&findings));
    }
    insta::assert_snapshot!("faults", text);
}

#[test]
fn rates_are_held_to_their_tolerance() {
    use judge::{Carries, carries};
    let gigabit = BitRate(1_000_000_000);
    for (carried, meant) in [
        (0.0, Carries::Less),
        (0.849e9, Carries::Less),
        (0.851e9, Carries::Enough),
        (1.099e9, Carries::Enough),
        (1.101e9, Carries::More),
    ] {
        assert_eq!(carries(gigabit, carried), meant, "{carried}");
    }
    let link = |set| LinkCheck {
        from: "node1".to_owned(),
        to: "node2".to_owned(),
        network: MigrationNetwork::Dedicated,
        set,
        carried_bits_per_s: 4e8,
    };
    let slow = judge::shaping(&link(Some(gigabit)));
    assert_eq!(slow.words(), "migration rate node1→node2: 400 Mbit/s of 1 Gbit/s");
    assert_eq!(slow.severity, Severity::Fail);
    assert!(slow.remedy.expect("a remedy").contains("experiment's `link_rate`"));
    assert_eq!(judge::shaping(&link(None)).severity, Severity::Ok);
}

#[test]
fn nodes_that_are_this_machine_hold_both_guests_and_have_one_clock() {
    let mut lab = good();
    let nodes = NODES.map(str::to_owned).to_vec();
    lab.machines = vec![Machine { nodes, facts: Reading::Measured(facts()) }];
    lab.clocks.clear();
    let findings = judge(&spec(), &lab, &Needs { memory_bytes: 2 << 30, storage_bytes: 0 });
    let of = |what| findings.iter().find(|finding| finding.what == what).expect("judged");
    assert_eq!(of(What::Memory).severity, Severity::Fail, "3 GiB are not twice 2 GiB");
    assert_eq!(of(What::Clock).measured, "this machine's own");
    assert_eq!(findings.iter().filter(|finding| finding.what == What::Load).count(), 1);
}

#[test]
fn records_name_a_few_faults_in_short() {
    let mut check = LabCheck {
        at: jiff::Timestamp::UNIX_EPOCH,
        seconds: 1.0,
        findings: judge(&spec(), &good(), &Needs::default()),
        measured: good(),
    };
    assert!(check.passed() && check.faults().is_empty());
    let mut slow = judge::shaping(&LinkCheck {
        from: "node1".to_owned(),
        to: "node2".to_owned(),
        network: MigrationNetwork::Shared,
        set: Some(BitRate(1_000_000_000)),
        carried_bits_per_s: 3.1e8,
    });
    check.add(slow.clone());
    assert!(!check.passed());
    assert_eq!(check.findings[0], slow, "the worst is first");
    assert_eq!(check.faults(), ["guest rate node1→node2: 310 Mbit/s of 1 Gbit/s"]);
    slow.measured = "no: a\nlong story ".repeat(100);
    for _ in 0..20 {
        check.add(slow.clone());
    }
    let faults = check.faults();
    assert_eq!(faults.len(), MOST_FAULTS + 1);
    assert_eq!(faults[MOST_FAULTS], "17 more, in the manifest");
    assert!(faults.iter().all(|fault| fault.len() <= MAX_FAULT_BYTES && !fault.contains('\n')));

    let text = serde_json::to_string(&check).expect("JSON");
    assert_eq!(serde_json::from_str::<LabCheck>(&text).expect("read"), check);
}

#[test]
fn a_link_that_only_experiments_shape_may_be_faster() {
    let used_as_they_are = LabSpec { set_up: None, ..spec() };
    let mut lab = good();
    rate(&mut lab, 9.4e9);
    let failing = |spec: &LabSpec| {
        let findings = judge(spec, &lab, &Needs::default());
        findings.iter().filter(|finding| finding.severity == Severity::Fail).count()
    };
    assert_eq!([failing(&used_as_they_are), failing(&spec())], [0, 1]);
}
