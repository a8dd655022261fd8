//! The machines: whether they answer, what they are busy with, whether they are alike, and their
//! clocks.

use super::{finding, number};
use crate::lab_check::{
    Clock, Facts, Finding, Machine, Measured, Needs, Offset, Reading, Severity, What,
    tolerance::{CLOCK_DRIFT_PPM, CLOCK_ERROR_MS, CLOCK_OFFSET_MS, LOAD, STOLEN},
};
use std::collections::BTreeMap;

/// Guests that a machine has at once at most: both ends of a migration.
const MOST_GUESTS: usize = 2;

fn names(machine: &Machine) -> Vec<&str> {
    machine.nodes.iter().map(String::as_str).collect()
}

fn answering(machines: &[Machine]) -> impl Iterator<Item = (&Machine, &Facts)> {
    machines.iter().filter_map(|machine| match &machine.facts {
        Reading::Measured(facts) => Some((machine, facts)),
        Reading::Failed(_) => None,
    })
}

pub(super) fn reachable(machines: &[Machine], findings: &mut Vec<Finding>) {
    for machine in machines {
        let found = finding(What::Reachable, &names(machine)).expected("runs a command", "");
        findings.push(match &machine.facts {
            Reading::Measured(_) => found.said("yes"),
            Reading::Failed(why) => found.said(format!("no: {why}")).with(
                Severity::Fail,
                "bring the lab up again (`cargo xtask lab-down`, `lab-up`); the node's other checks were left out",
            ),
        });
    }
}

pub(super) fn judge(machines: &[Machine], needs: &Needs, findings: &mut Vec<Finding>) {
    for (machine, facts) in answering(machines) {
        findings.push(load(machine, facts));
        findings.extend(machine.stolen.map(|share| stolen(machine, share)));
        findings.push(memory(machine, facts, needs));
    }
    let qemu = |facts: &Facts| facts.qemu.clone().unwrap_or_else(|| "none".to_owned());
    let missing = answering(machines).any(|(_, facts)| facts.qemu.is_none());
    let same = "install the same version on every node: trials from one to the other would not be the same as back";
    findings.extend(alike(What::Qemu, machines, qemu).map(|found| match found.severity {
        Severity::Ok if !missing => found,
        _ if missing => found.with(
            Severity::Fail,
            "a node lacks QEMU: `cargo xtask setup --install` on this machine, `lab-up` on the lab's",
        ),
        _ => found.with(Severity::Fail, same),
    }));
    findings.extend(alike(What::Kernel, machines, |facts| facts.kernel.clone()).map(|found| {
        match found.severity {
            Severity::Ok => found,
            _ => found.with(Severity::Warn, "boot the same kernel on every node"),
        }
    }));
}

fn load(machine: &Machine, facts: &Facts) -> Finding {
    let most = LOAD * f64::from(facts.processors);
    let found = finding(What::Load, &names(machine))
        .expected("", format!("at most {most:.1} over a minute"))
        .measured(
            format!("{:.2} on {} processors", facts.load, facts.processors),
            facts.load,
            "processes",
        );
    if facts.load > most {
        found.with(Severity::Warn, "end what else runs there, or wait until it is done")
    } else {
        found
    }
}

fn stolen(machine: &Machine, share: f64) -> Finding {
    let found = finding(What::Stolen, &names(machine))
        .expected("", format!("at most {}", number::percent(STOLEN)))
        .measured(number::percent(share), share, "share");
    if share > STOLEN {
        let remedy = "the machine is a virtual one and its host gave its processors to others meanwhile: links carry less and guests stand still for it; measure when the host is quiet, or on another";
        found.with(Severity::Warn, remedy)
    } else {
        found
    }
}

#[expect(clippy::cast_precision_loss, reason = "to be shown")]
fn memory(machine: &Machine, facts: &Facts, needs: &Needs) -> Finding {
    let guests = machine.nodes.len().min(MOST_GUESTS) as u64;
    let needed = needs.memory_bytes.saturating_mul(guests);
    let free = facts.memory_available_bytes;
    let least = match needed {
        0 => String::new(),
        needed => format!("at least {}", number::bytes(needed)),
    };
    let found = finding(What::Memory, &names(machine)).expected("", least).measured(
        format!("{} available", number::bytes(free)),
        free as f64,
        "B",
    );
    if free < needed {
        let remedy = "lower `memory` or `filled` in the experiment, or give the machine more";
        found.with(Severity::Fail, remedy)
    } else {
        found
    }
}

/// Whether all machines say the same: a warning where they do not.
fn alike(what: What, machines: &[Machine], says: impl Fn(&Facts) -> String) -> Option<Finding> {
    let mut said: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (machine, facts) in answering(machines) {
        said.entry(says(facts)).or_default().extend(names(machine));
    }
    let all: Vec<&str> = answering(machines).flat_map(|(machine, _)| names(machine)).collect();
    let found = finding(what, &all).expected("the same on all nodes", "");
    match said.len() {
        0 => None,
        1 => Some(found.said(said.into_keys().next().unwrap_or_default())),
        _ => {
            let each: Vec<String> = said
                .iter()
                .map(|(words, nodes)| format!("{words} ({})", nodes.join(", ")))
                .collect();
            let mut found = found.said(each.join("; "));
            found.severity = Severity::Warn;
            Some(found)
        }
    }
}

pub(super) fn clocks(measured: &Measured, findings: &mut Vec<Finding>) {
    for machine in &measured.machines {
        if machine.nodes.iter().all(|node| measured.clocks.iter().all(|it| it.node != *node))
            && matches!(machine.facts, Reading::Measured(_))
        {
            let found = finding(What::Clock, &names(machine)).expected("", "");
            findings.push(found.said("this machine's own"));
        }
    }
    findings.extend(measured.clocks.iter().map(clock));
}

fn clock(clock: &Clock) -> Finding {
    let found = finding(What::Clock, &[&clock.node])
        .expected("", format!("known to {}", number::ms(CLOCK_ERROR_MS)));
    let (first, last) = match (&clock.first, &clock.last) {
        (Reading::Measured(first), Reading::Measured(last)) => (first, last),
        (Reading::Failed(why), _) | (_, Reading::Failed(why)) => {
            let remedy = "without it the node's times cannot be told from here: see that it is up and not overloaded";
            return found.said(format!("not measured: {why}")).with(Severity::Fail, remedy);
        }
    };
    let (drift, drift_error) = drift_ppm(first, last, clock.apart_s);
    let words = format!(
        "{} ± {}, drift {drift:.0} ± {drift_error:.0} ppm",
        number::ms(last.offset_ms),
        number::ms(last.error_ms)
    );
    let found = found.measured(words, last.offset_ms, "ms");
    if first.error_ms.max(last.error_ms) > CLOCK_ERROR_MS {
        found.with(Severity::Warn, "times of this node are no better known than that: a nearer or less busy node answers faster")
    } else if drift.abs() - drift_error > CLOCK_DRIFT_PPM {
        found.with(Severity::Warn, "the offset moves within a trial: run `chronyd` or `systemd-timesyncd` there, and let it settle")
    } else if last.offset_ms.abs() > CLOCK_OFFSET_MS {
        found.with(Severity::Warn, "it is corrected, but nobody keeps this clock: run `chronyd` or `systemd-timesyncd` there")
    } else {
        found
    }
}

/// How much faster a clock goes than ours, and how far that may be off, parts per million.
fn drift_ppm(first: &Offset, last: &Offset, apart_s: f64) -> (f64, f64) {
    if apart_s <= 0.0 {
        return (0.0, f64::INFINITY);
    }
    let ppm = |ms: f64| ms / (apart_s * 1e3) * 1e6;
    (ppm(last.offset_ms - first.offset_ms), ppm(first.error_ms + last.error_ms))
}
