//! The needs for people: one line for what is there, more for what is not.

use super::{
    install::Plan,
    need::{Job, Need, State},
};
use crate::color::Paint;

/// The table. What is fine takes one line; the rest says what it is for and how to get it.
pub fn table(needs: &[Need], paint: Paint) -> String {
    let width = needs.iter().map(|need| need.what.len()).max().unwrap_or_default();
    let mut text = String::new();
    for need in needs {
        let label = format!("{:<8}", label(need));
        let label = match need.state {
            State::Ok => paint.good(&label),
            _ if need.prevents() => paint.error(&label),
            _ => paint.warning(&label),
        };
        text += &format!("{label} {:<width$}  {}\n", need.what, need.found);
        if need.state != State::Ok {
            text += &format!("{:9}  why: {}\n", "", need.why);
        }
        if let Some(remedy) = &need.remedy {
            text += &format!("{:9}  get: {remedy}\n", "");
        }
    }
    text
}

fn label(need: &Need) -> &'static str {
    match need.state {
        State::Ok => "ok",
        State::Missing if !need.required => "note",
        State::Missing => "missing",
        State::Old => "old",
        State::Blocked => "blocked",
    }
}

/// One sentence on what can be done on this machine.
pub fn verdict(needs: &[Need]) -> String {
    let lacking = |job: Job| {
        let names: Vec<&str> = needs
            .iter()
            .filter(|need| need.needed_for == job && need.prevents())
            .map(|need| need.what)
            .collect();
        names.join(", ")
    };
    let (experiment, ci) = (lacking(Job::Experiment), lacking(Job::Ci));
    let verdict = match (experiment.as_str(), ci.as_str()) {
        ("", "") => "Ready: everything that is needed is there.".to_owned(),
        ("", ci) => format!("Ready for experiments, but not for `cargo xtask ci`: {ci}."),
        (experiment, "") => format!("Not ready: {experiment}."),
        (experiment, ci) => format!("Not ready: {experiment}; for `cargo xtask ci` also: {ci}."),
    };
    let old = needs.iter().any(|need| need.state == State::Old);
    if old { format!("{verdict} The QEMU is old: see above.") } else { verdict }
}

/// What the plan leaves as it is, a line each.
pub fn notes(plan: &Plan) -> String {
    plan.notes.iter().map(|note| format!("note: {note}\n")).collect()
}

/// The plan's steps, to be pasted into a shell: not indented, or a here-document would not end.
pub fn steps(plan: &Plan) -> String {
    plan.steps.iter().map(|step| format!("{}\n", step.display())).collect()
}

/// The steps for a user who must become root by hand.
pub fn by_hand(plan: &Plan) -> String {
    let steps = steps(plan);
    format!(
        "This user may not install (sudo wants a password, or is not there). Run this:\n\n{steps}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        color::ColorChoice,
        setup::{
            distribution::Package,
            need::{Fault, Source},
        },
    };

    fn needs() -> Vec<Need> {
        let old = Fault {
            state: State::Old,
            found: "7.2.22 (Debian) at /usr/bin/qemu-system-x86_64; older than 10".to_owned(),
            remedy: None,
        };
        let deny = Err(Fault::missing("not found"));
        vec![
            Need::required("qemu-system-x86_64", "runs and migrates the guests", Err(old)).from(
                Source::Package(Package::Qemu),
                "apt-get install -t bookworm-backports qemu-system-x86".to_owned(),
            ),
            Need::required("ip", "makes the lab's links", Ok("/usr/sbin/ip".to_owned())),
            Need::required("tc", "sets rates", Err(Fault::missing("not found")))
                .from(Source::Package(Package::Iproute), "apt-get install iproute2".to_owned()),
            Need::required(
                "/dev/net/tun",
                "the guest's network card",
                Err(Fault::blocked("Permission denied").remedy("sudo chmod 0666 /dev/net/tun")),
            ),
            Need::required("cargo-deny", "checks licences", deny).for_ci().optional(),
        ]
    }

    #[test]
    fn a_table_for_people() {
        insta::assert_snapshot!(table(&needs(), Paint::stdout(ColorChoice::Never)));
    }

    #[test]
    fn the_verdict_names_what_prevents() {
        let mut needs = needs();
        assert_eq!(verdict(&needs), "Not ready: tc, /dev/net/tun. The QEMU is old: see above.");
        needs.retain(|need| !need.prevents());
        needs.retain(|need| need.state != State::Old);
        assert_eq!(verdict(&needs), "Ready: everything that is needed is there.");
        let clippy = Err(Fault::missing("not part of the toolchain"));
        needs.push(Need::required("clippy", "checks the code", clippy).for_ci());
        assert_eq!(verdict(&needs), "Ready for experiments, but not for `cargo xtask ci`: clippy.");
    }
}
