//! The program that the playbook of Proxmox VE asks on nodes whether Proxmox's answers say so, on
//! answers as a real cluster gave them.

use camino::Utf8Path;
use lab::{
    playbook::{Devices, Playbook, context, render},
    process::Command,
    spec::LabSpec,
    yaml,
};

const CLUSTER: &str = r#"[{"id":"cluster","version":3,"name":"lab","type":"cluster","nodes":3,"quorate":1},
    {"type":"node","local":0,"nodeid":2,"ip":"192.0.2.12","level":"","online":1,"name":"pve2","id":"node/pve2"},
    {"ip":"192.0.2.13","nodeid":3,"local":0,"type":"node","id":"node/pve3","level":"","online":0,"name":"pve3"}]"#;
const NO_QUORUM: &str = r#"[{"name":"lab","type":"cluster","nodes":3,"quorate":"0"},
    {"type":"node","name":"pve2","online":"1"}]"#;
const ALONE: &str =
    r#"[{"type":"node","local":1,"nodeid":0,"online":1,"name":"pve1","id":"node/pve1"}]"#;
const OPTIONS: &str = r#"{"allowed-tags":[],"migration":{"network":"192.0.2.0/24","type":"insecure"},"description":""}"#;
const ROLE: &str = r#"{"VM.Migrate":1,"VM.Audit":1,"Sys.Audit":0}"#;
const ACL: &str = r#"[{"path":"/vms","ugid":"precopy-lab@pve","roleid":"PrecopyLab","type":"user","propagate":1},
    {"path":"/","ugid":"a@pve","roleid":"PVEAuditor","type":"user","propagate":1}]"#;

/// Question, name, answer, and whether it says so.
const CASES: &[(&str, &str, &str, bool)] = &[
    ("quorate", "lab", CLUSTER, true),
    ("quorate", "other", CLUSTER, false),
    ("quorate", "lab", NO_QUORUM, false),
    ("quorate", "lab", ALONE, false),
    ("online", "pve2", CLUSTER, true),
    ("online", "pve2", NO_QUORUM, true),
    ("online", "pve3", CLUSTER, false),
    ("online", "lab", CLUSTER, false),
    ("listed", "shared", r#"[{"storage":"local","type":"dir"},{"storage":"shared"}]"#, true),
    ("listed", "shared", r#"[{"storage":"local","type":"shared"}]"#, false),
    ("listed", "lab", r#"[{"tokenid":"lab","privsep":0}]"#, true),
    ("listed", "lab", "[]", false),
    ("active", "", r#"{"active":1,"enabled":1,"total":9}"#, true),
    ("active", "", r#"{"active":"0","enabled":1}"#, false),
    ("active", "", r#"{"enabled":1}"#, false),
    ("migrates", "insecure,192.0.2.0/24", OPTIONS, true),
    ("migrates", "secure,192.0.2.0/24", OPTIONS, false),
    ("migrates", "insecure,192.0.2.0/24", "{}", false),
    ("privileges", "VM.Audit VM.Migrate", ROLE, true),
    ("privileges", "VM.Migrate VM.Audit", ROLE, true),
    ("privileges", "VM.Audit", ROLE, false),
    ("privileges", "Sys.Audit VM.Audit VM.Migrate", ROLE, false),
    ("granted", "precopy-lab@pve", ACL, true),
    ("granted", "a@pve", ACL, false),
    ("unknown", "", "[]", false),
    ("quorate", "lab", "no JSON", false),
    ("quorate", "lab", "", false),
];

fn playbook() -> Playbook {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let spec = LabSpec::read(&root.join("labs/vagrant-proxmox.yaml")).expect("it is good");
    let file = "playbooks-templates/proxmox.yaml.j2";
    let text = yaml::read_text(&root.join(file)).expect("it is there");
    let contexts = context::of(&spec, &vec![Devices::of_vagrant(); spec.nodes.len()]);
    let first = contexts.into_iter().next().expect("a node").with_keyring(b"a keyring");
    render(file, &text, &first.node.name, &first)
        .unwrap_or_else(|e| panic!("{}", e.render(false, 100)))
}

#[test]
fn answers_are_understood() {
    let playbook = playbook();
    let mut files = playbook.steps.iter().flat_map(|step| &step.files);
    let program = files.find(|file| file.path.ends_with("answer")).expect("there is one");
    for (question, name, answer, yes) in CASES {
        let ask = Command::new("perl").args(["-e", &program.content, question, name]);
        let says = ask.stdin(*answer).run().is_ok();
        assert_eq!(says, *yes, "{question} {name}: {answer}");
    }
}

#[test]
fn what_waits_says_what_it_waited_for() {
    let playbook = playbook();
    let mut files = playbook.steps.iter().flat_map(|step| &step.files);
    let within = &files.find(|file| file.path.ends_with("within")).expect("there is one").content;
    let wait = |args: &[&str]| Command::new("sh").args(["-c", within, "within"]).args(args).run();
    wait(&["5", "true"]).expect("it is so");
    let error = wait(&["0", "sh", "-c", "echo still down; false"]).expect_err("it never is");
    let error = error.to_string();
    assert!(error.contains("not within 0 s: sh -c") && error.contains("still down"), "{error}");
}
