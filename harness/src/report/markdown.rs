//! `report.md`: the whole run, for GitHub's Markdown.

mod cell;
mod syntax;

use super::figure::FIGURES;
use super::number::{duration, plural};
use super::{Run, damage, note, table};
use crate::claim;
use crate::judge;
use crate::run_folder::{Host, Manifest, NodeHost};
use crate::summary::{Quantity, Summary};
use std::fmt::Write;
pub(crate) use syntax::{escape, markdown_table};

/// What came of the experiment's claims; empty where it has none.
fn claims(run: Run<'_>) -> String {
    match run.claims {
        [] => String::new(),
        tested => format!("## Claims\n\n{}", claim::markdown(tested)),
    }
}

/// Against the baseline; empty where there is none.
fn verdict(run: Run<'_>) -> String {
    run.judgement.map_or_else(String::new, |judgement| {
        format!("## Against the baseline\n\n{}", judge::markdown(judgement))
    })
}

/// The report of a run as Markdown, ending in a newline.
#[must_use]
pub fn markdown(run: Run<'_>) -> String {
    let sections = [
        what_was_run(run),
        results(run),
        claims(run),
        verdict(run),
        cell::cells(run),
        own_time(run),
        meanings(run),
        repeat(run),
    ];
    let sections: Vec<String> = sections.into_iter().filter(|text| !text.is_empty()).collect();
    let title = run.manifest.map_or(run.name(), |manifest| &manifest.name);
    format!("# {}\n\n{}", escape(title), sections.join("\n"))
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace(['`', '|', '\n'], " "))
}

fn what_was_run(run: Run<'_>) -> String {
    let Run { manifest, summary, .. } = run;
    let Some(manifest) = manifest else {
        return format!("## What was run\n\n{}\n", damage::UNKNOWN);
    };
    let file = |name: &Option<camino::Utf8PathBuf>| {
        name.as_ref().map_or_else(|| "–".to_owned(), |path| code(path.as_str()))
    };
    let lab = manifest.lab.get("name").and_then(|name| name.as_str()).unwrap_or("–");
    let constants: Vec<String> = summary
        .constants
        .iter()
        .map(|factor| format!("{} {}", escape(&factor.name), escape(&factor.value)))
        .collect();
    let versions: Vec<String> = manifest
        .versions
        .iter()
        .map(|(name, version)| format!("{} {}", escape(name), escape(version)))
        .collect();
    let links: Vec<String> = manifest
        .link_checks
        .iter()
        .map(|check| {
            let set =
                check.set.map_or_else(|| "not shaped".to_owned(), |set| format!("set to {set}"));
            let carried = check.carried_bits_per_s / 1e6;
            let (from, to) = (escape(&check.from), escape(&check.to));
            let over = if check.network.is_dedicated() { "" } else { ", guest network," };
            format!("{from} → {to}{over} {set}, carried {carried:.0} Mbit/s")
        })
        .collect();
    let when = match (summary.started, summary.ended) {
        (Some(started), Some(ended)) => format!(
            "{} to {} UTC ({})",
            started.strftime("%Y-%m-%d %H:%M:%S"),
            ended.strftime("%H:%M:%S"),
            duration(ended.duration_since(started).as_secs_f64())
        ),
        _ => "–".to_owned(),
    };
    let mut rows = vec![
        ("Run", code(&manifest.run)),
        ("Experiment", file(&manifest.experiment_file)),
        ("Lab", format!("{} ({})", escape(lab), file(&manifest.lab_file))),
        ("Trials", trials(summary, manifest.planned_trials)),
        ("When", when),
        ("Same in all cells", constants.join(", ")),
        (
            "Accelerator",
            format!(
                "{}: {}",
                manifest.accelerator.to_uppercase(),
                escape(&manifest.accelerator_reason)
            ),
        ),
        ("QEMU", programs(manifest)),
        ("Machine", manifest.machine.as_deref().map(escape).unwrap_or_default()),
        (
            "Guest",
            format!(
                "{} (SHA-256 {})",
                escape(&manifest.guest.kind),
                code(short(&manifest.guest.sha256))
            ),
        ),
        ("Host", machine(&manifest.host)),
        ("Nodes", nodes(manifest)),
        ("Links", links.join("; ")),
        ("Other tools", versions.join(", ")),
        ("Seed", manifest.seed.to_string()),
        ("Plan", format!("SHA-256 {}", code(short(&manifest.plan_hash)))),
        ("precopy-lab", escape(&manifest.harness_version)),
    ];
    if let Some(git) = &manifest.git {
        let dirty = if git.dirty { ", with changes that are not committed" } else { "" };
        rows.push(("Commit", format!("{}{dirty}", code(short(&git.commit)))));
    }
    // The model lab has none of these.
    let none = ["QEMU", "Guest", "Host"];
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .filter(|(name, value)| !(value.is_empty() || note::is_model(run) && none.contains(name)))
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    let heads = [String::new(), String::new()];
    format!("## What was run\n\n{}", markdown_table(&heads, &[false, false], &rows))
}

/// What a machine is.
fn machine(host: &Host) -> String {
    let gib = host.memory_bytes as f64 / f64::from(1 << 30);
    format!(
        "{}, {}, {gib:.1} GiB, Linux {}",
        escape(&host.cpu_model),
        plural(host.cpu_count, "CPU"),
        escape(&host.kernel)
    )
}

/// The nodes that are other machines; empty where there are none.
fn nodes(manifest: &Manifest) -> String {
    let nodes = manifest.nodes.iter().map(|node| {
        let NodeHost { name, host, fill_mib_per_s } = node;
        format!("{}: {}, the guest fills {fill_mib_per_s:.0} MiB/s", escape(name), machine(host))
    });
    nodes.collect::<Vec<_>>().join("; ")
}

/// The QEMUs that took part. Where there are several, their paths are the manifest's affair: a
/// name means the same on another machine.
fn programs(manifest: &Manifest) -> String {
    let programs = manifest.programs().into_iter().map(|(name, qemu)| {
        let (version, hash) = (escape(&qemu.version), code(short(&qemu.sha256)));
        match name {
            Some(name) => format!("{}: {version} (SHA-256 {hash})", code(name)),
            None => format!("{version} ({}, SHA-256 {hash})", code(qemu.path.as_str())),
        }
    });
    programs.collect::<Vec<_>>().join(", ")
}

fn trials(summary: &Summary, planned: u32) -> String {
    match &summary.stopping {
        None => format!("{} of {planned} planned", summary.trials),
        Some(stopping) => {
            let words = escape(&stopping.words());
            format!("{} of at most {planned} planned: {words}", summary.trials)
        }
    }
}

/// The first digits of a hash: enough to compare by eye; the manifest has all of it.
fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

fn results(run: Run<'_>) -> String {
    let summary = run.summary;
    let mut heads: Vec<String> = summary.factors.iter().map(|name| escape(name)).collect();
    let is_number = |at: usize| {
        let mut levels = summary.cells.iter().filter_map(|cell| cell.factors.get(at));
        levels.all(|level| Quantity::parse(&level.value).is_some())
    };
    let mut right: Vec<bool> = (0..heads.len()).map(is_number).collect();
    heads.extend(["n".to_owned(), "outcomes".to_owned()]);
    right.extend([true, false]);
    let columns: Vec<Vec<String>> =
        FIGURES.iter().map(|figure| figure.column(&summary.cells)).collect();
    for figure in &FIGURES {
        let name = figure.name();
        heads.push(if figure.unit.is_empty() { name } else { format!("{name} ({})", figure.unit) });
        right.push(true);
    }
    heads.push("integrity".to_owned());
    right.push(false);
    let rows: Vec<Vec<String>> = summary
        .cells
        .iter()
        .enumerate()
        .map(|(at, cell)| {
            let mut row: Vec<String> =
                cell.factors.iter().map(|factor| escape(&factor.value)).collect();
            row.extend([cell.n.to_string(), table::outcomes_in_words(cell)]);
            row.extend(columns.iter().map(|column| column[at].clone()));
            row.push(table::integrity_in_words(cell));
            row
        })
        .collect();
    let mut out = "## Results\n\n".to_owned();
    if rows.is_empty() && run.faults.is_damage() {
        out.push_str("No trial has a record that can be read.\n");
    } else if rows.is_empty() {
        out.push_str("No trial has a record yet.\n");
    } else {
        out.push_str(&markdown_table(&heads, &right, &rows));
    }
    out.push('\n');
    out.push_str(&damage_list(run));
    let notes = [
        Some(note::how_to_read(run)),
        note::carries_over(run),
        note::stopping(run),
        note::missing(run),
        note::lab_faults(run),
    ];
    let warnings = run.warnings.iter().map(|warning| format!("warning: {warning}"));
    for note in notes.into_iter().flatten().chain(warnings) {
        // A code span that we wrote ourselves stays one.
        let note = note.split('`').enumerate().map(|(at, part)| match at % 2 {
            0 => escape(part),
            _ => format!("`{part}`"),
        });
        let note: String = note.collect();
        let note = match note.strip_prefix("warning: ") {
            Some(rest) => format!("**Warning:** {rest}"),
            None => note,
        };
        let _ = writeln!(out, "{note}\n");
    }
    let _ = writeln!(out, "{}.", table::trials_in_words(summary));
    out
}

/// What could not be read, before everything that is said of the rest.
fn damage_list(run: Run<'_>) -> String {
    let mut notes = damage::notes(run).into_iter().peekable();
    let mut out = String::new();
    if run.faults.is_damage()
        && let Some(first) = notes.next()
    {
        let _ = writeln!(out, "**{}**\n", escape(&first));
    }
    for note in notes {
        let text = note.strip_prefix("- ").unwrap_or(&note);
        let _ = writeln!(out, "- {}", escape(text));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn own_time(run: Run<'_>) -> String {
    let wall = run.summary.phases.iter().find(|phase| phase.name == "wall");
    let wall_total = wall.map_or(0.0, |phase| phase.total_s);
    let rows: Vec<Vec<String>> = run
        .summary
        .phases
        .iter()
        .filter_map(|phase| {
            let spread = phase.spread?;
            let share = if phase.name == "overhead" || wall_total <= 0.0 {
                "–".to_owned()
            } else {
                format!("{:.0} %", 100.0 * phase.total_s / wall_total)
            };
            Some(vec![
                phase.name.replace('_', " "),
                format!("{:.3}", spread.median),
                format!("{:.3} – {:.3}", spread.min, spread.max),
                phase.n.to_string(),
                duration(phase.total_s),
                share,
            ])
        })
        .collect();
    let heads = ["phase", "median (s)", "min – max (s)", "n", "in all", "share"].map(str::to_owned);
    format!(
        "## Where the time went\n\n{}\n`overhead` is what the harness itself adds to a completed \
         trial: wall less migration time, gate and verification. `wall` is the whole trial.\n",
        markdown_table(&heads, &[false, true, true, true, true, true], &rows)
    )
}

fn meanings(run: Run<'_>) -> String {
    let kvm = run.is_kvm();
    let mut heads = ["metric", "unit", "meaning"].map(str::to_owned).to_vec();
    let mut right = vec![false; 3];
    if !kvm {
        heads.push("carries over to KVM".to_owned());
        right.push(false);
    }
    let rows: Vec<Vec<String>> = run
        .metrics()
        .map(|definition| {
            // The meanings are ours and hold code spans on purpose.
            let meaning = definition.meaning.replace('|', "\\|");
            let mut row = vec![definition.name.to_owned(), definition.unit.to_owned(), meaning];
            if !kvm {
                row.push(if definition.carries_over_to_kvm { "yes" } else { "**no**" }.to_owned());
            }
            row
        })
        .collect();
    let names: Vec<String> =
        FIGURES.iter().map(|figure| format!("{} is `{}`", figure.name(), figure.metric)).collect();
    format!(
        "## What the metrics mean\n\nIn the table of results, {}. A median of an even number of \
         values is the mean of the middle two. \\[Brackets\\] hold the interval in which a trial's \
         true value lies by its source (medians of both ends over the trials); that is no confidence \
         interval of the median. Bytes are shown in MiB.\n\n{}",
        names.join(", "),
        markdown_table(&heads, &right, &rows)
    )
}

const SAMPLED: &str = "\
- `series/TRIAL.json.gz`: what was sampled in a trial, its rounds and heartbeats
- `logs/`: the words of QEMU and of the observer
";

fn repeat(run: Run<'_>) -> String {
    let mut command = "cargo xtask experiment".to_owned();
    if let Some(file) = run.manifest.and_then(|manifest| manifest.experiment_file.as_ref()) {
        let _ = write!(command, " {file}");
    }
    if let Some(file) = run.manifest.and_then(|manifest| manifest.lab_file.as_ref()) {
        let _ = write!(command, " --lab {file}");
    }
    let named = run.manifest.into_iter().flat_map(|manifest| manifest.qemus.keys());
    for name in named.filter(|name| *name != "lab") {
        let _ = write!(command, " --qemu {name}=PATH");
    }
    format!(
        "## Repeat it, look further\n\n\
         ```sh\n{command}\ncargo xtask report {run}\n```\n\n\
         In the run's folder (`{folder}`):\n\n\
         - `manifest.json`: everything that makes the run repeatable, hashes in full\n\
         - `records.jsonl`: one line a trial, every outcome\n\
         {sampled}\
         - `summary.json`: what this report shows, for programs\n",
        sampled = if note::is_model(run) { "" } else { SAMPLED },
        run = run.name(),
        folder = run.folder
    )
}
