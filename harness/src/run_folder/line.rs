//! A record as one line: at most [`MAX_LINE_BYTES`], readable again, one record whatever happens.

use super::Error;
use crate::record::{Metric, Record};

/// A record's line is kept below this, its newline included.
pub const MAX_LINE_BYTES: usize = 8 * 1024;

/// Longest reason of an outcome, bytes. The whole of it is in the trial's log.
const MAX_REASON_BYTES: usize = 1024;
/// Longest reason why a metric is unavailable, and longest name of a source, bytes.
const MAX_NOTE_BYTES: usize = 120;

/// The line of a record, newline included.
///
/// What does not fit is shortened: long texts are cut and say by how much; then rounds are left
/// out of the middle (their numbers show which; the series has all of them). A metric that is not
/// finite is written as unavailable.
pub(super) fn line_of(record: &Record) -> Result<String, Error> {
    let mut record = record.clone();
    sanitise_metrics(&mut record);
    check_finite(&record)?;
    if let Some(reason) = &mut record.reason {
        cut(reason, MAX_REASON_BYTES);
    }
    let rounds = std::mem::take(&mut record.rounds);
    let mut keep = rounds.len();
    loop {
        let first = keep.div_ceil(2);
        let last = keep - first;
        record.rounds =
            rounds[..first].iter().chain(&rounds[rounds.len() - last..]).cloned().collect();
        let mut line = serde_json::to_string(&record).map_err(|cause| Error::Json {
            path: format!("record of trial {}", record.trial).into(),
            cause,
        })?;
        line.push('\n');
        if line.len() <= MAX_LINE_BYTES || keep == 0 {
            return Ok(line);
        }
        keep = keep * 3 / 4;
    }
}

fn sanitise_metrics(record: &mut Record) {
    for metric in record.metrics.values_mut() {
        if let Metric::Measured(measured) = metric {
            if !measured.value.is_finite() {
                *metric = Metric::Unavailable(format!("not a finite number: {}", measured.value));
                continue;
            }
            if measured.interval.is_some_and(|ends| ends.iter().any(|end| !end.is_finite())) {
                measured.interval = None;
            }
            if !measured.resolution.is_finite() {
                *metric = Metric::Unavailable("its resolution is not a finite number".into());
                continue;
            }
            cut(&mut measured.source, MAX_NOTE_BYTES);
        }
        if let Metric::Unavailable(reason) = metric {
            cut(reason, MAX_NOTE_BYTES);
        }
    }
}

/// Numbers outside the metrics have no way to be unavailable: a non-finite one is a bug that
/// must be seen, and would make the line unreadable.
fn check_finite(record: &Record) -> Result<(), Error> {
    let phases = record.phases;
    let phases = [
        phases.start_s,
        phases.fill_s,
        phases.gate_s,
        phases.migrate_s,
        phases.verify_s,
        phases.tear_down_s,
        phases.wall_s,
        phases.overhead_s,
    ];
    let rounds = record.rounds.iter().flat_map(|round| [round.start_s, round.duration_s]);
    let what = if phases.iter().any(|number| !number.is_finite()) {
        "phases"
    } else if rounds.into_iter().any(|number| !number.is_finite()) {
        "rounds"
    } else if !record.host_load.is_finite() {
        "host_load"
    } else {
        return Ok(());
    };
    Err(Error::NotFinite { trial: record.trial, what })
}

fn cut(text: &mut String, most: usize) {
    if text.len() <= most {
        return;
    }
    let end = text.floor_char_boundary(most.saturating_sub(40));
    let rest = text.len() - end;
    text.truncate(end);
    text.push_str(&format!("… ({rest} bytes more in the log)"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::lab_check;
    use crate::record::{Program, Programs, Round};

    fn big() -> Record {
        let mut record = fixture::not_converged(3, 20_000);
        record.rounds = (1..=400)
            .map(|number| Round {
                number,
                start_s: f64::from(number) * 0.123_456_789_012,
                duration_s: 0.123_456_789_012_345,
                bytes: Some(123_456_789),
                remaining_bytes: Some(987_654_321),
                stopped: false,
            })
            .collect();
        let program = |name: &str| Program {
            name: name.repeat(20),
            version: "10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)".to_owned(),
            sha256: "0a4d55a8".repeat(8),
        };
        record.programs = Some(Programs {
            source: program("a"),
            target: program("b"),
            machine: Some("pc-i440fx-10.0".to_owned()),
        });
        record.reason = Some("qemu said: ünhappy\n".repeat(5000));
        record.lab_faults =
            vec!["ü".repeat(lab_check::MAX_FAULT_BYTES / 2); lab_check::MOST_FAULTS + 1];
        for definition in crate::metric::ALL.iter().step_by(2) {
            let reason = "the answer lacked it; ".repeat(100);
            record.metrics.insert(definition.name.into(), Metric::Unavailable(reason));
        }
        record
    }

    #[test]
    fn a_big_record_stays_within_a_few_kib_and_keeps_both_ends_of_its_rounds() {
        let line = line_of(&big()).unwrap();
        assert!(line.len() <= MAX_LINE_BYTES, "{}", line.len());
        assert!(line.len() > MAX_LINE_BYTES / 2, "shortened more than needed: {}", line.len());
        assert_eq!(line.matches('\n').count(), 1);
        let back: Record = serde_json::from_str(&line).unwrap();
        assert_eq!(back.rounds.first().unwrap().number, 1);
        assert_eq!(back.rounds.last().unwrap().number, 400);
        assert_eq!(back.programs, big().programs);
        assert!(back.reason.unwrap().contains("bytes more in the log"));
    }

    #[test]
    fn an_ordinary_record_is_not_shortened() {
        let record = fixture::completed(0, 5000);
        let line = line_of(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
    }

    #[test]
    fn a_metric_that_is_not_finite_becomes_unavailable() {
        for value in [f64::NAN, f64::INFINITY] {
            let mut record = fixture::completed(0, 5000);
            let Some(Metric::Measured(measured)) = record.metrics.get_mut("throughput") else {
                panic!("fixture lacks throughput");
            };
            measured.value = value;
            let back: Record = serde_json::from_str(&line_of(&record).unwrap()).unwrap();
            assert_eq!(
                back.metrics["throughput"],
                Metric::Unavailable(format!("not a finite number: {value}"))
            );
        }
    }

    #[test]
    fn other_numbers_must_be_finite() {
        let mut record = fixture::completed(0, 5000);
        record.phases.overhead_s = f64::NAN;
        let error = line_of(&record).expect_err("must be refused");
        assert_eq!(
            error.to_string(),
            "record of trial 0 holds a number that is not finite: phases"
        );
    }
}
