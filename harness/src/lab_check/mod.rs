//! Whether a lab is what its file says: what its links, storage, clocks and machines really are,
//! measured, and judged by stated tolerances.
//!
//! `measure` talks to the nodes, `judge` is pure: from what was measured to findings.

mod finding;
pub mod judge;
mod measure;
mod measured;
pub mod tolerance;

pub use finding::{Finding, LabCheck, MAX_FAULT_BYTES, MOST_FAULTS, Severity, What};
pub(crate) use measure::rate;
pub use measured::{
    Answered, Clock, Facts, Machine, Measured, Offset, Reading, RoundTrip, Seen, Store, Taken, Way,
    Wrote,
};

use camino::Utf8Path;
use judge::judge;
use lab::{
    RunningLab,
    hypervisor::proxmox::{
        Client,
        survey::{Answer, Refusal, Survey},
    },
    spec::LabSpec,
};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Which rates are measured; everything else always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rates {
    /// Those of every link of the ring of nodes, both ways.
    All,
    /// Each node's link to a shaped network once: what must be known before an experiment.
    Shaped,
}

/// What an experiment takes of the machines; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Memory that one end of a migration takes on its machine at most, bytes.
    pub memory_bytes: u64,
    /// What is written into the shared folder at most, bytes.
    pub storage_bytes: u64,
}

/// What is asked of a check.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The observer, a file of this machine.
    pub observer: &'a Utf8Path,
    /// The QEMU that nodes are asked for, as they would start it.
    pub qemu: &'a str,
    /// Which rates are measured.
    pub rates: Rates,
    /// What the experiment takes; nothing when there is none.
    pub needs: Needs,
}

/// Measures a lab that is up and judges it. What cannot be measured is a finding.
pub async fn check(lab: &RunningLab, asked: &Asked<'_>) -> LabCheck {
    let at = jiff::Timestamp::now();
    let begun = Instant::now();
    let measured = measure::measure(lab, asked).await;
    let findings = judge(&lab.spec, &measured, &asked.needs);
    LabCheck { at, seconds: begun.elapsed().as_secs_f64(), findings, measured }
}

/// Asks a Proxmox cluster's API and judges what it tells, with what was measured on the nodes
/// themselves where that was. That nobody answers is a finding.
pub async fn check_cluster(
    spec: &LabSpec,
    client: &Client,
    needs: &Needs,
    on_nodes: Option<LabCheck>,
) -> LabCheck {
    let begun = Instant::now();
    let survey = match Survey::take(client, spec).await {
        Ok(survey) => Answer::Told(survey),
        Err(error) => Answer::Refused(Refusal::from(&error)),
    };
    let (at, seconds, measured) = match on_nodes {
        Some(check) => (check.at, check.seconds, check.measured),
        None => (jiff::Timestamp::now(), 0.0, Measured::default()),
    };
    let measured = Measured { proxmox: Some(survey), ..measured };
    let findings = judge(spec, &measured, needs);
    LabCheck { at, seconds: seconds + begun.elapsed().as_secs_f64(), findings, measured }
}

#[cfg(test)]
mod tests;
