//! What must hold of every record.

use harness::{
    metric,
    record::{Metric, Outcome, Record},
};

/// The value of a metric, when it was measured.
pub fn value(record: &Record, name: &str) -> Option<f64> {
    match record.metrics.get(name) {
        Some(Metric::Measured(measured)) => Some(measured.value),
        _ => None,
    }
}

/// The value of a metric that must have been measured.
pub fn measured(record: &Record, name: &str) -> f64 {
    value(record, name).unwrap_or_else(|| panic!("{name}: {:?}", record.metrics.get(name)))
}

/// Every metric is there with its unit or a reason, and the phases add up.
pub fn well_formed(record: &Record) {
    let by_proxmox = record.policy == "proxmox";
    let expected = || metric::ALL.iter().chain(metric::OF_PROXMOX.iter().filter(|_| by_proxmox));
    assert_eq!(record.metrics.len(), expected().count(), "{:?}", record.metrics.keys());
    for definition in expected() {
        match record.metrics.get(definition.name) {
            Some(Metric::Measured(measured)) => {
                assert_eq!(measured.unit, definition.unit, "{}", definition.name);
                assert!(!measured.source.is_empty(), "{}", definition.name);
            }
            Some(Metric::Unavailable(reason)) => assert!(!reason.is_empty(), "{}", definition.name),
            None => panic!("{} is missing", definition.name),
        }
    }
    let phases = &record.phases;
    let sum = phases.start_s
        + phases.fill_s
        + phases.gate_s
        + phases.migrate_s
        + phases.verify_s
        + phases.tear_down_s;
    assert!((sum - phases.wall_s).abs() < 1e-6, "{phases:?}");
    assert_eq!(record.outcome == Outcome::Completed, record.reason.is_none(), "{record:#?}");
}

/// The guest was checked, and every page of it was right.
pub fn verified(record: &Record) {
    assert!(measured(record, metric::PAGES_CHECKED) > 0.0, "{record:#?}");
    assert_eq!(measured(record, metric::PAGES_WRONG), 0.0, "{record:#?}");
    assert_eq!(measured(record, metric::COUNTER_BEHIND), 0.0, "{record:#?}");
}
