//! The shipped playbooks, rendered for the shipped labs.

use camino::{Utf8Path, Utf8PathBuf};
use lab::{
    playbook::{Context, Devices, On, PROXMOX_FINGERPRINT, Playbook, context, render},
    process::{Command, find},
    spec::{HypervisorKind, LabSpec, Provider},
    yaml,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Labs that no file has: a storage network is missing, the server is not the first node, the
/// MTUs differ.
const OTHERS: [(&str, &str); 2] = [
    (
        "server_is_last",
        "name: other\nprovider: vagrant\nhypervisor: qemu\nnodes: [a, b, c]\nnetworks:\n  \
         guest: { cidr: 192.0.2.0/25, mtu: 1400 }\n  migration: { cidr: 198.51.100.0/24, mtu: 9000 }\n\
         storage: { nfs: { server: c, export: /srv/a, mount: /srv/b } }\n",
    ),
    (
        "directory",
        "name: other\nprovider: vagrant\nhypervisor: qemu\nstorage: { directory: /mnt/all }\n\
         qemu: { binary: /opt/qemu/bin/qemu-system-x86_64 }\n",
    ),
];

fn repository() -> &'static Utf8Path {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace")
}

fn files(folder: &str, end: &str) -> Vec<Utf8PathBuf> {
    let folder = repository().join(folder);
    let entries =
        folder.read_dir_utf8().expect("it is there").map(|entry| entry.expect("readable"));
    let mut files: Vec<_> = entries
        .map(|entry| entry.into_path())
        .filter(|path| path.as_str().ends_with(end))
        .collect();
    files.sort();
    files
}

/// Every lab that a playbook sets up, by a short name.
fn labs() -> Vec<(String, LabSpec)> {
    let shipped = files("labs", ".yaml").into_iter().map(|path| {
        let spec = LabSpec::read(&path).expect("a shipped lab is good");
        (path.file_stem().expect("a name").to_owned(), spec)
    });
    let others = OTHERS.map(|(name, text)| {
        (name.to_owned(), LabSpec::parse(name, text).unwrap_or_else(|e| panic!("{name}: {e}")))
    });
    shipped.chain(others).filter(|(_, spec)| spec.provider == Provider::Vagrant).collect()
}

/// The playbooks of a lab's nodes, and the template's text.
fn template(spec: &LabSpec) -> (String, String) {
    let file = format!("playbooks-templates/{}.yaml.j2", spec.hypervisor);
    let text = yaml::read_text(&repository().join(&file)).expect("there is one for each stack");
    (file, text)
}

fn contexts(spec: &LabSpec) -> Vec<Context<'_>> {
    let contexts = context::of(spec, &vec![Devices::of_vagrant(); spec.nodes.len()]);
    contexts.into_iter().map(|context| context.with_keyring(b"a keyring")).collect()
}

fn playbooks(spec: &LabSpec) -> Vec<Playbook> {
    let (file, text) = template(spec);
    let contexts = contexts(spec);
    let rendered = contexts.iter().map(|context| render(&file, &text, &context.node.name, context));
    rendered
        .map(|playbook| playbook.unwrap_or_else(|e| panic!("{}", e.render(false, 100))))
        .collect()
}

#[test]
fn every_stack_has_a_playbook_that_fits_every_lab() {
    for (name, spec) in labs() {
        let playbooks = playbooks(&spec);
        let names = |playbook: &Playbook| -> Vec<_> {
            playbook.steps.iter().map(|step| (step.name.clone(), step.on, step.order)).collect()
        };
        assert!(playbooks.iter().all(|other| names(other) == names(&playbooks[0])), "{name}");
        for (node, playbook) in spec.nodes.iter().zip(&playbooks) {
            let shown = yaml::write(playbook).expect("it can be written");
            keeps_to_its_schema(&shown);
            insta::assert_snapshot!(format!("{name}_{node}"), shown);
        }
    }
}

/// By a validator that shares nothing with the schema's generator.
fn keeps_to_its_schema(text: &str) {
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    let schema = lab::schema::of::<Playbook>("playbook");
    compiler.add_resource("it.json", schema).expect("a resource");
    let index = compiler.compile("it.json", &mut schemas).expect("a schema");
    let file = yaml::parse("playbook.yaml", text).unwrap_or_else(|report| panic!("{report}"));
    schemas.validate(&file.value, index).unwrap_or_else(|error| panic!("{error}\n{text}"));
}

/// Each script of a playbook with its name.
fn scripts(playbook: &Playbook) -> Vec<(String, &str)> {
    let scripts = playbook.steps.iter().flat_map(|step| {
        [("check", &step.check), ("action", &step.action), ("verify", &step.verify)]
            .into_iter()
            .filter_map(|(kind, script)| {
                Some((format!("{}.{kind}", step.name), script.as_deref()?))
            })
    });
    scripts.collect()
}

#[test]
fn shellcheck_finds_nothing_in_any_script() {
    if find("shellcheck").is_none() {
        eprintln!("left out: shellcheck is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut all = BTreeMap::new();
    for (name, spec) in labs() {
        for (node, playbook) in spec.nodes.iter().zip(&playbooks(&spec)) {
            for (script, text) in scripts(playbook) {
                all.entry(text.to_owned()).or_insert_with(|| format!("{name}.{node}.{script}"));
            }
            let files = playbook.steps.iter().flat_map(|step| &step.files);
            for file in files.filter(|file| file.content.starts_with("#!/bin/sh\n")) {
                let path = file.path.as_str().replace('/', ".");
                all.entry(file.content.clone()).or_insert_with(|| format!("{name}.{node}.{path}"));
            }
        }
    }
    assert!(all.len() > 20, "only {} scripts", all.len());
    for (text, name) in &all {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    let check = Command::new("shellcheck").args(["-s", "bash", "-f", "gcc", "--"]);
    let check = check.args(all.into_values()).cwd(folder.path()).accept_exit(1);
    let found = check.run().expect("shellcheck runs").text();
    assert!(found.is_empty(), "{found}");
}

/// Every text of a context, made such that no shell would read it as one word by itself.
fn hostile(value: &mut Value) {
    match value {
        Value::String(text) if text.split_once('/').is_some_and(|(_, prefix)| prefix.len() < 3) => {
        }
        Value::String(text) => text.push_str(" 'a\" $(exit 3) `exit 3` #\\"),
        Value::Array(values) => values.iter_mut().for_each(hostile),
        Value::Object(values) => values.values_mut().for_each(hostile),
        _ => {}
    }
}

#[test]
fn no_value_stands_inside_of_quotes() {
    for (name, spec) in labs() {
        let (file, text) = template(&spec);
        for context in contexts(&spec) {
            let mut value = serde_json::to_value(&context).expect("it can be written");
            hostile(&mut value);
            let playbook = render(&file, &text, "any node", &value)
                .unwrap_or_else(|error| panic!("{name}: {}", error.render(false, 100)));
            for (script, text) in scripts(&playbook) {
                let checked = Command::new("bash").args(["-n", "-c", text]).run();
                checked.unwrap_or_else(|error| panic!("{name} {script}: {error}"));
            }
        }
    }
}

#[test]
fn what_is_for_one_node_only_is_for_the_first() {
    // Were a step only for the first node in one lab and the storage's server another node, it
    // would not do what it should.
    for (_, spec) in labs() {
        for playbook in playbooks(&spec) {
            let storage = |step: &&lab::playbook::Step| step.name.starts_with("storage");
            assert!(playbook.steps.iter().filter(storage).all(|step| step.on == On::All));
        }
    }
}

#[test]
fn a_cluster_leaves_the_fingerprint_that_its_client_expects() {
    let proxmox = labs().into_iter().filter(|(_, spec)| spec.hypervisor == HypervisorKind::Proxmox);
    let playbooks: Vec<_> = proxmox.flat_map(|(_, spec)| playbooks(&spec)).collect();
    assert!(!playbooks.is_empty());
    for playbook in playbooks {
        let collected = playbook.steps.iter().flat_map(|step| &step.collect);
        let kept = collected.filter(|it| it.path.as_str() == PROXMOX_FINGERPRINT).count();
        assert_eq!(kept, 1);
    }
}
