//! The needs for people: one line for what is there, more for what is not.

use super::need::{Job, Need, State};
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
    let old = needs.iter().any(|need| need.state == State::Old);
    match (experiment.as_str(), ci.as_str()) {
        ("", "") if old => "Ready, with an old QEMU: see above.".to_owned(),
        ("", "") => "Ready: everything that is needed is there.".to_owned(),
        ("", ci) => format!("Ready for experiments, but not for `cargo xtask ci`: {ci}."),
        (experiment, "") => format!("Not ready: {experiment}."),
        (experiment, ci) => format!("Not ready: {experiment}; for `cargo xtask ci` also: {ci}."),
    }
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
        assert_eq!(verdict(&needs), "Not ready: tc, /dev/net/tun.");
        needs.retain(|need| !need.prevents());
        assert_eq!(verdict(&needs), "Ready, with an old QEMU: see above.");
        needs.retain(|need| need.state != State::Old);
        assert_eq!(verdict(&needs), "Ready: everything that is needed is there.");
        let clippy = Err(Fault::missing("not part of the toolchain"));
        needs.push(Need::required("clippy", "checks the code", clippy).for_ci());
        assert_eq!(verdict(&needs), "Ready for experiments, but not for `cargo xtask ci`: clippy.");
    }
}
