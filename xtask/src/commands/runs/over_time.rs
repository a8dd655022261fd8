//! `runs --metric`: one metric over the runs that can be compared.

use crate::{
    cli::RunsArgs,
    color::{ColorChoice, Paint},
    columns::{Align, aligned_columns},
    exit::{self, Exit, Failure},
    show,
};
use harness::{
    judge::{self, Context, Margin, OpenInterval, Rules, Sample, SampleBuilder, ShiftScale},
    metric::{self, JUDGED, Judged},
    run_folder::RunFolder,
};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// Cells whose medians have room in a table.
const CELLS_SHOWN: usize = 6;

/// Runs of one experiment in one context, the oldest first.
#[derive(Serialize)]
struct History {
    experiment: String,
    context: Context,
    metric: &'static str,
    unit: &'static str,
    runs: Vec<Point>,
    #[serde(skip)]
    first: Sample,
}

/// A run in it.
#[derive(Serialize)]
struct Point {
    run: String,
    begun: Timestamp,
    qemu: String,
    commit: Option<String>,
    trials: u32,
    /// Over all cells, against the first run; `None` for the first, and where nothing completed.
    shift: Option<Shift>,
    /// Median of each cell in which trials completed, by the cell's identity.
    medians: BTreeMap<String, f64>,
}

/// How far a run lies from the first.
#[derive(Serialize)]
struct Shift {
    scale: ShiftScale,
    estimate: f64,
    interval: OpenInterval,
}

/// Runs the command.
///
/// # Errors
/// When there is no such metric, or it cannot be held against another run's.
pub fn run(
    args: &RunsArgs,
    name: &str,
    folders: &[RunFolder],
    colors: ColorChoice,
) -> exit::Result {
    let judged = known(name)?;
    let rules = Rules::new([(name.to_owned(), Margin::default_of(judged))]);
    let mut histories: Vec<History> = Vec::new();
    let paint = Paint::stderr(colors);
    for folder in folders {
        // One run that cannot be read must not hide the others.
        if let Err(error) = add(&mut histories, folder, args.experiment.as_deref(), judged, &rules)
        {
            show::tell(&format!("{} {error:#}", paint.warning("warning:")));
        }
    }
    if args.json {
        show::print(&format!("{}\n", serde_json::to_string_pretty(&histories)?));
    } else if histories.is_empty() {
        show::tell("there is no run to show\n\nhint: `cargo xtask runs` lists them all");
    } else {
        let tables: Vec<String> = histories.iter().map(|history| history.text(colors)).collect();
        show::print(&tables.join("\n"));
    }
    Ok(())
}

fn known(name: &str) -> exit::Result<&'static Judged> {
    metric::judged(name).ok_or_else(|| {
        let names: Vec<String> = JUDGED.iter().map(|judged| format!("`{}`", judged.name)).collect();
        let hint = metric::why_not_judged(name).map_or_else(
            || format!("these are compared between runs: {}", names.join(", ")),
            str::to_owned,
        );
        let text = format!("`{name}` is not compared between runs\n\nhint: {hint}");
        Failure::new(Exit::InvalidInput, anyhow::anyhow!(text))
    })
}

fn add(
    histories: &mut Vec<History>,
    folder: &RunFolder,
    experiment: Option<&str>,
    judged: &'static Judged,
    rules: &Rules,
) -> anyhow::Result<()> {
    let manifest = folder.manifest()?;
    if experiment.is_some_and(|wanted| wanted != manifest.name) {
        return Ok(());
    }
    let mut builder = SampleBuilder::new(&manifest, rules);
    let mut trials = 0;
    folder.read(|record| {
        trials += 1;
        builder.add(record);
    })?;
    let sample = builder.finish();
    let medians = sample.cells.iter().filter_map(|(id, cell)| {
        let values = cell.metrics.get(judged.name)?;
        Some((id.clone(), values.median()?))
    });
    let mut point = Point {
        run: folder.name().to_owned(),
        begun: manifest.created,
        qemu: manifest.qemu.version.clone(),
        commit: manifest.git.as_ref().map(|git| git.commit.clone()),
        trials,
        shift: None,
        medians: medians.collect(),
    };
    let same = |history: &&mut History| {
        history.experiment == manifest.name && history.context == sample.context
    };
    if let Some(history) = histories.iter_mut().find(same) {
        point.shift = shift(&history.first, &sample, judged.name, rules);
        history.runs.push(point);
    } else {
        histories.push(History {
            experiment: manifest.name.clone(),
            context: sample.context.clone(),
            metric: judged.name,
            unit: metric::definition(judged.name).map_or("", |definition| definition.unit),
            runs: vec![point],
            first: sample,
        });
    }
    Ok(())
}

/// `None` where the two have nothing in common.
fn shift(first: &Sample, sample: &Sample, name: &str, rules: &Rules) -> Option<Shift> {
    let judgement = judge::judge(first, sample, rules).ok()?;
    let metric = judgement.metrics.into_iter().find(|metric| metric.name == name)?;
    Some(Shift { scale: metric.scale, estimate: metric.shift?, interval: metric.interval })
}

impl History {
    fn text(&self, colors: ColorChoice) -> String {
        let Context { lab, accelerator, cpu_model, cpu_count, guest_sha256, .. } = &self.context;
        // Enough to tell two images apart; the JSON has all of it.
        let guest = guest_sha256.get(..8).unwrap_or(guest_sha256);
        let unit = if self.unit.is_empty() { String::new() } else { format!(", {}", self.unit) };
        let mut out = format!(
            "{}{unit} over the runs of {} ({lab}, {}, {cpu_count} × {cpu_model}, guest {guest})\n\n",
            self.metric,
            self.experiment,
            accelerator.to_uppercase()
        );
        let cells: Vec<&str> = self.first.in_order().into_iter().map(|(id, _)| id).collect();
        let shown = |cell: &&&str| self.runs.iter().any(|run| run.medians.contains_key(**cell));
        let cells: Vec<&str> = cells.iter().filter(shown).copied().collect();
        let cells = if cells.len() <= CELLS_SHOWN { cells } else { Vec::new() };
        let mut head: Vec<String> =
            ["run", "begun (UTC)", "QEMU", "trials", "shift", ""].map(str::to_owned).into();
        head.extend((1..=cells.len()).map(|number| format!("({number})")));
        let mut rows = vec![head];
        rows.extend(self.runs.iter().map(|run| run.row(&cells)));
        let mut align = vec![Align::Left, Align::Left, Align::Left, Align::Right, Align::Right];
        align.push(Align::Left);
        align.resize(6 + cells.len(), Align::Right);
        let mut lines = aligned_columns(&align, &rows);
        if let Some(head) = lines.first_mut() {
            *head = Paint::stdout(colors).strong(head);
        }
        out.push_str(&lines.join("\n"));
        out.push('\n');
        if !cells.is_empty() {
            out.push_str("\nMedians of the cells:\n");
            for (number, cell) in cells.iter().enumerate() {
                out.push_str(&format!("  ({}) {cell}\n", number + 1));
            }
        }
        out
    }
}

impl Point {
    fn row(&self, cells: &[&str]) -> Vec<String> {
        let (shift, interval) = match &self.shift {
            None => ("-".to_owned(), String::new()),
            Some(shift) => shift.text(),
        };
        let mut row = vec![
            self.run.clone(),
            self.begun.strftime("%Y-%m-%d %H:%M").to_string(),
            self.qemu.split(' ').next().unwrap_or_default().to_owned(),
            self.trials.to_string(),
            shift,
            interval,
        ];
        row.extend(cells.iter().map(|cell| {
            self.medians.get(*cell).map_or_else(|| "-".to_owned(), |median| four_digits(*median))
        }));
        row
    }
}

impl Shift {
    fn text(&self) -> (String, String) {
        let (factor, unit) = match self.scale {
            ShiftScale::Fraction => (100.0, " %"),
            ShiftScale::Unit => (1.0, ""),
        };
        let end = |end: Option<f64>, open: &str| {
            end.map_or_else(|| open.to_owned(), |end| format!("{:+.1}", end * factor))
        };
        let OpenInterval { low, high } = self.interval;
        (
            format!("{:+.1}{unit}", self.estimate * factor),
            format!("[{}, {}]", end(low, "-inf"), end(high, "+inf")),
        )
    }
}

/// A number with four significant digits, never in powers of ten.
fn four_digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let decimals = (3.0 - value.abs().log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_digits() {
        let texts = [0.012_345, 1.0, 12.3456, 784.0, 37_394_123.0, 0.0].map(four_digits);
        assert_eq!(texts, ["0.01235", "1.000", "12.35", "784.0", "37394123", "0"]);
    }

    #[test]
    fn an_unknown_metric_is_told_what_there_is() {
        let error = known("nonsense").expect_err("no metric").error.expect("a text").to_string();
        assert!(error.contains("`total_time`"), "{error}");
        assert!(known("total_time").is_ok());
    }
}
