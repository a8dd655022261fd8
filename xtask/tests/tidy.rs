//! The invariants of ARCHITECTURE.md that a test can hold: what is deliberately absent stays so.
//!
//! Looks at the sources as text. Each rule has a helper that takes a text, so that the rule itself
//! is tried on a text that breaks it: a rule that never bites is no rule.

#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/tree.rs"]
mod tree;

use imports::{names_the_systems_command, outside, paths_of};
use lab::process::Command;
use std::collections::BTreeSet;
use tree::{File, files, read, rust_files};

/// Longest Rust file, lines.
const MOST_LINES: usize = 400;

/// Files that may start processes by the system's own means.
const STARTERS: [&str; 6] = [
    "lab/src/process.rs",
    "lab/src/process/conversation.rs",
    "lab/src/process/wait.rs",
    "lab/src/provider/netns/supervisor.rs",
    "lab/src/provider/netns/up.rs",
    "observer/src/agent/spawn.rs",
];

/// Files that may sleep, each with what for.
const SLEEPERS: [(&str, &str); 1] =
    [("lab/src/hypervisor/qemu/migration.rs", "`sleep_until` is the deadline `max_time`")];

/// Hosts that tracked files may name; all of them are public, none is a mirror.
const HOSTS: [&str; 13] = [
    // Every machine itself.
    "127.0.0.1",
    "bixense.com",
    "download.proxmox.com",
    "embarkstudios.github.io",
    "enterprise.proxmox.com",
    "github.com",
    "json-schema.org",
    "keepachangelog.com",
    "no-color.org",
    "rustup.rs",
    "semver.org",
    "sh.rustup.rs",
    "www.apache.org",
];

/// Everything that breaks a rule, or nothing.
fn none(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}:\n  {}\n", broken.join("\n  "));
}

/// The files for which `breaks` holds.
fn where_(files: &[File], breaks: impl Fn(&File) -> bool) -> Vec<String> {
    files.iter().filter(|file| breaks(file)).map(|file| file.path.clone()).collect()
}

#[test]
fn only_the_yaml_module_names_the_yaml_crates() {
    let names =
        |text: &str| ["serde_yaml", "yaml_serde", "saphyr"].iter().any(|n| text.contains(n));
    assert!(names("use serde_yaml::Value;"));
    let files: Vec<File> =
        rust_files().into_iter().filter(|f| !f.path.starts_with("xtask/tests/")).collect();
    let inside = |file: &File| file.path.starts_with("lab/src/yaml/");
    assert!(files.iter().any(|file| inside(file) && names(&file.text)), "the module has moved");
    none("YAML crates outside of lab/src/yaml", where_(&files, |f| !inside(f) && names(&f.text)));
}

#[test]
fn the_wire_format_does_no_io() {
    let files: Vec<File> =
        rust_files().into_iter().filter(|file| file.path.starts_with("wire/src/")).collect();
    let library = files.iter().find(|file| file.path == "wire/src/lib.rs").expect("there is one");
    assert!(
        library.text.contains("#![no_std]") && library.text.contains("#![forbid(unsafe_code)]")
    );
    none("std in wire/src", where_(&files, |file| file.text.contains("std::")));
}

#[test]
fn the_model_needs_nothing_but_arithmetic() {
    assert!(read("model/src/lib.rs").contains("#![forbid(unsafe_code)]"));
    let manifest = read("model/Cargo.toml");
    assert_eq!(dependencies(&manifest, "dependencies"), BTreeSet::new());
    assert_eq!(dependencies("[dependencies]\nserde = \"1\"", "dependencies").len(), 1);
}

#[test]
fn what_is_computed_from_records_does_no_io() {
    let pure = [
        "harness/src/judge/",
        "harness/src/aa_pool.rs",
        "harness/src/advice",
        "harness/src/claim",
        "harness/src/lab_check/finding.rs",
        "harness/src/lab_check/judge/",
        "harness/src/lab_check/measured.rs",
        "harness/src/lab_check/tolerance.rs",
        "harness/src/metric",
        "harness/src/model_lab/",
        "harness/src/plan/",
        "harness/src/prediction.rs",
        "harness/src/report",
        "harness/src/schemas.rs",
        "harness/src/settings",
        "harness/src/statistics",
        "harness/src/stopping",
        "harness/src/summary",
        "harness/src/trial/clocks.rs",
        "harness/src/trial/gate.rs",
        "harness/src/trial/heartbeats.rs",
        "harness/src/trial/measure",
        "harness/src/trial/outcome.rs",
        "harness/src/trial/rounds.rs",
        "lab/src/hypervisor/proxmox/answer.rs",
        "lab/src/hypervisor/proxmox/capabilities.rs",
        "lab/src/hypervisor/proxmox/dirty_rate.rs",
        "lab/src/hypervisor/proxmox/error.rs",
        "lab/src/hypervisor/proxmox/fingerprint.rs",
        "lab/src/hypervisor/proxmox/form.rs",
        "lab/src/hypervisor/proxmox/guest/arguments.rs",
        "lab/src/hypervisor/proxmox/guest/spec.rs",
        "lab/src/hypervisor/proxmox/info_migrate",
        "lab/src/hypervisor/proxmox/lenient.rs",
        "lab/src/hypervisor/proxmox/migration_log",
        "lab/src/hypervisor/proxmox/types",
        "lab/src/hypervisor/proxmox/upid.rs",
        "lab/src/hypervisor/proxmox/version.rs",
        "lab/src/packages/url.rs",
        "lab/src/playbook/check.rs",
        "lab/src/playbook/context.rs",
        "lab/src/playbook/progress.rs",
        "lab/src/playbook/proxmox.rs",
        "lab/src/playbook/quoting.rs",
        "lab/src/playbook/render.rs",
        "lab/src/playbook/script.rs",
        "lab/src/playbook/secrets.rs",
        "lab/src/playbook/types.rs",
        "lab/src/schema.rs",
        "model/src/",
    ];
    let impure = |text: &str| {
        outside(text).into_iter().any(|path| {
            let parts: Vec<&str> = path.split("::").collect();
            // An address is a number.
            !matches!(parts[..], ["std", "net", "Ipv4Addr" | "Ipv6Addr"])
                && matches!(
                    parts[..],
                    ["std", "fs" | "net" | "process" | "env" | "thread", ..]
                        | ["std", "time", "Instant" | "SystemTime", ..]
                        | ["tokio" | "rustix", ..]
                )
        })
    };
    assert!(impure("use std::{fmt, fs};") && impure("let t = std::time::Instant::now();"));
    assert!(!impure("use std::{fmt, time::Duration};"));
    let files = rust_files();
    for place in pure {
        assert!(files.iter().any(|file| file.path.starts_with(place)), "{place} has moved");
    }
    let is_pure = |f: &File| pure.iter().any(|p| f.path.starts_with(p)) && !f.is_test();
    none("I/O, clocks or processes where only arithmetic is", {
        where_(&files, |file| is_pure(file) && impure(&file.text))
    });
}

#[test]
fn processes_are_started_in_three_modules() {
    assert!(names_the_systems_command("use std::{fs, process::{Child, Command}};"));
    assert!(names_the_systems_command("let c = std::process::Command::new(\"x\");"));
    assert!(names_the_systems_command("use tokio::process;"));
    assert!(!names_the_systems_command(
        "use lab::process::{self, Command};\nuse std::process::id;"
    ));
    let files = rust_files();
    for starter in STARTERS {
        assert!(files.iter().any(|file| file.path == starter), "{starter} has moved");
    }
    none("the system's `Command` outside of its modules", {
        where_(&files, |file| {
            !STARTERS.contains(&file.path.as_str())
                // End-to-end tests start this program itself, to kill it.
                && !file.path.starts_with("tests/")
                && !file.path.starts_with("xtask/tests/")
                && names_the_systems_command(&file.text)
        })
    });
}

#[test]
fn no_sleep_stands_for_readiness() {
    let sleeps = |text: &str| text.contains("thread::sleep") || text.contains("time::sleep");
    assert!(sleeps("tokio::time::sleep(x).await"));
    let files = rust_files();
    for (path, why) in SLEEPERS {
        let there = files.iter().any(|file| file.path == path && sleeps(&file.text));
        assert!(there, "{path} does not sleep any more ({why}): take it off the list");
    }
    none("a sleep", {
        where_(&files, |file| {
            sleeps(&file.text)
                && !file.path.starts_with("xtask/tests/")
                && SLEEPERS.iter().all(|(path, _)| *path != file.path)
        })
    });
}

#[test]
fn files_are_short() {
    let long = |file: &File| file.text.lines().count() > MOST_LINES;
    let example = File { path: String::new(), text: "\n".repeat(MOST_LINES + 1) };
    assert!(long(&example));
    none("more than 400 lines", where_(&rust_files(), long));
}

#[test]
fn mistakes_in_files_get_good_messages() {
    // serde's untagged and flatten lose what was expected and where.
    let loses = |text: &str| {
        text.lines().any(|line| {
            line.contains("serde(") && (line.contains("untagged") || line.contains("flatten"))
        })
    };
    assert!(loses("#[serde(default, flatten)]") && !loses("#[command(flatten)]"));
    let ours = |file: &File| file.path.starts_with("xtask/tests/");
    none("serde's untagged or flatten", where_(&rust_files(), |f| !ours(f) && loses(&f.text)));
}

#[test]
fn tracked_files_do_not_know_the_machine_they_were_written_on() {
    // Put together here, so that this file does not break its own rule. `me` is an example,
    // `vagrant` the user that every box has.
    let places = ["work", "root", "home"].map(|top| format!("/{top}/"));
    let knows = |text: &str| {
        let text = text.replace("/home/me/", "").replace("/home/vagrant/", "");
        places.iter().any(|place| text.contains(place))
    };
    assert!(places.iter().all(|place| knows(&format!("see {place}x"))));
    none("an absolute path of one machine", where_(&files(), |file| knows(&file.text)));

    // `.example` is reserved for examples.
    let foreign = |text: &str| -> Vec<String> {
        let hosts = text.split("://").skip(1).filter_map(|rest| {
            rest.split(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c))).next()
        });
        let unknown = |host: &&str| {
            !host.is_empty()
                && host.contains('.')
                && !host.ends_with(".example")
                && !HOSTS.contains(host)
        };
        hosts.filter(unknown).map(str::to_owned).collect()
    };
    assert_eq!(foreign(&format!("at http:{}m.internal.net/x", "//")), ["m.internal.net"]);
    let mut broken = Vec::new();
    for file in files() {
        broken.extend(foreign(&file.text).iter().map(|host| format!("{}: {host}", file.path)));
    }
    none("a host that is not on the list", broken);
}

#[test]
fn providers_and_hypervisors_do_not_know_each_other() {
    let imports = |text: &str, other: &str| {
        paths_of(text).iter().any(|path| path.split("::").any(|part| part == other))
    };
    assert!(imports("use crate::{journal, hypervisor::qemu::Vm};", "hypervisor"));
    assert!(imports("let x = crate::provider::netns::up();", "provider"));
    let files = rust_files();
    for (own, other) in [("provider", "hypervisor"), ("hypervisor", "provider")] {
        let folder = format!("lab/src/{own}/");
        assert!(files.iter().any(|file| file.path.starts_with(&folder)), "{folder} has moved");
        none(&format!("{own} names {other}"), {
            where_(&files, |file| file.path.starts_with(&folder) && imports(&file.text, other))
        });
    }
}

/// Names of the dependencies in the sections of this heading.
fn dependencies<'a>(manifest: &'a str, heading: &str) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.trim_end_matches(']') == heading;
        } else if inside && !line.starts_with('#') {
            let name = line.split(['=', '.']).next().unwrap_or_default().trim();
            if !name.is_empty() {
                names.insert(name);
            }
        }
    }
    names
}

#[test]
fn crates_depend_one_way() {
    let ours = ["xtask", "harness", "lab", "model", "observer", "guest", "wire"];
    let allowed: [(&str, &[&str]); 7] = [
        ("wire", &[]),
        ("model", &[]),
        ("guest", &["wire"]),
        ("observer", &["wire"]),
        ("lab", &["model", "wire"]),
        ("harness", &["lab", "model", "wire"]),
        ("xtask", &["harness", "lab", "model", "wire"]),
    ];
    for (name, may) in allowed {
        let manifest = read(&format!("{name}/Cargo.toml"));
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for dependency in dependencies(&manifest, section) {
                assert!(
                    !ours.contains(&dependency) || may.contains(&dependency),
                    "{name} must not depend on {dependency}"
                );
            }
        }
    }
}

#[test]
fn every_dependency_is_explained() {
    let architecture = read("ARCHITECTURE.md");
    let section = architecture.split("\n## ").find(|part| part.starts_with("Dependencies"));
    let section = section.expect("ARCHITECTURE.md has a section `Dependencies`");
    let mut names: BTreeSet<String> = BTreeSet::new();
    let root = read("Cargo.toml");
    names.extend(dependencies(&root, "workspace.dependencies").iter().map(|n| (*n).to_owned()));
    for own in ["wire", "guest", "observer", "model", "lab", "harness", "xtask"] {
        let manifest = read(&format!("{own}/Cargo.toml"));
        for heading in ["dependencies", "dev-dependencies", "build-dependencies"] {
            names.extend(dependencies(&manifest, heading).iter().map(|n| (*n).to_owned()));
        }
    }
    assert!(names.contains("tokio") && names.contains("smoltcp") && names.contains("libc"));
    let unexplained: Vec<String> =
        names.into_iter().filter(|name| !section.contains(&format!("| `{name}` |"))).collect();
    none("not in ARCHITECTURE.md's table of dependencies", unexplained);
}

#[test]
fn every_metric_is_described() {
    let methodology = read("METHODOLOGY.md");
    let described = |definition: &&harness::metric::Definition| {
        methodology.contains(&format!("| `{}` | {} |", definition.name, unit(definition.unit)))
    };
    let missing = harness::metric::ALL.iter().filter(|definition| !described(definition));
    none("not in METHODOLOGY.md with its unit", missing.map(|d| d.name.to_owned()).collect());
}

/// As METHODOLOGY.md writes it.
fn unit(unit: &str) -> &str {
    if unit.is_empty() { "–" } else { unit }
}

/// Every command that this program has, by its own account.
fn commands() -> Vec<String> {
    let help = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("--help").run().expect("it helps");
    let help = help.text();
    let list = help.split("Commands:").nth(1).expect("a list of commands");
    list.lines()
        .skip(1)
        .take_while(|line| !line.trim().is_empty())
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn every_command_and_exit_code_is_in_the_readme() {
    let readme = read("README.md");
    let commands = commands();
    assert!(commands.iter().any(|name| name == "experiment"), "{commands:?}");
    let missing = |name: &&String| !readme.contains(&format!("cargo xtask {name}"));
    none("not in README.md", commands.iter().filter(missing).cloned().collect());

    let help = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("--help").run().expect("it helps");
    let help = help.text();
    let codes = help.split("Exit codes:").nth(1).expect("a list of exit codes");
    let codes: Vec<&str> = codes
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| word.parse::<u8>().is_ok())
        .collect();
    assert!(codes.contains(&"0") && codes.contains(&"130"), "{codes:?}");
    let missing = codes.iter().filter(|code| !readme.contains(&format!("| {code} |")));
    none("exit codes not in README.md", missing.map(ToString::to_string).collect());
}

#[test]
fn every_factor_is_in_the_readme() {
    let readme = read("README.md");
    let names = harness::experiment::NAMES.iter();
    let missing = names.filter(|name| !readme.contains(&format!("| `{name}` |")));
    none("factors not in README.md", missing.map(ToString::to_string).collect());
}
