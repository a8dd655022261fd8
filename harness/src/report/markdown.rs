//! `report.md`: the whole run, for GitHub's Markdown.

use super::figure::FIGURES;
use super::number::{decimals, duration, fixed, plural, shown_unit};
use super::{Run, note, table};
use crate::metric;
use crate::record::Outcome;
use crate::summary::{CellSummary, MetricSummary, Quantity, Spread};
use std::fmt::Write;

/// The report of a run as Markdown, ending in a newline.
#[must_use]
pub fn markdown(run: Run<'_>) -> String {
    let sections =
        [what_was_run(run), results(run), cells(run), own_time(run), meanings(run), repeat(run)];
    format!("# {}\n\n{}", escape(&run.manifest.name), sections.join("\n"))
}

/// The text so that Markdown shows it as it is, in a table too.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let inside_word = before.is_alphanumeric()
            && characters.peek().is_some_and(|next| next.is_alphanumeric());
        match c {
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' => out.extend(['\\', c]),
            '_' if !inside_word => out.push_str("\\_"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\n' | '\r' => out.push(' '),
            _ => out.push(c),
        }
        before = c;
    }
    out
}

/// A table: `right` says which columns hold numbers. Cells are Markdown already.
fn markdown_table(heads: &[String], right: &[bool], rows: &[Vec<String>]) -> String {
    let mut out = format!("| {} |\n|", heads.join(" | "));
    for &right in right {
        out.push_str(if right { " ---: |" } else { " --- |" });
    }
    out.push('\n');
    for row in rows {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out
}

fn what_was_run(run: Run<'_>) -> String {
    let Run { manifest, summary, .. } = run;
    let code = |text: &str| format!("`{}`", text.replace(['`', '|', '\n'], " "));
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
    let when = match (summary.started, summary.ended) {
        (Some(started), Some(ended)) => format!(
            "{} to {} UTC ({})",
            started.strftime("%Y-%m-%d %H:%M:%S"),
            ended.strftime("%H:%M:%S"),
            duration(ended.duration_since(started).as_secs_f64())
        ),
        _ => "–".to_owned(),
    };
    let host = &manifest.host;
    let gib = host.memory_bytes as f64 / f64::from(1 << 30);
    let mut rows = vec![
        ("Run", code(&manifest.run)),
        ("Experiment", file(&manifest.experiment_file)),
        ("Lab", format!("{} ({})", escape(lab), file(&manifest.lab_file))),
        ("Trials", format!("{} of {} planned", summary.trials, manifest.planned_trials)),
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
        (
            "QEMU",
            format!(
                "{} ({}, SHA-256 {})",
                escape(&manifest.qemu.version),
                code(manifest.qemu.path.as_str()),
                code(short(&manifest.qemu.sha256))
            ),
        ),
        (
            "Guest",
            format!(
                "{} (SHA-256 {})",
                escape(&manifest.guest.kind),
                code(short(&manifest.guest.sha256))
            ),
        ),
        (
            "Host",
            format!(
                "{}, {}, {gib:.1} GiB, Linux {}",
                escape(&host.cpu_model),
                plural(host.cpu_count, "CPU"),
                escape(&host.kernel)
            ),
        ),
        ("Other tools", versions.join(", ")),
        ("Seed", manifest.seed.to_string()),
        ("Plan", format!("SHA-256 {}", code(short(&manifest.plan_hash)))),
        ("precopy-lab", escape(&manifest.harness_version)),
    ];
    if let Some(git) = &manifest.git {
        let dirty = if git.dirty { ", with changes that are not committed" } else { "" };
        rows.push(("Commit", format!("{}{dirty}", code(short(&git.commit)))));
    }
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    let heads = [String::new(), String::new()];
    format!("## What was run\n\n{}", markdown_table(&heads, &[false, false], &rows))
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
    if rows.is_empty() {
        out.push_str("No trial has a record yet.\n");
    } else {
        out.push_str(&markdown_table(&heads, &right, &rows));
    }
    out.push('\n');
    let notes = [Some(note::how_to_read(run)), note::carries_over(run), note::missing(run)];
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

fn cells(run: Run<'_>) -> String {
    let mut out = "## Cells\n".to_owned();
    for cell in &run.summary.cells {
        let _ = writeln!(out, "\n### {}\n", escape(note::label(cell)));
        let _ = writeln!(
            out,
            "{}: {}. Integrity: {}.\n",
            plural(cell.n, "trial"),
            table::outcomes_in_words(cell),
            table::integrity_in_words(cell)
        );
        for cause in &cell.causes {
            let _ = writeln!(out, "- {}", escape(&note::cause_in_words(cell, cause)));
        }
        if !cell.causes.is_empty() {
            out.push('\n');
        }
        let tables: Vec<String> =
            cell.metrics.keys().filter_map(|&outcome| metrics_of(cell, outcome)).collect();
        out.push_str(&tables.join("\n"));
    }
    out
}

/// All metrics of the trials of one outcome, in the order of [`metric::ALL`].
fn metrics_of(cell: &CellSummary, outcome: Outcome) -> Option<String> {
    let metrics = cell.metrics.get(&outcome)?;
    let known = metric::ALL.iter().map(|definition| definition.name);
    let others =
        metrics.keys().map(String::as_str).filter(|name| metric::definition(name).is_none());
    let mut rows = Vec::new();
    let mut without: Vec<(String, Vec<&str>)> = Vec::new();
    for name in known.chain(others) {
        let Some(summary) = metrics.get(name) else { continue };
        match summary.spread {
            Some(spread) => rows.push(metric_row(name, summary, spread)),
            None => {
                let because: Vec<&str> =
                    summary.unavailable_because.iter().map(String::as_str).collect();
                let because = because.join("; ");
                match without.iter_mut().find(|(other, _)| *other == because) {
                    Some((_, names)) => names.push(name),
                    None => without.push((because, vec![name])),
                }
            }
        }
    }
    if rows.is_empty() && without.is_empty() {
        return None;
    }
    let (words, until) = match outcome {
        Outcome::Completed => ("Completed", ""),
        Outcome::NotConverged => ("Not converged", ", until the cancellation"),
        Outcome::Cancelled => ("Cancelled", ", until the cancellation"),
        Outcome::Failed => ("Failed", ", until the failure"),
        Outcome::Corrupt => ("Corrupt", ""),
        Outcome::Invalid => ("Invalid", ", from the gate"),
    };
    let mut out = format!("{words} ({}){until}:\n\n", plural(cell.count(outcome), "trial"));
    if !rows.is_empty() {
        let heads = ["metric", "median", "min – max", "unit", "n", "source"].map(str::to_owned);
        out.push_str(&markdown_table(&heads, &[false, true, true, false, true, false], &rows));
    }
    for (because, names) in without {
        let gap = if out.ends_with("\n\n") { "" } else { "\n" };
        let _ = writeln!(out, "{gap}Unavailable: {} ({}).", names.join(", "), escape(&because));
    }
    Some(out)
}

fn metric_row(name: &str, summary: &MetricSummary, spread: Spread) -> Vec<String> {
    let (unit, divisor) = shown_unit(&summary.unit);
    let values = [spread.median, spread.min, spread.max].map(|value| value / divisor);
    let digits = decimals(values, summary.resolution / divisor);
    let [median, min, max] = values.map(|value| fixed(value, digits));
    let sources: Vec<String> = summary.sources.iter().map(|source| escape(source)).collect();
    let n = match summary.unavailable {
        0 => summary.n.to_string(),
        missing => format!("{} ({missing} without)", summary.n),
    };
    vec![name.to_owned(), median, format!("{min} – {max}"), unit.to_owned(), n, sources.join(", ")]
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
    let kvm = run.manifest.accelerator.eq_ignore_ascii_case("kvm");
    let mut heads = ["metric", "unit", "meaning"].map(str::to_owned).to_vec();
    let mut right = vec![false; 3];
    if !kvm {
        heads.push("carries over to KVM".to_owned());
        right.push(false);
    }
    let rows: Vec<Vec<String>> = metric::ALL
        .iter()
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
         values is the mean of the middle two. Bytes are shown in MiB.\n\n{}",
        names.join(", "),
        markdown_table(&heads, &right, &rows)
    )
}

fn repeat(run: Run<'_>) -> String {
    let manifest = run.manifest;
    let mut command = "cargo xtask experiment".to_owned();
    if let Some(file) = &manifest.experiment_file {
        let _ = write!(command, " {file}");
    }
    if let Some(file) = &manifest.lab_file {
        let _ = write!(command, " --lab {file}");
    }
    format!(
        "## Repeat it, look further\n\n\
         ```sh\n{command}\ncargo xtask report {run}\n```\n\n\
         In the run's folder (`{folder}`):\n\n\
         - `manifest.json`: everything that makes the run repeatable, hashes in full\n\
         - `records.jsonl`: one line a trial, every outcome\n\
         - `series/TRIAL.json.gz`: what was sampled in a trial, its rounds and heartbeats\n\
         - `logs/`: the words of QEMU and of the observer\n\
         - `summary.json`: what this report shows, for programs\n",
        run = manifest.run,
        folder = run.folder
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_as_it_is() {
        assert_eq!(escape("a|b\nc"), "a\\|b c");
        assert_eq!(escape("touch_rate _x_ *y* <z>"), "touch_rate \\_x\\_ \\*y\\* &lt;z&gt;");
    }
}
