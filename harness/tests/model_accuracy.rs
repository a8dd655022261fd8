//! How well the model predicts, cell by cell, on records of real trials that are kept in `docs/`.
//!
//! Each cell's *measured* throughput and touch rate (medians over its trials) go in; what comes
//! out is held against the medians of its completed trials. Nothing but the two constants of
//! `model::Costs::LOCAL_LAB` was fitted, on the cells with 128 MiB of `precopy-2026-11-22`.

use flate2::read::GzDecoder;
use harness::{
    metric, prediction,
    record::{Metric, Outcome, Record},
};
use model::{Costs, Policy, Prediction, QemuRule, Scenario, Textbook};
use std::{
    collections::BTreeMap,
    fmt::Write,
    fs::File,
    io::{BufRead, BufReader},
    path::PathBuf,
};

const MATRIX: &str = "precopy-2026-11-22/records.jsonl.gz";

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("it is there").to_owned()
}

/// The trials of a run that is kept, by cell.
fn cells(run: &str) -> BTreeMap<String, Vec<Record>> {
    let path = repository().join("docs").join(run);
    let mut cells: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for line in BufReader::new(GzDecoder::new(File::open(path).expect("it is there"))).lines() {
        let record: Record =
            serde_json::from_str(&line.expect("it is there")).expect("it is there");
        if record.outcome != Outcome::Invalid {
            cells.entry(record.cell.clone()).or_default().push(record);
        }
    }
    cells
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (n > 0).then(|| f64::midpoint(values[(n - 1) / 2], values[n / 2]))
}

fn median_of<'a>(records: impl IntoIterator<Item = &'a Record>, name: &str) -> Option<f64> {
    let value = |record: &Record| match record.metrics.get(name) {
        Some(Metric::Measured(measured)) => Some(measured.value),
        _ => None,
    };
    median(records.into_iter().filter_map(value).collect())
}

/// A cell: what was measured, and what each model expects.
struct Judged {
    name: String,
    memory_mib: u64,
    completed: usize,
    trials: usize,
    /// Medians of total time (ms), stream bytes, downtime (ms) and rounds.
    measured: Option<[f64; 4]>,
    pause_ms: f64,
    model: Prediction,
    /// The same of the models of the literature.
    textbook: [f64; 3],
    rule: [f64; 3],
}

impl Judged {
    fn of(name: &str, records: &[Record]) -> Self {
        let completed: Vec<&Record> =
            records.iter().filter(|record| record.outcome == Outcome::Completed).collect();
        // The medians of a cell, as the metrics of a trial.
        let mut metrics = records[0].metrics.clone();
        for input in [
            metric::THROUGHPUT,
            metric::TOUCH_RATE_DURING,
            metric::TOUCH_RATE_BEFORE,
            metric::SETUP_TIME,
            metric::STREAM_BYTES,
            metric::ZERO_PAGES,
        ] {
            if let (Some(Metric::Measured(measured)), Some(value)) =
                (metrics.get_mut(input), median_of(records, input))
            {
                measured.value = value;
            }
        }
        let settings = &records[0].settings;
        let known = prediction::known(settings, &metrics).expect("it is there");
        let scenario = prediction::scenario(settings, Policy::Qemu, &known);
        let of = |name| median_of(completed.iter().copied(), name);
        Self {
            name: name.to_owned(),
            memory_mib: settings.memory.0 >> 20,
            completed: completed.len(),
            trials: records.len(),
            measured: of(metric::TOTAL_TIME).map(|total| {
                let [stream, downtime, rounds] =
                    [metric::STREAM_BYTES, metric::DOWNTIME_REPORTED, metric::ROUNDS]
                        .map(|name| of(name).expect("it is there"));
                [total, stream, downtime, rounds]
            }),
            pause_ms: of(metric::VCPU_PAUSE).unwrap_or(f64::NAN),
            model: scenario.predict(),
            textbook: textbook(&scenario),
            rule: rule(&scenario),
        }
    }

    fn model(&self) -> [f64; 3] {
        [self.model.total_time_s * 1e3, self.model.stream_bytes, self.model.downtime_s * 1e3]
    }

    /// Signed errors of three values, percent.
    fn errors(&self, predicted: [f64; 3]) -> Option<[f64; 3]> {
        let measured = self.measured?;
        Some(std::array::from_fn(|at| 100.0 * (predicted[at] - measured[at]) / measured[at]))
    }
}

fn textbook(scenario: &Scenario) -> [f64; 3] {
    let plain = Textbook::new(
        scenario.memory_bytes,
        scenario.live_bytes_per_s(),
        scenario.downtime_limit_s,
        scenario.writer,
    );
    let course = Textbook {
        zero_bytes: scenario.zero_bytes,
        stop_bandwidth_bytes_per_s: scenario.link_bytes_per_s,
        setup_s: scenario.costs.setup_s,
        counts_headers: true,
        most_rounds: 1000,
        ..plain
    }
    .course();
    [course.total_time_s * 1e3, course.stream_bytes, course.downtime_s * 1e3]
}

fn rule(scenario: &Scenario) -> [f64; 3] {
    let plain = QemuRule::new(
        scenario.memory_bytes - scenario.zero_bytes,
        scenario.live_bytes_per_s(),
        scenario.downtime_limit_s,
        scenario.writer,
    );
    let course = QemuRule {
        stop_bandwidth_bytes_per_s: scenario.link_bytes_per_s,
        setup_s: scenario.costs.setup_s,
        most_syncs: 2000,
        ..plain
    }
    .course();
    [course.total_time_s * 1e3, course.stream_bytes, course.downtime_s * 1e3]
}

fn judged(run: &str) -> Vec<Judged> {
    let mut judged: Vec<Judged> =
        cells(run).iter().map(|(name, records)| Judged::of(name, records)).collect();
    // Numbers in names by their value.
    judged.sort_by_key(|cell| {
        cell.name
            .split(' ')
            .map(|word| {
                let number = word.split('=').next_back().and_then(|text| text.parse::<u32>().ok());
                number.map_or_else(|| word.to_owned(), |number| format!("{number:09}"))
            })
            .collect::<Vec<_>>()
    });
    judged
}

/// The table of a run: a line a cell, then the medians.
fn table(cells: &[Judged]) -> String {
    let mut out = String::from(
        "signed errors in % of the measured median: total time, stream bytes, downtime\n",
    );
    for cell in cells {
        let _ = writeln!(out, "{} ({} of {} completed)", cell.name, cell.completed, cell.trials);
        let Some([total, stream, downtime, rounds]) = cell.measured else {
            let _ = writeln!(
                out,
                "  model: converges in {:.0} % of cases{}",
                100.0 * cell.model.converging_share,
                if cell.model.converged {
                    format!(", after {:.1} s", cell.model.total_time_s)
                } else {
                    String::new()
                },
            );
            continue;
        };
        let _ = writeln!(
            out,
            "  measured  {total:.0} ms, {:.1} MiB, {downtime:.0} ms (pause {:.0} ms), {rounds} rounds",
            stream / 1_048_576.0,
            cell.pause_ms,
        );
        for (name, values) in
            [("model", cell.model()), ("rule", cell.rule), ("textbook", cell.textbook)]
        {
            let [total, stream, downtime] = cell.errors(values).expect("it is there");
            let _ = write!(out, "  {name:<8} {total:>+7.1} {stream:>+7.1} {downtime:>+7.1}");
            if name == "model" {
                let band = cell.model.downtime_band_s;
                let _ = write!(
                    out,
                    "   downtime {:.0} to {:.0} ms, {} rounds, converges in {:.0} % of cases",
                    band.low * 1e3,
                    band.high * 1e3,
                    cell.model.rounds,
                    100.0 * cell.model.converging_share,
                );
            }
            out.push('\n');
        }
    }
    out
}

/// Medians of absolute errors, percent, over those cells in which something completed.
fn medians(cells: &[&Judged], of: impl Fn(&Judged) -> [f64; 3]) -> [f64; 3] {
    let errors: Vec<[f64; 3]> = cells.iter().filter_map(|cell| cell.errors(of(cell))).collect();
    std::array::from_fn(|at| {
        median(errors.iter().map(|error| error[at].abs()).collect()).expect("it is there")
    })
}

/// A line of METHODOLOGY.md's table.
fn row(what: &str, cells: &[&Judged]) -> String {
    let completed: Vec<&Judged> =
        cells.iter().copied().filter(|cell| cell.measured.is_some()).collect();
    let worst = |at: usize| {
        let errors =
            completed.iter().map(|cell| cell.errors(cell.model()).expect("it is there")[at].abs());
        errors.fold(0.0, f64::max)
    };
    let within = |value: fn(&Judged) -> (f64, f64, f64)| {
        let bands = completed.iter().map(|cell| value(cell));
        bands.filter(|(value, low, high)| low <= value && value <= high).count()
    };
    let downtime_within = within(|cell| {
        let band = cell.model.downtime_band_s;
        (cell.measured.expect("it is there")[2], band.low * 1e3, band.high * 1e3)
    });
    let figures = |of: &dyn Fn(&Judged) -> [f64; 3]| {
        medians(cells, of).map(|error| format!("{error:.1}")).join(" / ")
    };
    format!(
        "| {what} | {} | {} | {:.1} / {:.1} / {:.1} | {} | {} | {downtime_within} of {} |",
        completed.len(),
        figures(&Judged::model),
        worst(0),
        worst(1),
        worst(2),
        figures(&|cell| cell.rule),
        figures(&|cell| cell.textbook),
        completed.len(),
    )
}

fn assert_in_methodology(row: &str) {
    let methodology =
        std::fs::read_to_string(repository().join("METHODOLOGY.md")).expect("it is there");
    assert!(methodology.contains(row), "METHODOLOGY.md should have\n{row}");
}

#[test]
fn cells_of_the_matrix_that_nothing_was_fitted_on_are_predicted() {
    let cells = judged(MATRIX);
    insta::assert_snapshot!("matrix", table(&cells));
    let held_out: Vec<&Judged> = cells.iter().filter(|cell| cell.memory_mib != 128).collect();
    let fitted: Vec<&Judged> = cells.iter().filter(|cell| cell.memory_mib == 128).collect();
    assert_eq!((held_out.len(), fitted.len()), (16, 16));
    let [total, stream, downtime] = medians(&held_out, Judged::model);
    assert!(total <= 10.0 && stream <= 10.0 && downtime <= 20.0, "{total} {stream} {downtime}");
    // Whether it converges is never got wrong.
    for cell in &cells {
        assert_eq!(cell.model.converged, cell.measured.is_some(), "{}", cell.name);
    }
    assert_in_methodology(&row("matrix, memory 256 MiB", &held_out));
    assert_in_methodology(&row("matrix, memory 128 MiB (fitted)", &fitted));
}

/// Other patterns, caps, zero pages and links: nothing was fitted on any of them.
#[test]
fn what_the_matrix_does_not_vary_is_predicted() {
    let others = judged("model-2026-11-22/others.jsonl.gz");
    insta::assert_snapshot!("others", table(&others));
    let links = judged("model-2026-11-22/links.jsonl.gz");
    insta::assert_snapshot!("links", table(&links));
    for (what, cells) in
        [("other patterns, caps, zero pages", &others), ("100 Mbit/s to 2 Gbit/s", &links)]
    {
        let cells: Vec<&Judged> = cells.iter().collect();
        let [total, stream, downtime] = medians(&cells, Judged::model);
        assert!(
            total <= 10.0 && stream <= 10.0 && downtime <= 20.0,
            "{what}: {total} {stream} {downtime}"
        );
        assert_in_methodology(&row(what, &cells));
    }
}

/// The two constants are what the cells with 128 MiB say: the time between stop and resume that
/// the bytes of the stop do not explain, as a constant and as bytes that wait before the link.
#[test]
fn the_constants_are_those_of_the_cells_they_were_fitted_on() {
    let mut unexplained: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for records in cells(MATRIX).values() {
        let settings = &records[0].settings;
        if settings.memory.0 != 128 << 20 {
            continue;
        }
        let rate = settings.link_rate.expect("it is there");
        let seconds = records.iter().filter_map(|record| {
            let of = |name| median_of([record], name);
            let stop_s = of(metric::STOP_BYTES)? / prediction::payload_bytes_per_s(rate);
            Some(of(metric::DOWNTIME_REPORTED)? / 1e3 - stop_s)
        });
        if let Some(seconds) = median(seconds.collect()) {
            unexplained.entry(rate.0).or_default().push(seconds);
        }
    }
    let points: Vec<(f64, f64)> = unexplained
        .into_iter()
        .map(|(rate, cells)| {
            let bytes_per_s = prediction::payload_bytes_per_s(lab::units::BitRate(rate));
            (1.0 / bytes_per_s, median(cells).expect("it is there"))
        })
        .collect();
    let [(fast, slow), (other_fast, other_slow)] = points[..] else { panic!("{points:?}") };
    let backlog_bytes = (slow - other_slow) / (fast - other_fast);
    let fixed_s = slow - backlog_bytes * fast;
    let Costs { stop_fixed_s, backlog_bytes: used_bytes, .. } = Costs::LOCAL_LAB;
    assert!((backlog_bytes / used_bytes - 1.0).abs() < 0.05, "{backlog_bytes}");
    assert!((fixed_s - stop_fixed_s).abs() < 0.001, "{fixed_s}");
}
