//! What a lab file may not say although its types allow it.

mod api;
mod existing;
mod machines;
mod proxmox;

use super::{GUEST_SLOTS, LabSpec, Network};
use crate::{
    units::BitRate,
    yaml::{Parsed, Problem},
};
use std::net::Ipv4Addr;

/// Smallest and largest MTU, in bytes: what every IPv4 host must take, and a jumbo frame.
pub(super) const MTU: std::ops::RangeInclusive<u32> = 576..=9000;

/// Slowest and fastest link that can be shaped and measured here.
pub const LINK_RATE: std::ops::RangeInclusive<BitRate> =
    BitRate(1_000_000)..=BitRate(100_000_000_000);

/// Longest name of a node: interfaces are named after it, and the kernel allows them 15.
const NODE_NAME_CHARS: usize = 10;

/// Longest name of a lab.
const LAB_NAME_CHARS: usize = 20;

/// Everything that is wrong.
pub(super) fn problems(parsed: &Parsed<LabSpec>) -> Vec<Problem> {
    let spec = &parsed.value;
    let mut problems = Vec::new();
    if let Some(why) = bad_name(&spec.name, LAB_NAME_CHARS) {
        problems.push(
            parsed
                .problem(&["name"], format!("`{}` cannot name a lab: {why}", spec.name))
                .hint(NAME_HINT),
        );
    }
    nodes(parsed, &mut problems);
    for (name, network) in spec.networks.all() {
        check_network(parsed, name, network, &mut problems);
    }
    for (a, b) in [("guest", "migration"), ("guest", "storage"), ("migration", "storage")] {
        overlap(parsed, a, b, &mut problems);
    }
    machines::problems(parsed, &mut problems);
    proxmox::problems(parsed, &mut problems);
    problems
}

const NAME_HINT: &str = "letters, digits and dashes, beginning with a letter";

fn bad_name(name: &str, longest: usize) -> Option<String> {
    if name.is_empty() {
        Some("it is empty".to_owned())
    } else if let Some(odd) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '-')) {
        Some(format!("`{}` is not allowed in it", odd.escape_default()))
    } else if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        Some("it does not begin with a letter".to_owned())
    } else if name.len() > longest {
        Some(format!("it has {} characters, {longest} is the most", name.len()))
    } else {
        None
    }
}

fn nodes(parsed: &Parsed<LabSpec>, problems: &mut Vec<Problem>) {
    let nodes = &parsed.value.nodes;
    if nodes.len() < 3 {
        problems.push(
            parsed
                .problem(
                    &["nodes"],
                    format!("a lab needs three nodes or more, here are {}", nodes.len()),
                )
                .hint("a trial has a source, a target and a witness that watches from outside"),
        );
    }
    for (index, name) in nodes.iter().enumerate() {
        let step = index.to_string();
        let path = ["nodes", step.as_str()];
        if let Some(why) = bad_name(name, NODE_NAME_CHARS) {
            problems.push(
                parsed
                    .problem(&path, format!("`{name}` cannot name a node: {why}"))
                    .hint(NAME_HINT),
            );
        }
        if let Some(first) =
            nodes[..index].iter().position(|other| other.eq_ignore_ascii_case(name))
        {
            problems.push(
                parsed
                    .problem(&path, format!("two nodes are named `{name}`"))
                    .hint("give each node a name of its own")
                    .also(parsed.at(&["nodes", &first.to_string()]), "the first"),
            );
        }
    }
}

fn check_network(
    parsed: &Parsed<LabSpec>,
    name: &str,
    network: &Network,
    problems: &mut Vec<Problem>,
) {
    let cidr = network.cidr;
    let at_cidr = ["networks", name, "cidr"];
    if cidr != cidr.network() {
        problems.push(
            parsed
                .problem(&at_cidr, format!("`{cidr}` has bits set behind its prefix"))
                .hint(format!("did you mean `{}`?", cidr.network())),
        );
    }
    if let Some(kind) = reserved(network) {
        problems.push(
            parsed
                .problem(&at_cidr, format!("`{cidr}` has {kind} addresses, which no node can have"))
                .hint("take a private range, such as `10.77.0.0/24`"),
        );
    }
    let nodes = u32::try_from(parsed.value.nodes.len()).unwrap_or(u32::MAX);
    let guests = if name == "guest" { GUEST_SLOTS } else { 0 };
    let needed = nodes.saturating_add(guests);
    if cidr.hosts() < needed {
        let whom = match guests {
            0 => format!("{nodes} nodes"),
            guests => format!("{nodes} nodes and {guests} guests"),
        };
        // Two more than the hosts, rounded up to a power of two.
        let bits = u64::from(needed.saturating_add(2)).next_power_of_two().trailing_zeros();
        problems.push(
            parsed
                .problem(
                    &at_cidr,
                    format!("`{cidr}` is too small: {} addresses for {whom}", cidr.hosts()),
                )
                .hint(format!("take a prefix of `/{}` or shorter", 32_u32.saturating_sub(bits))),
        );
    }
    if !MTU.contains(&network.mtu) {
        problems.push(
            parsed
                .problem(
                    &["networks", name, "mtu"],
                    format!("an MTU of {} is not possible", network.mtu),
                )
                .expected(format!("{} to {} bytes", MTU.start(), MTU.end()))
                .hint(format!("{} to {} bytes; 1500 is Ethernet's", MTU.start(), MTU.end())),
        );
    }
    if let Some(rate) = network.link_rate.filter(|rate| !LINK_RATE.contains(rate)) {
        problems.push(
            parsed
                .problem(
                    &["networks", name, "link_rate"],
                    format!("a link rate of {rate} is not possible"),
                )
                .expected(format!("{} to {}", LINK_RATE.start(), LINK_RATE.end()))
                .hint(format!("{} to {}, or `unlimited`", LINK_RATE.start(), LINK_RATE.end())),
        );
    }
}

/// What is special about a range's addresses, when nodes cannot have them.
fn reserved(network: &Network) -> Option<&'static str> {
    let (first, last) = (network.cidr.network().address(), network.cidr.last());
    let any = |test: fn(&Ipv4Addr) -> bool| test(&first) || test(&last);
    if any(Ipv4Addr::is_loopback) {
        Some("loopback")
    } else if any(Ipv4Addr::is_multicast) {
        Some("multicast")
    } else if any(|address| address.octets()[0] >= 240) {
        Some("reserved")
    } else if any(Ipv4Addr::is_link_local) {
        Some("link-local")
    } else if any(|address| address.octets()[0] == 0) {
        Some("unspecified")
    } else {
        None
    }
}

fn overlap(
    parsed: &Parsed<LabSpec>,
    a: &'static str,
    b: &'static str,
    problems: &mut Vec<Problem>,
) {
    let cidr = |name: &str| {
        parsed.value.networks.all().find(|(known, _)| *known == name).map(|(_, found)| found.cidr)
    };
    let (Some(cidr_a), Some(cidr_b)) = (cidr(a), cidr(b)) else { return };
    if !cidr_a.overlaps(cidr_b) {
        return;
    }
    let (at_a, at_b) = (["networks", a, "cidr"], ["networks", b, "cidr"]);
    // The one written second is the one to point at; a default is not written at all.
    let a_is_second =
        !parsed.says(&at_b) || (parsed.says(&at_a) && parsed.at(&at_a) > parsed.at(&at_b));
    let ((second, of_second), (first, of_first)) = if a_is_second {
        ((at_a, cidr_a), (at_b, cidr_b))
    } else {
        ((at_b, cidr_b), (at_a, cidr_a))
    };
    let mut problem = parsed
        .problem(&second, format!("`{of_second}` overlaps `{of_first}` of network `{}`", first[1]))
        .hint("give each network a range of its own");
    if parsed.says(&first) {
        problem = problem.also(parsed.at(&first), "overlaps this");
    }
    problems.push(problem);
}
