//! Summarises all records at once, as the definitions of a summary read: what [`super::Tally`]
//! must find one record at a time. For tests only.

use super::factor::{self, Factor};
use super::*;
use crate::record::Metric;
use std::collections::BTreeMap;

pub(super) fn summary(records: &[Record]) -> Summary {
    let (factors, constants) = factors_of(records);
    let mut by_cell: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in records {
        by_cell.entry(&record.cell).or_default().push(record);
    }
    let mut cells: Vec<_> = by_cell.into_values().map(|records| cell(&records, &factors)).collect();
    cells.sort_by(|a, b| factor::order(&a.factors, &b.factors).then(a.cell.cmp(&b.cell)));
    Summary {
        schema: SCHEMA,
        trials: records.len() as u32,
        outcomes: outcomes(&records.iter().collect::<Vec<_>>()),
        factors,
        constants,
        policies: records.iter().map(|record| record.policy.clone()).collect(),
        started: records.iter().map(|record| record.started).min(),
        ended: records.iter().filter_map(end_of).max(),
        phases: phases(records),
        cells,
        lab_faults: lab_faults(records),
        stopping: None,
    }
}

fn lab_faults(records: &[Record]) -> BTreeMap<String, u32> {
    let mut faults = BTreeMap::new();
    for fault in records.iter().flat_map(|record| &record.lab_faults) {
        *faults.entry(fault.clone()).or_insert(0) += 1;
    }
    faults
}

fn end_of(record: &Record) -> Option<jiff::Timestamp> {
    let wall = jiff::SignedDuration::try_from_secs_f64(record.phases.wall_s).ok()?;
    record.started.checked_add(wall).ok()
}

fn outcomes(records: &[&Record]) -> BTreeMap<Outcome, u32> {
    let mut outcomes = BTreeMap::new();
    for record in records {
        *outcomes.entry(record.outcome).or_insert(0) += 1;
    }
    outcomes
}

fn factors_of(records: &[Record]) -> (Vec<String>, Vec<Factor>) {
    let all: Vec<Vec<Factor>> =
        records.iter().map(|record| factor::settings(&record.settings)).collect();
    let Some(first) = all.first() else {
        return (Vec::new(), Vec::new());
    };
    let named: BTreeSet<&str> = records
        .iter()
        .flat_map(|record| record.cell.split(", "))
        .filter_map(|part| part.split_once('=').map(|(name, _)| name.trim()))
        .collect();
    let varies = |at: usize| all.iter().any(|other| other.get(at) != first.get(at));
    let mut names: Vec<String> = first
        .iter()
        .filter(|factor| named.contains(factor.name.as_str()))
        .map(|factor| factor.name.clone())
        .collect();
    if names.is_empty() {
        names =
            (0..first.len()).filter(|&at| varies(at)).map(|at| first[at].name.clone()).collect();
    }
    let constants = (0..first.len())
        .filter(|&at| !varies(at) && !names.contains(&first[at].name))
        .filter(|&at| !factor::goes_without_saying(&first[at]))
        .map(|at| first[at].clone())
        .collect();
    (names, constants)
}

fn cell(records: &[&Record], factors: &[String]) -> CellSummary {
    let mut by_outcome: BTreeMap<Outcome, Vec<&Record>> = BTreeMap::new();
    for record in records {
        by_outcome.entry(record.outcome).or_default().push(record);
    }
    CellSummary {
        cell: records[0].cell.clone(),
        factors: factor::values_of(&records[0].settings, factors),
        n: records.len() as u32,
        outcomes: outcomes(records),
        causes: causes(records),
        integrity: integrity(records),
        metrics: by_outcome
            .into_iter()
            .map(|(outcome, records)| (outcome, metrics(outcome, &records)))
            .collect(),
    }
}

fn causes(records: &[&Record]) -> Vec<Cause> {
    let mut records: Vec<&Record> =
        records.iter().copied().filter(|record| record.outcome != Outcome::Completed).collect();
    records.sort_by_key(|record| (record.outcome, record.trial));
    let mut causes: Vec<(String, Cause)> = Vec::new();
    for record in records {
        let reason = record.reason.clone().unwrap_or("no reason recorded".to_owned());
        let kind = cause::without_numbers(&reason);
        let known = causes
            .iter_mut()
            .find(|(other, cause)| *other == kind && cause.outcome == record.outcome);
        match known {
            Some((_, cause)) => cause.trials.push(record.trial),
            None => {
                let trials = vec![record.trial];
                causes.push((kind, Cause { outcome: record.outcome, reason, trials }));
            }
        }
    }
    causes.into_iter().map(|(_, cause)| cause).collect()
}

fn integrity(records: &[&Record]) -> Integrity {
    let mut integrity = Integrity::default();
    for record in records.iter().filter(|record| record.outcome != Outcome::Invalid) {
        let value = |name| match record.metrics.get(name) {
            Some(Metric::Measured(measured)) => Some(measured.value),
            _ => None,
        };
        let checked = value(metric::PAGES_CHECKED).is_some_and(|pages| pages > 0.0);
        let wrong = value(metric::PAGES_WRONG);
        let behind = value(metric::COUNTER_BEHIND);
        integrity.trials += 1;
        let lost = [wrong, behind, value(metric::DISK_BLOCKS_WRONG)]
            .iter()
            .any(|count| count.is_some_and(|n| n > 0.0));
        if lost || record.outcome == Outcome::Corrupt {
            integrity.wrong += 1;
        } else if checked && wrong.is_some() && behind.is_some() {
            integrity.verified += 1;
        }
    }
    integrity
}

fn metrics(outcome: Outcome, records: &[&Record]) -> BTreeMap<String, MetricSummary> {
    let names: BTreeSet<&String> = records
        .iter()
        .flat_map(|record| record.metrics.keys())
        .filter(|name| applies(outcome, name))
        .collect();
    names.into_iter().map(|name| (name.clone(), metric_of(name, records))).collect()
}

fn metric_of(name: &str, records: &[&Record]) -> MetricSummary {
    let mut unit = metric::definition(name).map(|definition| definition.unit.to_owned());
    let mut values = Vec::new();
    let mut because = BTreeSet::new();
    let mut sources = BTreeSet::new();
    let mut resolution = 0.0f64;
    for record in records {
        match record.metrics.get(name) {
            Some(Metric::Measured(measured)) if measured.value.is_finite() => {
                values.push(measured.value);
                sources.insert(measured.source.clone());
                if measured.resolution.is_finite() {
                    resolution = resolution.max(measured.resolution);
                }
                unit.get_or_insert_with(|| measured.unit.clone());
            }
            Some(Metric::Measured(_)) => _ = because.insert("not a finite number".to_owned()),
            Some(Metric::Unavailable(reason)) => _ = because.insert(reason.clone()),
            None => _ = because.insert("not in the record".to_owned()),
        }
    }
    let intervals: Vec<[f64; 2]> = records
        .iter()
        .filter_map(|record| match record.metrics.get(name) {
            Some(Metric::Measured(measured)) if measured.value.is_finite() => measured.interval,
            _ => None,
        })
        .collect();
    let median = |end: usize| {
        let ends: Vec<f64> = intervals.iter().map(|ends| ends[end]).collect();
        Spread::of(&ends).filter(|_| ends.len() == values.len()).map(|spread| spread.median)
    };
    MetricSummary {
        interval: median(0).zip(median(1)).map(|(low, high)| [low, high]),
        unit: unit.unwrap_or_default(),
        n: values.len() as u32,
        unavailable: (records.len() - values.len()) as u32,
        unavailable_because: because,
        spread: Spread::of(&values),
        sources,
        resolution,
    }
}

fn phases(records: &[Record]) -> Vec<PhaseSummary> {
    tally::PHASES
        .iter()
        .map(|&(name, length, completed_only)| {
            let lengths: Vec<f64> = records
                .iter()
                .filter(|record| !completed_only || record.outcome == Outcome::Completed)
                .map(|record| length(&record.phases))
                .filter(|length| length.is_finite())
                .collect();
            PhaseSummary {
                name: name.to_owned(),
                n: lengths.len() as u32,
                total_s: lengths.iter().sum(),
                spread: Spread::of(&lengths),
            }
        })
        .collect()
}
