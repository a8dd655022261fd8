//! The text of a sample: what an insta snapshot of a baseline holds. Written so that two of them
//! can be read side by side, and read back with the place of every mistake.

mod file;

use super::sample::place_of;
use super::{CellSample, Sample, Values};
use crate::metric::JUDGED;
use crate::record::Outcome;
use lab::yaml::Report;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Version of the text's layout, its key `schema`.
pub const SCHEMA: u32 = 1;

/// The name of the file that holds the baseline of such a run, `quick--netns-qemu-tcg-1a2b3c4d.snap`:
/// one for each experiment and context.
#[must_use]
pub fn file_name(sample: &Sample) -> String {
    let context = &sample.context;
    let name = format!(
        "{}--{}-{}-{}",
        sample.experiment,
        context.lab,
        context.accelerator,
        context.fingerprint()
    );
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    format!("{}.snap", name.chars().map(safe).collect::<String>())
}

/// The sample as text, ending in a newline. Why trials failed is not part of it.
#[must_use]
pub fn render(sample: &Sample) -> String {
    let Sample { experiment, context, subject, .. } = sample;
    let mut out = Text(String::new());
    out.line(0, "# Accepted values, sorted, per cell over the trials that completed.");
    out.line(0, &format!("schema: {SCHEMA}"));
    out.pair(0, "experiment", experiment);
    out.line(0, "context:");
    out.pair(1, "lab", &context.lab);
    out.pair(1, "accelerator", &context.accelerator);
    out.pair(1, "cpu_model", &context.cpu_model);
    out.line(1, &format!("cpu_count: {}", context.cpu_count));
    out.map(1, "links", &context.links);
    out.pair(1, "guest", &context.guest);
    out.pair(1, "guest_sha256", &context.guest_sha256);
    out.line(1, &format!("metrics: {}", context.metrics));
    out.line(0, "subject:");
    out.map(1, "programs", &subject.programs);
    out.pair(1, "kernel", &subject.kernel);
    out.pair(1, "policy", &subject.policy);
    out.map(1, "settings", &subject.settings);
    out.pair(1, "harness", &subject.harness);
    if sample.cells.is_empty() {
        out.line(0, "cells: {}");
    } else {
        out.line(0, "cells:");
    }
    for (id, cell) in sample.in_order() {
        out.line(1, &format!("{}:", quoted(id)));
        out.cell(cell);
    }
    out.0
}

/// A YAML text that is being written.
struct Text(String);

impl Text {
    fn line(&mut self, depth: usize, line: &str) {
        let _ = writeln!(self.0, "{:1$}{line}", "", depth * 2);
    }

    fn pair(&mut self, depth: usize, key: &str, value: &str) {
        self.line(depth, &format!("{key}: {}", quoted(value)));
    }

    fn map(&mut self, depth: usize, key: &str, pairs: &BTreeMap<String, String>) {
        if pairs.is_empty() {
            return self.line(depth, &format!("{key}: {{}}"));
        }
        self.line(depth, &format!("{key}:"));
        for (key, value) in pairs {
            self.pair(depth + 1, &key_of(key), value);
        }
    }

    fn cell(&mut self, cell: &CellSample) {
        let outcomes: Vec<String> =
            cell.outcomes.iter().map(|(outcome, n)| format!("{}: {n}", word(*outcome))).collect();
        self.line(2, &format!("outcomes: {{ {} }}", outcomes.join(", ")));
        if cell.metrics.is_empty() {
            return;
        }
        self.line(2, "metrics:");
        let known = JUDGED.iter().filter_map(|judged| cell.metrics.get_key_value(judged.name));
        for (name, values) in known {
            self.line(3, &format!("{name}: {}", line_of(values)));
        }
    }
}

/// The word of an outcome, as in records.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "completed",
        Outcome::NotConverged => "not_converged",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "cancelled",
        Outcome::Corrupt => "corrupt",
        Outcome::Invalid => "invalid",
    }
}

fn line_of(values: &Values) -> String {
    let decimals = usize::try_from(-place_of(values.resolution)).unwrap_or(0).min(9);
    let numbers: Vec<String> =
        values.values.iter().map(|value| format!("{value:.decimals$}")).collect();
    let unit = match values.unit.as_str() {
        "" => String::new(),
        unit => format!("unit: {}, ", quoted(unit)),
    };
    format!("{{ {unit}resolution: {}, values: [{}] }}", values.resolution, numbers.join(", "))
}

/// A text in double quotes; JSON's quoting is YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A key, in quotes where it is more than a word.
fn key_of(key: &str) -> String {
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        // What YAML takes for something else than a text.
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&key.to_ascii_lowercase().as_str());
    if plain { key.to_owned() } else { quoted(key) }
}

/// Reads what [`render`] wrote; `file_name` is for the report. A snapshot file's header, from
/// `---` to `---` at its very beginning, is skipped.
///
/// # Errors
/// Everything that is wrong with it, by line and column.
pub fn parse(file_name: &str, text: &str) -> Result<Sample, Report> {
    let text = without_header(text);
    let parsed = file::read(file_name, &text)?;
    let problems = file::problems(&parsed);
    Ok(parsed.checked(problems)?.sample())
}

/// The text with the lines of a snapshot's header empty, so that lines keep their numbers.
fn without_header(text: &str) -> String {
    let mut lines = text.split_inclusive('\n');
    if lines.next().map(str::trim_end) != Some("---") {
        return text.to_owned();
    }
    let mut header = 1;
    for line in lines {
        header += 1;
        if line.trim_end() == "---" {
            let rest: String = text.split_inclusive('\n').skip(header).collect();
            return "\n".repeat(header) + &rest;
        }
    }
    // A header without end is a mistake; the parser says where.
    text.to_owned()
}

#[cfg(test)]
mod tests;
