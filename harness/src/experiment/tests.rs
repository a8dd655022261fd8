mod schema;

use super::*;
use crate::settings::{BandwidthLimit, Content, Pattern};
use lab::units::{ByteRate, Bytes, PageRate};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Each follows `name: bad` and `replicates: 2`.
const BAD: &[(&str, &str)] = &[
    ("unknown_key", "max_tiem: 5 s\n"),
    ("factor_at_the_top", "memory: 256 MiB\n"),
    ("unknown_factor", "factors: { touchrate: 5 pages/s, colour: red }\n"),
    ("factor_twice", "factors:\n  memory: 256 MiB\n  touch_rate: 5 pages/s\n  memory: 128 MiB\n"),
    ("policy_of_later", "policy: proxmox\n"),
    ("policy_unknown", "policy: qmeu\n"),
    ("no_unit", "factors: { memory: 256 }\n"),
    ("no_unit_in_list", "factors: { touch_rate: [5 pages/s, 5000] }\n"),
    ("wrong_unit", "factors: { bandwidth_limit: [default, 32 MB/s] }\n"),
    ("word_mistyped", "factors: { bandwidth_limit: unlimted, link_rate: lab }\n"),
    ("pattern_mistyped", "factors:\n  pattern: [random, hot-spot]\n"),
    ("mapping_for_a_level", "factors:\n  memory: { from: 1 MiB }\n"),
    (
        "list_in_exclude",
        "factors: { memory: [128 MiB, 256 MiB] }\nexclude: [{ memory: [128 MiB] }]\n",
    ),
    ("empty_list", "factors: { memory: [] }\n"),
    ("level_twice", "factors: { memory: [256 MiB, 1 GiB, 0.25 GiB] }\n"),
    ("seed_negative", "seed: -1\n"),
    ("max_time", "max_time: 2 h\nheartbeat_interval: 1 s\n"),
    ("gate", "gate: { touch_rate: 0 %, spacing: 1, patience: 2 h, heartbeats: 5 % }\n"),
    (
        "gate_ranges",
        "gate: { touch_rate: 0 %, disk_write_rate: 101 %, spacing: 1, patience: 2 h }\n",
    ),
    ("gate_word", "gate: lax\n"),
    ("memory", "factors:\n  memory: [32 MiB, 256 MiB, 4 GiB, 262145 KiB]\n"),
    ("sizes", "factors: { working_set: [0 MiB, 5 KiB], filled: [4 GiB] }\n"),
    (
        "rates",
        "factors:\n  touch_rate: 2000000 pages/s\n  link_rate: [10 kbit/s, 200 Gbit/s]\n  bandwidth_limit: 0 MiB/s\n",
    ),
    ("downtime_limit", "factors: { downtime_limit: [0 ms, 1 h] }\n"),
    ("set_larger_than_filled", "factors: { working_set: [32 MiB, 64 MiB], filled: 48 MiB }\n"),
    ("set_larger_than_memory", "factors:\n  memory: [128 MiB, 256 MiB]\n  working_set: 128 MiB\n"),
    ("set_larger_than_memory_with_default", "factors:\n  memory: 64 MiB\n"),
    ("filled_larger_than_memory", "factors: { filled: 250 MiB }\n"),
    (
        "idle_with_a_rate",
        "factors:\n  pattern: [random, idle]\n  touch_rate: [5 pages/s, 0 pages/s]\n",
    ),
    ("hotspot_too_small", "factors: { pattern: hotspot, working_set: 20 KiB }\n"),
    (
        "exclude_of_nothing",
        "factors: { memory: [128 MiB, 256 MiB] }\nexclude:\n  - { memory: 512 MiB }\n",
    ),
    (
        "exclude_of_all",
        "factors: { memory: [128 MiB, 256 MiB] }\nexclude:\n  - memory: 128 MiB\n  - memory: 256 MiB\n",
    ),
    ("exclude_empty", "exclude:\n  - {}\n"),
    (
        "include_again",
        "factors: { memory: [128 MiB, 256 MiB] }\ninclude:\n  - { memory: 256 MiB }\n  - { memory: 512 MiB }\n  - { memory: 512 MiB, pattern: random }\n",
    ),
    (
        "include_impossible",
        "include:\n  - { memory: 4 GiB }\n  - { pattern: idle }\n  - { working_set: 1 GiB, touch_rate: 7 pages/s }\n",
    ),
    ("filled_twice", "factors: { filled: [working_set, 64 MiB] }\n"),
    (
        "too_many_cells",
        "factors: { touch_rate: LIST, working_set: [1 MiB, 2 MiB, 3 MiB, 4 MiB, 5 MiB, 6 MiB] }\n",
    ),
    ("judge", "judge:\n  total_time: 5\n"),
    (
        "judge_metrics",
        "judge:\n  total_tiem: 5 %\n  sync_count: 5 %\n  guest_slowdown: 5 %\n  rounds: 2 points\n  colour: off\n",
    ),
    ("judge_nothing", "judge: { total_time: off, stream_bytes: off, vcpu_pause: off }\n"),
    (
        "qemu_unknown",
        "qemus: { old: /opt/9/qemu, new: /usr/bin/qemu }\nfactors:\n  qemu: [old, nwe, old to newer, lab]\n",
    ),
    ("qemu_unknown_in_include", "include:\n  - { qemu: lab to new }\n"),
    ("qemu_by_its_path", "factors: { qemu: [lab, /usr/bin/qemu-system-x86_64] }\n"),
    ("qemu_names", "qemus: { to: /a, lab: /b, 9.2: /c, a b: /d, e: '' }\n"),
    ("qemu_twice", "qemus: { new: /a }\nfactors: { qemu: [new, new to new] }\n"),
    ("disk_alone", "factors:\n  disk: [none, 16 MiB]\n"),
    ("disk_rate_alone", "factors:\n  disk_write_rate: 100 blocks/s\n"),
    (
        "disk_of_some_cells",
        "factors:\n  disk: [none, 16 MiB]\n  disk_write_rate: [0 blocks/s, 100 blocks/s]\n",
    ),
    (
        "disk_levels",
        "factors:\n  disk: [0 MiB, 5 KiB, 2 GiB, nome, 16]\n  disk_write_rate: [100 iops]\n",
    ),
    (
        "disk_sizes",
        "factors:\n  disk: [0 MiB, 5 KiB, 2 GiB]\n  disk_write_rate: [100 blocks/s, 5000 blocks/s]\n",
    ),
    ("disk_in_an_include", "include:\n  - { disk: 16 MiB }\n"),
    ("description", "description: |\n  one\n  two\n"),
];

#[test]
fn bad_experiments_are_refused_where_the_mistake_is() {
    for (name, rest) in BAD {
        // A list as long as this is not for reading.
        let list: Vec<String> = (1..=2000).map(|rate| format!("{rate} pages/s")).collect();
        let list = format!("[{}]", list.join(","));
        let text = format!("name: bad\nreplicates: 2\n{}", rest.replace("LIST", &list));
        let report = Experiment::parse("bad.yaml", &text).expect_err(name);
        let shown = report.render(false, 90).replace(&list, "LIST");
        insta::assert_snapshot!(*name, shown);
    }
}

#[test]
fn bad_names_and_numbers_of_replicates_are_refused() {
    for (name, text) in [
        ("name", "name: ../quick\nreplicates: 2\n"),
        ("no_replicates", "name: bad\n"),
        ("replicates", "name: bad\nreplicates: 0\n"),
        ("replicates_quoted", "name: bad\nreplicates: '3'\n"),
        ("min_above_max", "name: bad\nreplicates: { min: 9, max: 8, precision: 5 % }\n"),
        ("max_too_small", "name: bad\nreplicates:\n  min: 2\n  max: 5\n  precision: 5 %\n"),
        ("min_zero", "name: bad\nreplicates: { min: 0, max: 2000, precision: 5 % }\n"),
        ("precision_zero", "name: bad\nreplicates: { min: 5, max: 20, precision: 0 % }\n"),
        ("precision_negative", "name: bad\nreplicates: { min: 5, max: 20, precision: -5 % }\n"),
        ("precision_bare", "name: bad\nreplicates: { min: 5, max: 20, precision: 5 }\n"),
        ("precision_missing", "name: bad\nreplicates: { min: 5, max: 20 }\n"),
        ("precision_of_nothing", "name: bad\nreplicates: { min: 5, max: 20, precision: {} }\n"),
        (
            "precision_of_unknown",
            "name: bad\nreplicates:\n  min: 5\n  max: 20\n  precision:\n    total_tiem: 5 %\n    remaining_bytes: 200 %\n    vcpu_pause: 5\n",
        ),
        (
            "precision_of_metrics",
            "name: bad\nreplicates:\n  min: 5\n  max: 20\n  precision:\n    total_tiem: 5 %\n    remaining_bytes: 200 %\n",
        ),
        ("replicates_key", "name: bad\nreplicates: { min: 5, most: 20, precision: 5 % }\n"),
        ("replicates_list", "name: bad\nreplicates: [5, 20]\n"),
        ("replicates_negative", "name: bad\nreplicates: -5\n"),
    ] {
        let report = Experiment::parse("bad.yaml", text).expect_err(name);
        insta::assert_snapshot!(name, report.render(false, 90));
    }
}

fn good(rest: &str) -> Experiment {
    Experiment::parse("good.yaml", &format!("name: good\nreplicates: 2\n{rest}"))
        .unwrap_or_else(|report| panic!("{report}"))
}

fn ids(experiment: &Experiment) -> Vec<String> {
    experiment.cells().into_iter().map(|cell| cell.id).collect()
}

#[test]
fn the_last_factor_varies_fastest() {
    let experiment =
        good("factors: { touch_rate: [1 pages/s, 2 pages/s], link_rate: [lab, 1 Gbit/s] }\n");
    insta::assert_snapshot!(ids(&experiment).join("\n"), @"
    touch_rate=1 pages/s, link_rate=lab
    touch_rate=1 pages/s, link_rate=1 Gbit/s
    touch_rate=2 pages/s, link_rate=lab
    touch_rate=2 pages/s, link_rate=1 Gbit/s
    ");
}

#[test]
fn what_is_excluded_goes_and_what_is_included_comes_last() {
    let experiment = good(
        "factors: { memory: [128 MiB, 256 MiB], touch_rate: [1 pages/s, 2 pages/s] }\n\
         exclude: [{ memory: 128 MiB, touch_rate: 2 pages/s }]\n\
         include: [{ touch_rate: 9 pages/s }]\n",
    );
    insta::assert_snapshot!(ids(&experiment).join("\n"), @"
    memory=128 MiB, touch_rate=1 pages/s
    memory=256 MiB, touch_rate=1 pages/s
    memory=256 MiB, touch_rate=2 pages/s
    memory=128 MiB, touch_rate=9 pages/s
    ");
}

#[test]
fn without_factors_there_is_one_cell_of_defaults() {
    let experiment = good("");
    assert_eq!(ids(&experiment), ["all"]);
    insta::assert_json_snapshot!(experiment.cells()[0]);
}

#[test]
fn a_gate_is_what_is_said_and_the_rest_of_the_default() {
    let gate = |rest: &str| -> Vec<String> {
        let rules = good(rest).judge;
        rules.gate().map(|rule| format!("{} {}", rule.name, rule.margin)).collect()
    };
    assert_eq!(gate(""), ["total_time 0.05", "stream_bytes 0.05", "vcpu_pause 0.25"]);
    assert_eq!(
        gate(
            "judge: { total_time: 3 %, vcpu_pause: off, service_gap: 30 %, guest_slowdown: 2.5 points }\n"
        ),
        ["total_time 0.03", "stream_bytes 0.05", "service_gap 0.3", "guest_slowdown 2.5"]
    );
}

#[test]
fn a_trials_gate_is_what_is_said_and_the_rest_of_the_default() {
    assert!(good("").gate.is_default());
    let asked = good("gate: { touch_rate: 7.5 %, patience: 2 min }\n").gate;
    let Steadiness { touch_rate, patience, .. } = asked;
    assert_eq!((touch_rate.to_string(), patience.to_string()), ("7.5 %".into(), "2 min".into()));
    assert_eq!(asked, Steadiness { touch_rate, patience, ..Steadiness::default() });
}

#[test]
fn what_is_filled_is_resolved() {
    let sizes = |rest: &str| -> Vec<u64> {
        good(rest).cells().iter().map(|cell| cell.settings.filled.0 >> 20).collect()
    };
    assert_eq!(sizes("factors: { filled: [working_set, memory, 100 MiB] }\n"), [64, 240, 100]);
    assert_eq!(sizes("factors: { memory: 1 GiB, filled: memory }\n"), [1008]);
}

#[test]
fn settings_read_back_from_a_record() {
    let experiment = good(
        "factors: { bandwidth_limit: [default, unlimited, 32 MiB/s], link_rate: [lab, 1 Gbit/s] }\n",
    );
    for cell in experiment.cells() {
        let json = serde_json::to_string(&cell.settings).expect("settings are JSON");
        assert_eq!(serde_json::from_str::<Settings>(&json).expect(&json), cell.settings);
    }
}

#[test]
fn a_network_is_written_where_it_is_not_the_migration_network() {
    let experiment = good("factors: { network: [dedicated, shared] }\n");
    assert_eq!(ids(&experiment), ["network=dedicated", "network=shared"]);
    for (cell, written) in experiment.cells().iter().zip([false, true]) {
        let json = serde_json::to_string(cell).expect("JSON");
        assert_eq!(json.matches("network\":").count(), if written { 2 } else { 0 }, "{json}");
        let json = serde_json::to_string(&cell.settings).expect("JSON");
        assert_eq!(serde_json::from_str::<Settings>(&json).expect(&json), cell.settings);
    }
}

#[test]
fn qemus_make_cells_by_their_names() {
    let experiment = good(
        "qemus: { old: /opt/9/qemu, new: /usr/bin/qemu, unused: /x }\n\
         factors: { qemu: [lab, old, old to new], touch_rate: [1 pages/s, 2 pages/s] }\n\
         exclude: [{ qemu: old, touch_rate: 2 pages/s }]\n",
    );
    insta::assert_snapshot!(ids(&experiment).join("\n"), @"
    touch_rate=1 pages/s, qemu=lab
    touch_rate=1 pages/s, qemu=old
    touch_rate=1 pages/s, qemu=old to new
    touch_rate=2 pages/s, qemu=lab
    touch_rate=2 pages/s, qemu=old to new
    ");
    let names = experiment.qemus_that_run();
    let names: Vec<&str> = names.iter().map(crate::settings::QemuName::as_str).collect();
    assert_eq!(names, ["lab", "new", "old"]);
    for cell in experiment.cells() {
        let json = serde_json::to_string(&cell).expect("JSON");
        assert!(!json.contains('/') || json.contains("pages/s"), "a path in {json}");
        assert!(!json.contains("opt") && !json.contains("bin"), "a path in {json}");
        let json = serde_json::to_string(&cell.settings).expect("JSON");
        assert_eq!(serde_json::from_str::<Settings>(&json).expect(&json), cell.settings);
        // Records and plans from before there were others have no such field.
        assert_eq!(json.contains("qemu"), !cell.settings.qemu.is_lab(), "{json}");
    }
}

#[test]
fn programs_that_are_given_are_added_or_replace() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = Utf8Path::from_path(folder.path()).expect("UTF-8");
    let file = folder.join("q.yaml");
    let text =
        "name: q\nreplicates: 1\nqemus: { a: bin/a, b: /b, c: c }\nfactors: { qemu: [a, b, d] }\n";
    std::fs::write(&file, text).expect("written");
    let given = |pairs: &[(&str, &str)]| -> Qemus {
        pairs.iter().map(|(name, path)| ((*name).to_owned(), (*path).into())).collect()
    };
    let experiment = Experiment::read(&file, &given(&[("d", "here/d"), ("b", "other")]));
    let experiment = experiment.unwrap_or_else(|error| panic!("{error}"));
    // Those of the file are from its folder, those given from where they were given.
    let expected = [
        ("a", folder.join("bin/a")),
        ("b", "other".into()),
        ("c", folder.join("c")),
        ("d", "here/d".into()),
    ];
    let expected = expected.map(|(name, path)| (name.to_owned(), path));
    assert_eq!(experiment.qemus, expected.into());
    let error = Experiment::read(&file, &Qemus::new()).expect_err("d is unknown").to_string();
    assert!(error.contains("no QEMU is named `d`"), "{error}");
}

/// Experiments shipped, by name.
fn shipped(name: &str) -> Experiment {
    Experiment::read(format!("../experiments/{name}.yaml").as_str().into(), &Qemus::new())
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_shipped_experiments_migrate_every_kind_of_level() {
    let cells: Vec<Cell> =
        ["quick", "precopy", "levels"].iter().flat_map(|name| shipped(name).cells()).collect();
    let texts = |of: fn(&Levels) -> String| -> BTreeSet<String> {
        cells.iter().map(|cell| of(&cell.levels)).collect()
    };
    let has = |found: BTreeSet<String>, wanted: &[&str]| {
        for level in wanted {
            assert!(found.contains(*level), "{level} is in no shipped experiment: {found:?}");
        }
    };
    has(texts(|levels| levels.pattern.to_string()), &["idle", "sequential", "random", "hotspot"]);
    has(texts(|levels| levels.content.to_string()), &["random", "sparse", "zero"]);
    has(texts(|levels| levels.bandwidth_limit.to_string()), &["default", "unlimited", "32 MiB/s"]);
    has(texts(|levels| levels.filled.to_string()), &["working_set", "memory", "64 MiB"]);
    has(texts(|levels| levels.link_rate.to_string()), &["lab", "1 Gbit/s"]);
    has(texts(|levels| levels.memory.to_string()), &["128 MiB", "256 MiB", "1 GiB", "3 GiB"]);
}

#[test]
fn the_study_varies_what_it_says_with_ten_replicates() {
    let precopy = shipped("precopy");
    assert_eq!(precopy.varying(), ["memory", "touch_rate", "link_rate", "downtime_limit"]);
    assert!(precopy.replicates.least() >= 10);
}

fn factors() -> impl Strategy<Value = Factors> {
    let some = |most: usize| 1..=most;
    (
        prop::collection::btree_set(prop::sample::select(vec![96_u64, 128, 256, 512]), some(3)),
        prop::collection::btree_set(1_u64..=64, some(2)),
        prop::collection::btree_set(1_u32..=1_000_000, some(3)),
        prop::sample::subsequence(
            vec![Pattern::Sequential, Pattern::Random, Pattern::Hotspot],
            1..=3,
        ),
        prop::sample::subsequence(vec![Content::Random, Content::Sparse, Content::Zero], 1..=3),
        prop::sample::subsequence(
            vec![
                BandwidthLimit::Default,
                BandwidthLimit::Unlimited,
                BandwidthLimit::Capped(ByteRate(1 << 25)),
            ],
            1..=3,
        ),
    )
        .prop_map(|(memory, sets, rates, pattern, content, bandwidth_limit)| Factors {
            memory: memory.into_iter().map(|mib| Bytes(mib << 20)).collect(),
            working_set: sets.into_iter().map(|mib| Bytes(mib << 20)).collect(),
            touch_rate: rates.into_iter().map(PageRate).collect(),
            pattern,
            content,
            bandwidth_limit,
            ..Factors::default()
        })
}

proptest! {
    #[test]
    fn a_written_experiment_reads_back(factors in factors(), seed: u64, replicates in 1_u32..=1000) {
        let replicates = Replicates::Fixed(replicates);
        let experiment = Experiment { factors, seed, replicates, ..good("") };
        let text = yaml::write(&experiment).expect("an experiment can be written");
        let again = Experiment::parse("again.yaml", &text);
        prop_assert_eq!(again.map_err(|report| report.to_string()), Ok(experiment));
    }

    #[test]
    fn cells_have_names_of_their_own(factors in factors()) {
        let experiment = Experiment { factors, ..good("") };
        let cells = experiment.cells();
        let names: BTreeSet<&String> = cells.iter().map(|cell| &cell.id).collect();
        prop_assert_eq!(names.len(), cells.len());
        prop_assert_eq!(Some(cells.len()), experiment.factors.cells());
    }

    #[test]
    fn no_text_of_words_makes_it_panic(
        text in "(name: a\nreplicates: 1\n)?(factors:|  memory:|  pattern:|exclude:|include:|  - |\\{|\\}| 1 MiB| idle| 0 pages/s|\n|, |memory: |\\[|\\]){0,30}"
    ) {
        if let Err(report) = Experiment::parse("test.yaml", &text) {
            prop_assert!(!report.render(false, 80).is_empty());
        }
    }
}
