//! Asks an address for an answer at a steady pace (ICMP echo, RFC 792), as long as somebody listens.
//!
//! Lines out:
//! - `ready MONOTONIC_NS WALL_NS`: both clocks of this node at the same moment
//! - `sent NUMBER NS` and `answer NUMBER NS`: each by this node's monotonic clock, an answer by the
//!   kernel's stamp of its arrival

use crate::{clock, poll, socket::StampedSocket};
use std::{
    error::Error,
    fmt::Write as _,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddrV4},
};

/// Lines are handed on at least this often, and not one by one.
const FLUSH_NS: u64 = 20_000_000;
/// Shortest pace, microseconds.
const SHORTEST_US: u64 = 500;

const REQUEST: u8 = 8;
const ANSWER: u8 = 0;
const HEADER_BYTES: usize = 8;
/// What tells our requests from those of others on this node, besides their identifier.
const MARK: [u8; 8] = *b"pcl-ping";

/// Asks `address` each `interval_us` microseconds, until stdin ends.
pub fn run(address: &str, interval_us: &str) -> Result<(), Box<dyn Error>> {
    let address: Ipv4Addr = address.parse()?;
    let interval_us: u64 = interval_us.parse()?;
    let interval_ns = interval_us.max(SHORTEST_US) * 1000;
    let socket = StampedSocket::icmp()?;
    #[expect(clippy::cast_possible_truncation, reason = "its low bits tell processes apart")]
    let identifier = std::process::id() as u16;
    let (mut out, mut flushed_ns) = (String::new(), clock::monotonic_ns());
    writeln!(out, "ready {} {}", clock::monotonic_ns(), clock::realtime_ns())?;
    flush(&mut out)?;
    let (begun_ns, mut number) = (clock::monotonic_ns(), 0_u64);
    let mut stdin = io::stdin().lock();
    let mut buffer = [0; 256];
    loop {
        let now_ns = clock::monotonic_ns();
        // Those that were missed are not made up for: they would ask about a moment that is over.
        let due = (now_ns - begun_ns) / interval_ns;
        if number <= due {
            number = due + 1;
            let sent_ns = clock::monotonic_ns();
            // Nobody who would carry it now is what is to be found out.
            let _unreachable =
                socket.send(&request(identifier, number), SocketAddrV4::new(address, 0));
            writeln!(out, "sent {number} {sent_ns}")?;
        }
        let next_ns = begun_ns + number * interval_ns;
        let wait_ms = poll::milliseconds(next_ns.saturating_sub(clock::monotonic_ns()));
        let [input, answers] = poll::readable([0, socket.raw_fd()], wait_ms)?;
        if answers {
            // Bounded, so that a flood of others' packets cannot keep requests from being sent.
            for _ in 0..64 {
                let Some(arrival) = socket.receive(&mut buffer)? else { break };
                if *arrival.from.ip() == address
                    && let Some(number) = answered(arrival.bytes, identifier)
                {
                    writeln!(out, "answer {number} {}", arrival.monotonic_ns)?;
                }
            }
        }
        if input && stdin.read(&mut [0; 512])? == 0 {
            return flush(&mut out).map_err(Into::into);
        }
        if clock::monotonic_ns() - flushed_ns >= FLUSH_NS {
            flushed_ns = clock::monotonic_ns();
            flush(&mut out)?;
        }
    }
}

fn flush(out: &mut String) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(out.as_bytes())?;
    stdout.flush()?;
    out.clear();
    Ok(())
}

fn request(identifier: u16, number: u64) -> [u8; HEADER_BYTES + 16] {
    let mut packet = [0; HEADER_BYTES + 16];
    packet[0] = REQUEST;
    packet[4..6].copy_from_slice(&identifier.to_be_bytes());
    let low = number.to_be_bytes();
    packet[6..8].copy_from_slice(&[low[6], low[7]]);
    packet[8..16].copy_from_slice(&MARK);
    packet[16..].copy_from_slice(&number.to_be_bytes());
    let checksum = checksum(&packet);
    packet[2..4].copy_from_slice(&checksum.to_be_bytes());
    packet
}

/// The internet checksum (RFC 1071) of a packet of an even number of bytes.
fn checksum(packet: &[u8]) -> u16 {
    let words =
        packet.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    #[expect(clippy::cast_possible_truncation, reason = "folded twice it has 16 bits")]
    let sum = folded as u16;
    !sum
}

/// The number of our request that an IPv4 packet answers; `None` for any other packet.
fn answered(packet: &[u8], identifier: u16) -> Option<u64> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let icmp = packet.get(header..)?;
    let is_ours = icmp.get(..2)? == [ANSWER, 0]
        && icmp.get(4..6)? == identifier.to_be_bytes()
        && icmp.get(8..16)? == MARK;
    let number = icmp.get(16..24)?.try_into().ok()?;
    is_ours.then(|| u64::from_be_bytes(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a host answers: the type changed, in an IPv4 packet.
    fn answer_to(request: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; 20];
        packet[0] = 0x45;
        packet.extend_from_slice(request);
        packet[20] = ANSWER;
        packet
    }

    #[test]
    fn an_answer_has_the_number_of_its_request() {
        let asked = request(0xabcd, 70_000);
        assert_eq!(checksum(&asked), 0, "a packet with its checksum sums up to nothing");
        assert_eq!(answered(&answer_to(&asked), 0xabcd), Some(70_000));
        assert_eq!(answered(&answer_to(&asked), 0xabce), None, "another process's");
        let mut looped = answer_to(&asked);
        looped[20] = REQUEST;
        assert_eq!(answered(&looped, 0xabcd), None, "a request is no answer");
        let mut foreign = answer_to(&asked);
        foreign[30] = b'x';
        assert_eq!(answered(&foreign, 0xabcd), None);
        let whole = answer_to(&asked);
        assert!((0..whole.len()).all(|length| answered(&whole[..length], 0xabcd).is_none()));
    }
}
