//! The judgement of a cluster: all well, and each shortfall with its remedy.

use crate::lab_check::{Finding, Measured, Needs, Severity, judge::judge};
use lab::{
    hypervisor::proxmox::survey::{
        Address, Answer, Capacity, Clock, Cluster, Datacenter, Definition, Guest, Health, Lack,
        NodeSurvey, Refusal, Survey, Versions,
    },
    spec::LabSpec,
};

const LAB: &str = "name: pve
provider: hosts
hypervisor: proxmox
nodes: [pve1, pve2, pve3]
networks: { guest: { cidr: 192.0.2.0/26 }, migration: { cidr: 192.0.2.128/26 } }
proxmox: { api: { user: lab@pve!lab, ca: ca.pem } }
";

const NODES: [&str; 3] = ["pve1", "pve2", "pve3"];

fn node(index: usize) -> NodeSurvey {
    let address = |interface: &str, is_bridge, cidr: String| Address {
        interface: interface.to_owned(),
        is_bridge,
        cidr: Some(cidr),
        active: true,
        mtu: None,
    };
    let capacity =
        Capacity { active: true, enabled: true, shared: true, available_bytes: Some(64 << 30) };
    NodeSurvey {
        name: NODES[index].to_owned(),
        health: Answer::Told(Health {
            manager: "9.1.7".to_owned(),
            kernel: Some("6.17.2-1-pve".to_owned()),
            load: Some(0.3),
            model: "EPYC".to_owned(),
            processors: 8,
            virtualizes: true,
            flags: Default::default(),
            lacks_flags: Vec::new(),
            available_bytes: 20 << 30,
        }),
        versions: Answer::Told(Versions {
            qemu_server: Some("9.1.6".to_owned()),
            qemu: Some("10.1.2".to_owned()),
        }),
        clock: Answer::Told(Clock { offset_s: 0.2, error_s: 0.5, zone: "UTC".to_owned() }),
        interfaces: Answer::Told(vec![
            address("vmbr0", true, format!("192.0.2.1{index}/26")),
            address("eth1", false, format!("192.0.2.14{index}/26")),
        ]),
        storage: Answer::Told(Some(capacity)),
    }
}

/// A cluster without a fault.
fn good() -> Survey {
    Survey {
        who: "lab@pve!lab".to_owned(),
        is_token: true,
        is_root: false,
        cluster: Answer::Told(Cluster {
            name: Some("lab".to_owned()),
            quorate: true,
            online: NODES.map(|node| (node.to_owned(), true)).into(),
        }),
        datacenter: Answer::Told(Datacenter {
            kind: Some("insecure".to_owned()),
            network: Some("192.0.2.128/26".to_owned()),
            limit_bytes_s: None,
        }),
        nodes: (0..3).map(node).collect(),
        definition: Answer::Told(Some(Definition {
            kind: "nfs".to_owned(),
            content: vec!["images".to_owned(), "iso".to_owned()],
            nodes: Vec::new(),
            disabled: false,
        })),
        guests: Answer::Told(Vec::new()),
        sees_all_guests: true,
        lacks: Answer::Told(Vec::new()),
    }
}

fn findings(survey: Survey) -> Vec<Finding> {
    let spec = LabSpec::parse("lab.yaml", LAB).expect("a lab");
    let needs = Needs { memory_bytes: 1 << 30, storage_bytes: 1 << 30 };
    let measured = Measured { proxmox: Some(Answer::Told(survey)), ..Measured::default() };
    judge(&spec, &measured, &needs)
}

fn text(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|it| {
        let remedy = it.remedy.as_ref().map(|remedy| format!("\n    remedy: {remedy}"));
        format!("{:?} {}{}", it.severity, it.words(), remedy.unwrap_or_default())
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn told<T>(answer: &mut Answer<T>) -> &mut T {
    match answer {
        Answer::Told(told) => told,
        Answer::Refused(refusal) => panic!("{refusal:?}"),
    }
}

fn refusal<T>() -> Answer<T> {
    let why = "GET /x: lab@pve!lab may not do this".to_owned();
    Answer::Refused(Refusal { why, hint: Some("grant it".to_owned()) })
}

fn guest(vmid: u32, tagged: bool, ha: Option<&str>) -> Guest {
    Guest {
        vmid,
        name: "guest".to_owned(),
        node: "pve2".to_owned(),
        status: "running".to_owned(),
        tagged,
        in_range: true,
        ha: ha.map(str::to_owned),
        lock: None,
    }
}

#[test]
fn a_cluster_without_a_fault_passes() {
    let findings = findings(good());
    assert!(findings.iter().all(|it| it.severity == Severity::Ok), "{}", text(&findings));
    insta::assert_snapshot!("good", text(&findings));
}

/// A shortfall: its name, and what makes it of a good cluster.
type Shortfall = (&'static str, fn(&mut Survey));

const SHORTFALLS: &[Shortfall] = &[
    ("no quorum", |it| told(&mut it.cluster).quorate = false),
    ("a node is offline", |it| {
        told(&mut it.cluster).online.insert("pve3".to_owned(), false);
    }),
    ("another release", |it| told(&mut it.nodes[1].health).manager = "8.4.1".to_owned()),
    ("other packages", |it| {
        told(&mut it.nodes[1].versions).qemu_server = Some("9.0.2".to_owned());
    }),
    ("too old", |it| {
        for node in &mut it.nodes {
            told(&mut node.versions).qemu_server = Some("7.4.0".to_owned());
        }
    }),
    ("another kernel", |it| told(&mut it.nodes[2].health).kernel = Some("6.8.1".to_owned())),
    ("another processor", |it| told(&mut it.nodes[0].health).model = "Xeon".to_owned()),
    ("fewer flags", |it| told(&mut it.nodes[0].health).lacks_flags = vec!["avx2".to_owned()]),
    ("emulated", |it| told(&mut it.nodes[0].health).virtualizes = false),
    ("no memory", |it| told(&mut it.nodes[0].health).available_bytes = 200 << 20),
    ("busy", |it| told(&mut it.nodes[0].health).load = Some(9.5)),
    ("a clock that nobody keeps", |it| told(&mut it.nodes[1].clock).offset_s = 61.5),
    ("no address", |it| {
        told(&mut it.nodes[1].interfaces).pop();
    }),
    ("two addresses", |it| {
        told(&mut it.nodes[1].interfaces)[0].cidr = Some("192.0.2.129/26".into());
    }),
    ("the interface is down", |it| told(&mut it.nodes[1].interfaces)[1].active = false),
    ("no bridge", |it| {
        told(&mut it.nodes[1].interfaces).remove(0);
    }),
    ("the bridge is down", |it| told(&mut it.nodes[1].interfaces)[0].active = false),
    ("another migration network", |it| told(&mut it.datacenter).network = None),
    ("secure", |it| told(&mut it.datacenter).kind = None),
    ("a limit", |it| told(&mut it.datacenter).limit_bytes_s = Some(100 << 20)),
    ("no storage", |it| *told(&mut it.definition) = None),
    ("no iso", |it| {
        let definition = told(&mut it.definition).as_mut().expect("defined");
        definition.content.retain(|kind| kind != "iso");
    }),
    ("storage is not there", |it| *told(&mut it.nodes[2].storage) = None),
    ("storage is switched off", |it| capacity(it).enabled = false),
    ("storage is not active", |it| capacity(it).active = false),
    ("storage is local", |it| capacity(it).shared = false),
    ("storage is full", |it| capacity(it).available_bytes = Some(1 << 20)),
    ("ids are taken", |it| it.guests = Answer::Told(vec![guest(9900, false, None)])),
    ("leftovers", |it| it.guests = Answer::Told(vec![guest(9901, true, None)])),
    ("HA", |it| it.guests = Answer::Told(vec![guest(9902, true, Some("started"))])),
    ("privileges", |it| {
        let lack = |path: &str, privilege: &str| Lack {
            path: path.to_owned(),
            privileges: vec![privilege.to_owned()],
            purpose: "to work".to_owned(),
        };
        it.lacks = Answer::Told(vec![lack("/", "Sys.Audit"), lack("/vms/9900", "VM.Allocate")]);
    }),
    ("nothing is told of a node", |it| {
        it.nodes[1].health = refusal();
        it.nodes[1].versions = refusal();
    }),
    ("nothing is told", |it| {
        (it.cluster, it.datacenter) = (refusal(), refusal());
        (it.definition, it.guests, it.lacks) = (refusal(), refusal(), refusal());
    }),
];

fn capacity(survey: &mut Survey) -> &mut Capacity {
    told(&mut survey.nodes[2].storage).as_mut().expect("there")
}

#[test]
fn each_shortfall_is_found_with_its_remedy() {
    let mut all = Vec::new();
    for (name, make) in SHORTFALLS {
        let mut survey = good();
        make(&mut survey);
        let bad: Vec<Finding> =
            findings(survey).into_iter().filter(|it| it.severity != Severity::Ok).collect();
        assert!(!bad.is_empty(), "{name} is not found");
        assert!(bad.iter().all(|it| it.remedy.is_some()), "{name}: {}", text(&bad));
        all.push(format!("# {name}\n{}", text(&bad)));
    }
    insta::assert_snapshot!("shortfalls", all.join("\n\n"));
}

#[test]
fn root_may_choose_how_a_migration_goes() {
    let mut survey = good();
    survey.is_root = true;
    told(&mut survey.datacenter).network = None;
    let bad: Vec<Finding> =
        findings(survey).into_iter().filter(|it| it.severity != Severity::Ok).collect();
    assert_eq!(bad.len(), 1, "{}", text(&bad));
    assert_eq!(bad[0].severity, Severity::Warn);
}
