//! Ways from node to node: what they carry, how long they take, how large packets may be.

use super::{finding, number};
use crate::{
    lab_check::{
        Finding, Machine, Reading, RoundTrip, Severity, Way, What,
        tolerance::{LOST, RATE_OVER, RATE_UNDER, ROUND_TRIP_MS, STOLEN},
    },
    link_check::LinkCheck,
};
use lab::{
    spec::{LabSpec, Network},
    units::BitRate,
};

/// What a link carries, against the rate that it is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// More: it is not shaped.
    More,
    /// As much as it should.
    Enough,
    /// Less.
    Less,
}

/// Holds what was carried, bits of payload per second, against the rate.
#[must_use]
pub fn carries(set: BitRate, carried_bits_per_s: f64) -> Carries {
    #[expect(clippy::cast_precision_loss, reason = "a link's bits per second are far below 2^53")]
    let share = carried_bits_per_s / set.0 as f64;
    if share > RATE_OVER {
        Carries::More
    } else if share < RATE_UNDER {
        Carries::Less
    } else {
        Carries::Enough
    }
}

/// What to do where a rate that was set by ourselves is not had.
const SHAPED_BY_US: &str =
    "the lab cannot do this rate: lower the experiment's `link_rate`, or end what else runs";

/// A link that was shaped to a rate of an experiment.
#[must_use]
pub fn shaping(check: &LinkCheck) -> Finding {
    let mut found = rate(
        finding(What::Rate, &[&check.from, &check.to])
            .of_network(&check.network.link().to_string()),
        check.set,
        check.carried_bits_per_s,
    );
    if let Some(remedy) = &mut found.remedy {
        *remedy = SHAPED_BY_US.to_owned();
    }
    found
}

pub(super) fn judge(spec: &LabSpec, machines: &[Machine], way: &Way, findings: &mut Vec<Finding>) {
    let Some((_, network)) = spec.networks.all().find(|(name, _)| *name == way.network) else {
        return;
    };
    let about = |what: What| finding(what, &[&way.from, &way.to]).of_network(&way.network);
    let mtu = mtu(about(What::Mtu), way, network);
    // Where nothing arrives, nothing else can be said of the way.
    let arrives = matches!(way.mtu, Reading::Measured(1..));
    findings.push(mtu);
    if !arrives {
        return;
    }
    findings.extend(way.round_trip.as_ref().map(|times| round_trip(about(What::RoundTrip), times)));
    match &way.carried_bits_per_s {
        Some(Reading::Measured(carried)) => {
            let mut found = rate(about(What::Rate), network.link_rate, *carried);
            let faster =
                network.link_rate.is_some_and(|set| carries(set, *carried) == Carries::More);
            if faster && !spec.shapes_at_rest() {
                // As it should be: experiments shape it.
                (found.severity, found.remedy) = (Severity::Ok, None);
                found.tolerance = "at least; experiments shape it".to_owned();
            }
            found.remedy = found
                .remedy
                .map(|words| format!("{words}{}{}", taken(way, machines), look(way, "tc qdisc")));
            findings.push(found);
        }
        Some(Reading::Failed(why)) => findings.push(
            about(What::Rate)
                .expected(rate_words(network.link_rate), "")
                .said(format!("not measured: {why}"))
                .with(
                    Severity::Fail,
                    "a TCP stream between the nodes must be possible: look for a firewall",
                ),
        ),
        None => {}
    }
}

fn rate_words(rate: Option<BitRate>) -> String {
    rate.map_or_else(|| "unlimited".to_owned(), |rate| rate.to_string())
}

fn rate(found: Finding, set: Option<BitRate>, carried: f64) -> Finding {
    let found = found.measured(number::rate(carried), carried, "bit/s");
    let Some(set) = set else { return found.expected("unlimited", "") };
    let tolerance = format!("{} to {}", number::percent(RATE_UNDER), number::percent(RATE_OVER));
    let found = found.expected(set.to_string(), tolerance);
    let network = found.network.clone().unwrap_or_default();
    match carries(set, carried) {
        Carries::Enough => found,
        Carries::More => found.with(
            Severity::Fail,
            format!(
                "the link is not shaped: `cargo xtask lab-down` and `lab-up` shape it, or write `networks.{network}.link_rate: unlimited`"
            ),
        ),
        Carries::Less => found.with(
            Severity::Fail,
            format!(
                "something else shapes the link, or the machine cannot do more: end what else runs, or lower `networks.{network}.link_rate`"
            ),
        ),
    }
}

/// That an end of the way did not get its processors, as a part of a remedy.
fn taken(way: &Way, machines: &[Machine]) -> String {
    let ends =
        |machine: &&Machine| [&way.from, &way.to].iter().any(|it| machine.nodes.contains(it));
    let most = machines.iter().filter(ends).filter_map(|it| it.stolen).fold(0.0, f64::max);
    if most > STOLEN {
        format!("; meanwhile {} of the processors' time went to others", number::percent(most))
    } else {
        String::new()
    }
}

/// Where to look, as the end of a remedy.
fn look(way: &Way, what: &str) -> String {
    match &way.device {
        Some(device) => format!(
            "; `cargo xtask lab-exec {} -- {what} show dev {device}` shows what is in force",
            way.from
        ),
        None => String::new(),
    }
}

fn round_trip(found: Finding, reading: &Reading<RoundTrip>) -> Finding {
    let found = found.expected("", format!("at most {}", number::ms(ROUND_TRIP_MS)));
    let times = match reading {
        Reading::Measured(times) => times,
        Reading::Failed(why) => {
            let remedy = "UDP between the nodes must be possible: look for a firewall";
            return found.said(format!("not measured: {why}")).with(Severity::Fail, remedy);
        }
    };
    let lost = times.sent.saturating_sub(times.answered);
    if times.answered == 0 || f64::from(lost) > LOST * f64::from(times.sent) {
        let remedy =
            "heartbeats would be lost as well: look for a bad cable, a full queue or a firewall";
        return found
            .said(format!("{lost} of {} packets lost", times.sent))
            .with(Severity::Fail, remedy);
    }
    let found = found.measured(number::ms(times.median_ms), times.median_ms, "ms");
    if times.median_ms > ROUND_TRIP_MS {
        let remedy = "take nodes that are nearer to each other, and end what else uses the network: downtime grows by about two round trips";
        found.with(Severity::Fail, remedy)
    } else if lost > 0 {
        let words = format!("{}, {lost} of {} packets lost", found.measured, times.sent);
        found
            .said(words)
            .with(Severity::Warn, "a few heartbeats may be lost: look for a full queue")
    } else {
        found
    }
}

fn mtu(found: Finding, way: &Way, network: &Network) -> Finding {
    let found = found.expected(format!("{} B", network.mtu), "");
    let mtu = match &way.mtu {
        Reading::Measured(0) => {
            return found.said("nothing arrives").with(
                Severity::Fail,
                format!(
                    "no UDP reaches {}: look for a link that is down, an address that is missing or a firewall{}",
                    way.address,
                    look(way, "ip addr")
                ),
            );
        }
        Reading::Measured(mtu) => *mtu,
        Reading::Failed(why) => {
            let remedy = format!(
                "both nodes must have their addresses in this network, and their links be up{}",
                look(way, "ip addr")
            );
            return found.said(format!("not measured: {why}")).with(Severity::Fail, remedy);
        }
    };
    let found = found.measured(format!("{mtu} B"), f64::from(mtu), "B");
    if mtu == network.mtu {
        return found;
    }
    let name = &way.network;
    found.with(
        Severity::Fail,
        format!(
            "give every device and switch on the way an MTU of {}, or write `networks.{name}.mtu: {mtu}`{}",
            network.mtu,
            look(way, "ip link")
        ),
    )
}
