//! The observer: a small static program that runs on a node of the lab.
//!
//! - `observer witness ADDRESS` times every heartbeat of the guest by this node's monotonic
//!   clock and carries requests to the guest: see [`witness`].
//! - `observer sink ADDRESS:PORT` and `observer flood ADDRESS:PORT MILLISECONDS` measure what a
//!   link really carries: see [`throughput`].
//! - `observer echo ADDRESS:PORT...` answers `observer ping ADDRESS:PORT COUNT`, which times round
//!   trips, and `observer mtu ADDRESS:PORT EXPECTED`, which finds the largest packet that arrives:
//!   see [`ping`] and [`mtu`].
//! - `observer pinger ADDRESS MICROSECONDS` asks a machine for answers at that pace: see [`pinger`].
//! - `observer arp OWN FIRST COUNT` tells who has which of so many addresses: see [`arp`].
//! - `observer write FILE TEXT` and `observer read FILE TEXT...` tell whether a folder is shared:
//!   see [`storage`].
//! - `observer agent` runs processes on a machine that is reached by SSH: see [`agent`].
//!
//! It speaks on stdin and stdout (lines, the agent frames), so that a pipe into a namespace and an
//! SSH session serve alike. Witness, pinger, echo and agent end when their stdin ends; all but
//! witness, pinger and agent have a deadline besides.

mod agent;
mod arp;
mod clock;
mod deadline;
mod echo;
mod hex;
mod mtu;
mod ping;
mod pinger;
mod poll;
mod probe;
mod socket;
mod storage;
mod throughput;
mod witness;

use std::process::ExitCode;

const USAGE: &str = "usage: observer witness ADDRESS | sink ADDRESS:PORT | \
    flood ADDRESS:PORT MILLISECONDS | echo ADDRESS:PORT... | ping ADDRESS:PORT COUNT | \
    pinger ADDRESS MICROSECONDS | mtu ADDRESS:PORT EXPECTED | arp OWN FIRST COUNT | write FILE TEXT | read FILE TEXT... | agent [SILENCE_SECONDS]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if !matches!(arguments.first(), Some(&"witness" | &"pinger" | &"agent")) {
        deadline::set();
    }
    let result = match arguments[..] {
        ["witness", address] => witness::run(address),
        ["sink", address] => throughput::sink(address),
        ["flood", address, milliseconds] => throughput::flood(address, milliseconds),
        ["agent"] => agent::run(wire::frame::SILENCE_S),
        ["agent", silence_s] => match silence_s.parse() {
            Ok(silence_s) => agent::run(silence_s),
            Err(_) => Err(USAGE.into()),
        },
        ["echo", ref addresses @ ..] if !addresses.is_empty() => echo::run(addresses),
        ["ping", address, count] => ping::run(address, count),
        ["pinger", address, interval_us] => pinger::run(address, interval_us),
        ["mtu", address, expected] => mtu::run(address, expected),
        ["arp", own, first, count] => arp::run(own, first, count),
        ["write", file, text] => storage::write(file, text),
        ["read", ref files_and_texts @ ..] => storage::read(files_and_texts),
        _ => Err(USAGE.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("observer: {error}");
            ExitCode::FAILURE
        }
    }
}
