//! The addresses that guests get.

use super::finding;
use crate::lab_check::{Answered, Finding, Reading, Severity, Taken, What};
use lab::spec::{GUEST_SLOTS, LabSpec};
use std::collections::BTreeMap;

/// One finding of all that are free, or one of each that is taken; and of each node that could not
/// ask.
pub(super) fn judge(spec: &LabSpec, answers: &[Answered], findings: &mut Vec<Finding>) {
    let guest = &spec.networks.guest;
    let range = format!("{} to {}", guest.guest_address(GUEST_SLOTS - 1), guest.guest_address(0));
    let mut asked: Vec<&str> = Vec::new();
    let mut found: BTreeMap<&Taken, Vec<&str>> = BTreeMap::new();
    for Answered { node, taken } in answers {
        match taken {
            Reading::Measured(taken) => {
                asked.push(node);
                for taken in taken {
                    found.entry(taken).or_default().push(node);
                }
            }
            Reading::Failed(why) => findings.push(
                finding(What::GuestAddresses, &[node])
                    .expected(format!("{range} free"), "")
                    .said(format!("not asked for: {why}"))
                    .with(
                        Severity::Fail,
                        "the node must be able to send ARP: look for what forbids packet sockets",
                    ),
            ),
        }
    }
    for (Taken { address, mac }, nodes) in &found {
        findings.push(
            finding(What::GuestAddresses, nodes)
                .expected(format!("{range} free"), "")
                .said(format!("{address} is taken by {mac}"))
                .with(
                    Severity::Fail,
                    "guests get these addresses: free it, end a guest that was left, or give `networks.guest.cidr` another range",
                ),
        );
    }
    if found.is_empty() && !asked.is_empty() {
        findings.push(
            finding(What::GuestAddresses, &asked)
                .expected(format!("{range} free"), "")
                .said("nobody answers"),
        );
    }
}
