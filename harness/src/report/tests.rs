use super::*;
use crate::fixture;
use crate::record::{Metric, Record};
use crate::run_folder::Qemu;
use crate::settings::{QemuPair, level::Level};

/// Nothing is wrong with a folder.
fn whole() -> &'static Faults {
    static WHOLE: std::sync::OnceLock<Faults> = std::sync::OnceLock::new();
    WHOLE.get_or_init(Faults::default)
}

fn run<'a>(manifest: &'a Manifest, summary: &'a Summary, warnings: &'a [String]) -> Run<'a> {
    let folder = Utf8Path::new("runs/20261122T124637Z-quick");
    let faults = whole();
    Run {
        manifest: Some(manifest),
        summary,
        folder,
        warnings,
        judgement: None,
        claims: &[],
        faults,
    }
}

fn shown(records: &[Record], style: Style) -> String {
    let manifest = fixture::manifest();
    table(run(&manifest, &Summary::of(records), &[]), style)
}

/// Four factors, as the shipped `precopy.yaml` has: two levels each, all completed.
fn four_factors() -> Vec<Record> {
    (0..32u32)
        .map(|trial| {
            let level = |bit: u32| (trial >> bit) & 1;
            let mut record = fixture::completed(trial, 5000 + 15_000 * level(0));
            let mut settings = serde_json::to_value(&record.settings).unwrap();
            settings["memory"] = ["256 MiB", "1 GiB"][level(1) as usize].into();
            settings["link_rate"] = ["500 Mbit/s", "1 Gbit/s"][level(2) as usize].into();
            settings["downtime_limit"] = ["100 ms", "300 ms"][level(3) as usize].into();
            record.cell = ["memory", "touch_rate", "link_rate", "downtime_limit"]
                .map(|name| format!("{name}={}", settings[name].as_str().unwrap()))
                .join(", ");
            record.settings = serde_json::from_value(settings).unwrap();
            record
        })
        .collect()
}

#[test]
fn tables_at_every_width() {
    for width in [50, 80, 100, 140] {
        for unicode in [true, false] {
            let style = Style { width, unicode, colour: false };
            let name = format!("table-{width}-{}", if unicode { "unicode" } else { "ascii" });
            insta::assert_snapshot!(name, shown(&fixture::records(), style));
        }
    }
}

#[test]
fn tables_of_four_factors() {
    for width in [80, 100, 140] {
        let style = Style { width, unicode: true, colour: false };
        insta::assert_snapshot!(format!("four-factors-{width}"), shown(&four_factors(), style));
    }
}

#[test]
fn nothing_is_wider_than_asked() {
    for records in [fixture::records(), four_factors()] {
        for width in 50..160 {
            for unicode in [true, false] {
                let table = shown(&records, Style { width, unicode, colour: false });
                for line in table.lines() {
                    // One word (a path, a cell's name) cannot be folded.
                    let words = line.split_whitespace().count();
                    assert!(line.chars().count() <= width || words == 1, "{width}: {line}");
                    assert_eq!(line.trim_end(), line, "trailing blanks");
                    assert!(unicode || line.is_ascii(), "not ASCII: {line}");
                }
            }
        }
    }
}

#[test]
fn colour_changes_nothing_else() {
    let plain = Style { width: 100, unicode: true, colour: false };
    let coloured = shown(&fixture::records(), Style { colour: true, ..plain });
    assert!(coloured.contains("\u{1b}[31m1 corrupt\u{1b}[0m"));
    let mut stripped = coloured;
    for code in ["31", "33", "0"] {
        stripped = stripped.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(stripped, shown(&fixture::records(), plain));
}

#[test]
fn one_cell_one_trial_and_none() {
    let mut one = fixture::completed(0, 5000);
    one.cell = String::new();
    insta::assert_snapshot!("one-trial", shown(&[one], Style::PLAIN));
    insta::assert_snapshot!("no-trials", shown(&[], Style::PLAIN));
}

#[test]
fn kvm_needs_no_caveat() {
    let mut manifest = fixture::manifest();
    manifest.accelerator = "kvm".into();
    let summary = Summary::of(&fixture::records());
    let run = run(&manifest, &summary, &[]);
    assert!(!table(run, Style::PLAIN).contains("carry over"));
    assert!(!markdown(run).contains("carries over"));
    assert!(json(run).unwrap().contains("\"not_for_kvm\": []"));
}

#[test]
fn every_outcome_and_cause_is_in_every_report() {
    let manifest = fixture::manifest();
    let records = fixture::records();
    let summary = Summary::of(&records);
    let run = run(&manifest, &summary, &[]);
    for text in [table(run, Style::PLAIN), markdown(run), json(run).unwrap()] {
        for words in ["signal 9", "412 of 65104 pages", "dirtied", "2 % from", "not"] {
            let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat.contains(words), "{words} is not in {text}");
        }
    }
}

#[test]
fn the_markdown_report() {
    let manifest = fixture::manifest();
    let mut records = fixture::records();
    records[0].metrics.insert("service_gap".into(), Metric::Unavailable("no | beats".into()));
    records.pop();
    let warnings = ["QEMU 7.2 under TCG loses memory".to_owned()];
    let summary = Summary::of(&records);
    insta::assert_snapshot!("report.md", markdown(run(&manifest, &summary, &warnings)));
}

#[test]
fn a_lab_that_failed_its_check_is_told() {
    let manifest = fixture::manifest();
    let mut records = fixture::records();
    for record in &mut records {
        record.lab_faults = vec!["migration MTU node1→node2: 1400 B instead of 1500 B".into()];
    }
    records[0].lab_faults.push("storage written node2: not possible".into());
    let summary = Summary::of(&records);
    let run = run(&manifest, &summary, &[]);
    let trials = records.len();
    let words = format!(
        "measured on a lab that failed its check: migration MTU node1->node2: 1400 B instead of \
         1500 B; storage written node2: not possible (in 1 of {trials} trials)"
    );
    for text in [table(run, Style::PLAIN), markdown(run).replace('→', "->")] {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(&words), "{words} is not in {text}");
    }
    let json: serde_json::Value = serde_json::from_str(&json(run).unwrap()).unwrap();
    assert_eq!(json["summary"]["lab_faults"]["storage written node2: not possible"], 1);
}

/// GitHub drops cells beyond the head's, and shows a row with too few of them crooked.
#[test]
fn markdown_tables_have_as_many_cells_in_each_row() {
    let manifest = fixture::manifest();
    let mut records = fixture::records();
    for record in &mut records {
        record.reason = Some("a | b\nc".into());
    }
    let text = markdown(run(&manifest, &Summary::of(&records), &[]));
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    let mut before: Option<usize> = None;
    let mut tables = 0;
    for line in text.lines() {
        let now = line.starts_with('|').then(|| bars(line));
        if let (Some(before), Some(now)) = (before, now) {
            assert_eq!(before, now, "{line}");
        }
        tables += usize::from(before.is_none() && now.is_some());
        before = now;
    }
    assert!(tables >= 10, "{tables}");
}

#[test]
fn the_json_of_a_run() {
    let manifest = fixture::manifest();
    let records: Vec<Record> = vec![fixture::completed(0, 5000), fixture::not_converged(1, 5000)];
    let text = json(run(&manifest, &Summary::of(&records), &[])).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["complete"], false);
    assert_eq!(value["summary"]["outcomes"]["not_converged"], 1);
    insta::assert_snapshot!("report.json", text);
}

/// The records of a run with several QEMUs; the first has the level that is not written.
fn several_qemus() -> (Manifest, Vec<Record>) {
    let mut manifest = fixture::manifest();
    let other = Qemu {
        path: "/opt/secret/qemu-9".into(),
        version: "9.2.0 (mine)".to_owned(),
        sha256: "9b".repeat(32),
    };
    manifest.qemus =
        [("lab", manifest.qemu.clone()), ("v9", other)].map(|(n, q)| (n.to_owned(), q)).into();
    manifest.machine = Some("pc-i440fx-9.2".to_owned());
    let levels = ["lab", "v9", "v9 to lab"];
    let records = (0..6)
        .zip(levels.into_iter().cycle())
        .map(|(trial, level)| {
            let mut record = fixture::completed(trial, 5000);
            record.settings.qemu = QemuPair::read(level).unwrap();
            record.cell = format!("qemu={level}");
            record
        })
        .collect();
    (manifest, records)
}

#[test]
fn several_qemus_are_a_factor_and_have_no_paths() {
    let (manifest, records) = several_qemus();
    let summary = Summary::of(&records);
    assert_eq!(summary.factors, ["qemu"]);
    let counts: Vec<(&str, u32)> =
        summary.cells.iter().map(|cell| (cell.factors[0].value.as_str(), cell.n)).collect();
    assert_eq!(counts, [("lab", 2), ("v9", 2), ("v9 to lab", 2)]);
    let run = run(&manifest, &summary, &[]);
    insta::assert_snapshot!("several-qemus", table(run, Style::PLAIN));
    let (markdown, json) = (markdown(run), json(run).unwrap());
    assert!(markdown.contains("| Machine | pc-i440fx-9.2 |"), "{markdown}");
    assert!(markdown.contains("`v9`: 9.2.0 (mine) (SHA-256 `9b9b9b9b9b9b`)"), "{markdown}");
    assert!(markdown.contains("--lab labs/local.yaml --qemu v9=PATH\n"), "{markdown}");
    for text in [&markdown, &json] {
        assert!(!text.contains("/opt/secret"), "{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["qemus"]["v9"]["version"], "9.2.0 (mine)");
    assert_eq!(json["machine"], "pc-i440fx-9.2");
}

/// A run that ended early lacks nothing; one that was interrupted goes on.
#[test]
fn a_run_of_open_length_says_why_it_ended() {
    let rule = serde_json::json!({ "min": 2, "max": 20, "precision": "90 %" });
    let mut manifest = Manifest { planned_trials: 20, ..fixture::manifest() };
    manifest.experiment["replicates"] = rule;
    let records: Vec<Record> = (0..8)
        .map(|trial| {
            let mut record = fixture::completed(trial, 5000);
            record.block = trial;
            record
        })
        .collect();
    let report = |records: &[Record]| {
        let mut summary = Summary::of(records);
        summary.stopping = crate::stopping::of_run(&manifest, records);
        let run = run(&manifest, &summary, &[]);
        (table(run, Style::PLAIN), markdown(run), json(run).unwrap())
    };
    let (table, markdown, json) = report(&records);
    assert!(table.contains("Stopping: precise after 8 of at most 20 blocks"), "{table}");
    assert!(markdown.contains("| 8 of at most 20 planned: precise after 8 of"), "{markdown}");
    assert!(json.contains("\"complete\": true") && !table.contains("--resume"), "{table}");

    let (table, _, json) = report(&records[..3]);
    assert!(table.contains("3 of at most 20 blocks so far") && table.contains("--resume"));
    assert!(json.contains("\"complete\": false") && json.contains("\"state\": \"goes_on\""));
}
