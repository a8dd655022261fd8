//! From what a trial is told to do to what the model is asked.

use super::ModelLab;
use crate::{
    experiment::Experiment,
    prediction::{self, Known, cap_bytes_per_s, payload_bytes_per_s},
    trial::Order,
};
use model::{Costs, Policy, Scenario};

/// The migration of this order: everything is as it was asked for, and costs are those of the
/// local lab.
pub(super) fn scenario(order: &Order, lab: &ModelLab) -> Scenario {
    let settings = &order.settings;
    let known = Known {
        link_bytes_per_s: payload_bytes_per_s(settings.link_rate.unwrap_or(lab.link_rate())),
        cap_bytes_per_s: cap_bytes_per_s(settings.bandwidth_limit),
        touch_pages_per_s: f64::from(settings.touch_rate.0),
        max_time_s: order.max_time.as_secs_f64(),
        costs: Costs::LOCAL_LAB,
    };
    let policy = if order.policy == "proxmox" { Policy::Proxmox } else { Policy::Qemu };
    prediction::scenario(settings, policy, &known)
}

/// The factors that the model knows.
const KNOWN: [&str; 9] = [
    "memory",
    "working_set",
    "filled",
    "touch_rate",
    "pattern",
    "content",
    "link_rate",
    "bandwidth_limit",
    "downtime_limit",
];

/// What an experiment asks for that the model knows nothing of, each in words for a warning.
#[must_use]
pub fn unknown_to_the_model(experiment: &Experiment) -> Vec<String> {
    let varying = experiment.varying().into_iter().filter(|name| !KNOWN.contains(name));
    let mut unknown: Vec<String> = varying
        .map(|name| {
            format!(
                "the model knows no `{name}`: cells that differ in it alone differ by noise alone"
            )
        })
        .collect();
    if experiment.factors.disk.iter().any(|disk| !disk.is_none()) {
        unknown.push("the model's guests have no disk: nothing is written to it".to_owned());
    }
    let policy = experiment.policy.to_string();
    if policy != "qemu" {
        unknown.push(format!(
            "the model lab's noise is of real trials under the policy `qemu`, not `{policy}`"
        ));
    }
    unknown
}
