//! The committed schemas: they are what the types say now, and what is shipped names them and
//! keeps to them, by a validator that shares nothing with the generator.

use harness::schemas::{FOLDER, Kind};
use lab::yaml;
use serde_json::Value;
use std::{fs, path::PathBuf};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The shipped files of a kind: path and text. Playbooks are templates, and checked rendered
/// (`lab/tests/playbooks.rs`).
fn shipped(folder: &str, ending: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(repository().join(folder)).expect(folder);
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let files: Vec<_> = paths
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).expect("text")))
        .collect();
    assert!(!files.is_empty(), "nothing in {folder}");
    files
}

/// What is wrong with a text by the committed schema; `None` when nothing is.
fn refusal(kind: Kind, name: &str, text: &str) -> Option<String> {
    let file = yaml::parse::<Value>(name, text).unwrap_or_else(|report| panic!("{report}"));
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    let committed = serde_json::from_str(&committed(kind)).expect("JSON");
    compiler.add_resource("it.json", committed).expect("a resource");
    let index = compiler.compile("it.json", &mut schemas).expect("a schema");
    schemas.validate(&file.value, index).err().map(|error| error.to_string())
}

fn committed(kind: Kind) -> String {
    let path = repository().join(FOLDER).join(kind.file_name());
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn committed_schemas_are_what_the_types_say() {
    for kind in Kind::ALL {
        let now = kind.text();
        assert!(
            committed(kind) == now,
            "{} is not what the types say now: `cargo xtask schema --write`",
            kind.file_name()
        );
    }
}

#[test]
fn what_is_shipped_keeps_to_its_schema_and_names_it() {
    for (kind, folder, ending) in [
        (Kind::Lab, "labs", ".yaml"),
        (Kind::Experiment, "experiments", ".yaml"),
        (Kind::Playbook, "playbooks-templates", ".yaml.j2"),
    ] {
        for (path, text) in shipped(folder, ending) {
            let first = text.lines().next();
            assert_eq!(first, Some(kind.mention().as_str()), "first line of {path}");
            if kind != Kind::Playbook {
                assert_eq!(refusal(kind, &path, &text), None, "{path}");
            }
        }
    }
}

#[test]
fn no_schema_takes_another_kinds_files() {
    let lab = &shipped("labs", ".yaml")[0].1;
    let experiment = &shipped("experiments", ".yaml")[0].1;
    for (kind, text) in [(Kind::Lab, experiment), (Kind::Experiment, lab), (Kind::Playbook, lab)] {
        assert!(refusal(kind, "file", text).is_some(), "{kind:?}");
    }
}

/// Every property of every mapping says what it is, so that editors can.
#[test]
fn every_key_is_described() {
    fn undescribed(schema: &Value, path: &str, found: &mut Vec<String>) {
        let Some(fields) = schema.as_object() else { return };
        for (key, value) in fields {
            let path = format!("{path}/{key}");
            if key == "properties" {
                for (name, property) in value.as_object().into_iter().flatten() {
                    if property["description"].as_str().is_none_or(str::is_empty) {
                        found.push(format!("{path}/{name}"));
                    }
                }
            }
            match value {
                Value::Array(items) => {
                    items.iter().for_each(|item| undescribed(item, &path, found));
                }
                _ => undescribed(value, &path, found),
            }
        }
    }
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let schema = kind.schema();
        assert_eq!(schema["additionalProperties"], false, "{kind:?} takes unknown keys");
        undescribed(&schema, kind.name(), &mut found);
    }
    assert!(found.is_empty(), "{found:#?}");
    undescribed(&serde_json::json!({ "properties": { "a": {} } }), "it", &mut found);
    assert_eq!(found, ["it/properties/a"], "the rule itself");
}
