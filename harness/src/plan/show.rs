//! The plan as a text for people.

use super::Plan;
use crate::experiment::Experiment;
use lab::units::BitRate;
use std::{fmt::Write as _, time::Duration};

/// The plan as `--plan` prints it: what is held, the cells with their estimates, and the order.
/// `nodes` are the lab's, by name; `lab_link_rate` is its migration network's.
#[must_use]
pub fn render_plan(
    plan: &Plan,
    experiment: &Experiment,
    nodes: &[String],
    lab_link_rate: Option<BitRate>,
) -> String {
    let mut out = String::new();
    heading(&mut out, plan, experiment, lab_link_rate);
    cells(&mut out, plan, experiment, lab_link_rate);
    order(&mut out, plan, nodes);
    out
}

fn heading(out: &mut String, plan: &Plan, experiment: &Experiment, lab_link_rate: Option<BitRate>) {
    let used = used_cells(plan);
    let least = plan.at_least(experiment);
    // From so many to so many, where the run may end early.
    let range = |least: String, most: String| {
        if least == most { most } else { format!("{least} to {most}") }
    };
    let _ = writeln!(
        out,
        "{}: {} ({} of {}, {}), about {}",
        experiment.name,
        range_of(least.trials.len(), plan.trials.len(), "trial"),
        used.len(),
        count(plan.cells.len(), "cell"),
        range_of(least.blocks(), plan.blocks(), "block"),
        range(
            rough(least.estimate(experiment, lab_link_rate)),
            rough(plan.estimate(experiment, lab_link_rate))
        ),
    );
    if let Some(rule) = experiment.replicates.rule() {
        let asked: Vec<String> = rule
            .precision
            .0
            .iter()
            .map(|(metric, percent)| format!("{metric} to ±{percent}"))
            .collect();
        let _ = writeln!(
            out,
            "ends after a block, from block {} on, once every cell's median is known: {}",
            rule.min,
            asked.join(", "),
        );
    }
    let _ = writeln!(
        out,
        "seed {}, policy {}, at most {} a migration, a heartbeat each {}",
        experiment.seed, experiment.policy, experiment.max_time, experiment.heartbeat_interval,
    );
    if !experiment.gate.is_default() {
        let _ = writeln!(out, "the gate asks for {}", experiment.gate);
    }
    if let Some(first) = plan.cells.first() {
        let held: Vec<String> = first
            .levels
            .texts()
            .into_iter()
            .filter(|(name, _)| !plan.varying.contains(name))
            .map(|(name, level)| format!("{name}={level}"))
            .collect();
        let _ = writeln!(out, "the same in every cell: {}", held.join(", "));
    }
}

fn cells(out: &mut String, plan: &Plan, experiment: &Experiment, lab_link_rate: Option<BitRate>) {
    let mut rows = vec![["trials".to_owned(), "each".to_owned(), "cell".to_owned()]];
    for cell in used_cells(plan) {
        let mut trials = plan.trials.iter().filter(|trial| trial.cell == cell).peekable();
        let each = trials.peek().map(|trial| plan.estimate_trial(trial, experiment, lab_link_rate));
        rows.push([
            trials.count().to_string(),
            each.map_or_else(String::new, rough),
            plan.cells[cell].id.clone(),
        ]);
    }
    out.push('\n');
    table(out, &rows, [true, true, false]);
}

fn order(out: &mut String, plan: &Plan, nodes: &[String]) {
    let name = |index: usize| nodes.get(index).map_or("?", String::as_str);
    let mut rows = vec![["trial", "block", "migration", "witness", "cell"].map(str::to_owned)];
    for trial in &plan.trials {
        rows.push([
            trial.trial.to_string(),
            trial.block.to_string(),
            format!("{} -> {}", name(trial.source), name(trial.target)),
            name(trial.witness).to_owned(),
            plan.cell_of(trial).id.clone(),
        ]);
    }
    out.push('\n');
    table(out, &rows, [true, true, false, false, false]);
}

/// The cells that have a trial, in their order.
fn used_cells(plan: &Plan) -> Vec<usize> {
    (0..plan.cells.len())
        .filter(|cell| plan.trials.iter().any(|trial| trial.cell == *cell))
        .collect()
}

/// Columns two blanks apart; `right` tells which are set to the right.
fn table<const N: usize>(out: &mut String, rows: &[[String; N]], right: [bool; N]) {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
    });
    for row in rows {
        let cells: Vec<String> = (0..N)
            .map(|column| {
                let (text, width) = (&row[column], widths[column]);
                if right[column] { format!("{text:>width$}") } else { format!("{text:<width$}") }
            })
            .collect();
        let _ = writeln!(out, "{}", cells.join("  ").trim_end());
    }
}

fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// `20 to 80 trials`.
fn range_of(least: usize, most: usize, thing: &str) -> String {
    let most_words = count(most, thing);
    if least == most { most_words } else { format!("{least} to {most_words}") }
}

/// A time as people say it: `2.4 s`, `1 min 50 s`, `1 h 2 min`.
fn rough(time: Duration) -> String {
    let seconds = time.as_secs_f64().round();
    if time.as_secs_f64() < 10.0 {
        return format!("{:.1} s", time.as_secs_f64());
    }
    let (hours, minutes) = ((seconds / 3600.0).floor(), (seconds / 60.0).floor() % 60.0);
    if hours > 0.0 {
        format!("{hours} h {minutes} min")
    } else if minutes > 0.0 {
        format!("{minutes} min {} s", seconds % 60.0)
    } else {
        format!("{seconds} s")
    }
}
