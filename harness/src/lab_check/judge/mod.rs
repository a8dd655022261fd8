//! From what was measured of a lab to findings. Pure.

mod addresses;
mod cluster;
mod machines;
mod number;
mod storage;
mod ways;

pub use ways::{Carries, carries, shaping};

use super::{Finding, Measured, Needs, Severity, What};
use lab::spec::LabSpec;

/// Everything that can be said of the lab, the worst first.
#[must_use]
pub fn judge(spec: &LabSpec, measured: &Measured, needs: &Needs) -> Vec<Finding> {
    let mut findings = Vec::new();
    machines::reachable(&measured.machines, &mut findings);
    for way in &measured.ways {
        ways::judge(spec, way, &mut findings);
    }
    addresses::judge(spec, &measured.addresses, &mut findings);
    storage::judge(spec, &measured.storage, needs, &mut findings);
    machines::clocks(measured, &mut findings);
    machines::judge(&measured.machines, needs, &mut findings);
    cluster::judge(spec, measured, needs, &mut findings);
    findings.sort_by_key(|finding| (finding.severity, finding.what, finding.network.clone()));
    findings
}

/// A finding that says all is well, to be changed where it is not.
fn finding(what: What, nodes: &[&str]) -> Finding {
    Finding {
        severity: Severity::Ok,
        what,
        network: None,
        nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
        expected: String::new(),
        measured: String::new(),
        tolerance: String::new(),
        value: None,
        unit: None,
        remedy: None,
    }
}

impl Finding {
    fn of_network(mut self, network: &str) -> Self {
        self.network = Some(network.to_owned());
        self
    }

    fn expected(mut self, expected: impl Into<String>, tolerance: impl Into<String>) -> Self {
        (self.expected, self.tolerance) = (expected.into(), tolerance.into());
        self
    }

    fn measured(mut self, words: impl Into<String>, value: f64, unit: &str) -> Self {
        self.measured = words.into();
        (self.value, self.unit) = (Some(value), Some(unit.to_owned()));
        self
    }

    fn said(mut self, words: impl Into<String>) -> Self {
        self.measured = words.into();
        self
    }

    fn with(mut self, severity: Severity, remedy: impl Into<String>) -> Self {
        (self.severity, self.remedy) = (severity, Some(remedy.into()));
        self
    }
}
