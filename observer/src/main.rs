//! The observer: a small static program that runs on a node of the lab.
//!
//! - `observer witness ADDRESS` times every heartbeat of the guest by this node's monotonic
//!   clock and carries requests to the guest: see [`witness`].
//! - `observer sink ADDRESS:PORT` and `observer flood ADDRESS:PORT MILLISECONDS` measure what a
//!   link really carries: see [`throughput`].
//! - `observer agent` runs processes on a machine that is reached by SSH: see [`agent`].
//!
//! It speaks on stdin and stdout (lines, the agent frames), so that a pipe into a namespace and an
//! SSH session serve alike, and it ends when its stdin ends.

mod agent;
mod clock;
mod hex;
mod socket;
mod throughput;
mod witness;

use std::process::ExitCode;

const USAGE: &str = "usage: observer witness ADDRESS | sink ADDRESS:PORT | \
                     flood ADDRESS:PORT MILLISECONDS | agent [SILENCE_SECONDS]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["witness", address] => witness::run(address),
        ["sink", address] => throughput::sink(address),
        ["flood", address, milliseconds] => throughput::flood(address, milliseconds),
        ["agent"] => agent::run(wire::frame::SILENCE_S),
        ["agent", silence_s] => match silence_s.parse() {
            Ok(silence_s) => agent::run(silence_s),
            Err(_) => Err(USAGE.into()),
        },
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
