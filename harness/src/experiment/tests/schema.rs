//! What the schema knows of the mistakes that are refused, and what it must leave to the checks.

use super::BAD;
use crate::{experiment::Experiment, schemas::Kind};
use lab::yaml;
use serde_json::Value;
use std::collections::BTreeSet;

/// Mistakes of meaning: a schema knows no numbers behind a unit, and nothing of what fits what.
const TAKES: &[&str] = &[
    "level_twice",
    "max_time",
    "memory",
    "sizes",
    "rates",
    "downtime_limit",
    "set_larger_than_filled",
    "set_larger_than_memory",
    "set_larger_than_memory_with_default",
    "filled_larger_than_memory",
    "idle_with_a_rate",
    "hotspot_too_small",
    "exclude_of_nothing",
    "exclude_of_all",
    "exclude_empty",
    "include_again",
    "include_impossible",
    "filled_twice",
    "too_many_cells",
    "judge_nothing",
    "qemu_unknown",
    "qemu_unknown_in_include",
    "qemu_twice",
    "disk_alone",
    "disk_rate_alone",
    "disk_of_some_cells",
    "disk_sizes",
    "disk_in_an_include",
    "description",
];

/// By a validator that shares nothing with the generator.
fn takes(text: &str) -> bool {
    let Ok(file) = yaml::parse::<Value>("file.yaml", text) else { return false };
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("it.json", Kind::Experiment.schema()).expect("a resource");
    let index = compiler.compile("it.json", &mut schemas).expect("a schema");
    schemas.validate(&file.value, index).is_ok()
}

#[test]
fn mistakes_that_a_schema_can_know_are_refused_by_it() {
    let taken = BAD.iter().filter(|(_, rest)| {
        let rest = rest.replace("LIST", "[1 pages/s, 2 pages/s]");
        takes(&format!("name: bad\nreplicates: 2\n{rest}"))
    });
    assert_eq!(
        taken.map(|(name, _)| *name).collect::<BTreeSet<_>>(),
        TAKES.iter().copied().collect()
    );
    for (text, taken) in [
        ("name: bad\n", false),
        ("name: bad\nreplicates: 0\n", false),
        ("name: bad\nreplicates: '3'\n", false),
        ("name: bad\nreplicates: { min: 5, max: 20, precision: 5 }\n", false),
        ("name: bad\nreplicates: { min: 5, max: 20 }\n", false),
        ("name: bad\nreplicates: { min: 5, max: 20, precision: { total_tiem: 5 % } }\n", false),
        ("name: good\nreplicates: { min: 5, max: 20, precision: { total_time: 5 % } }\n", true),
        ("name: ../quick\nreplicates: 2\n", false),
    ] {
        assert_eq!(takes(text), taken, "{text}");
    }
}

#[test]
fn what_is_taken_as_good_is_good() {
    for rest in [
        "",
        "seed: 7\nmax_time: 3 s\npolicy: qemu\nheartbeat_interval: 2 ms\n",
        "factors: { bandwidth_limit: [default, unlimited, 32 MiB/s], link_rate: [lab, 1 Gbit/s] }\n",
        "factors: { filled: [memory, 100 MiB], touch_rate: [1_000 pages/s, 5 PAGES/S] }\n",
        "factors: { network: [dedicated, shared], memory: 0.25 GiB }\n",
        "judge: { total_time: 2.5 %, vcpu_pause: off, guest_slowdown: 5 points }\n",
        "qemus: { a: /a, b.2: b }\nfactors: { qemu: [lab, a, a to b.2] }\n",
        "include:\n  - { pattern: idle, touch_rate: 0 pages/s }\n",
        "claims: [{ claim: more, x: memory, y: total_time, direction: grows, held: [link_rate] }]\n",
    ] {
        let text = format!("name: good\nreplicates: 2\n{rest}");
        assert!(takes(&text), "{text}");
        Experiment::parse("good.yaml", &text).unwrap_or_else(|report| panic!("{report}\n{text}"));
    }
}
