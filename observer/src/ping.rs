//! How long a small packet takes to another node and back.

use crate::{
    clock, poll,
    probe::{Answer, SMALLEST_PACKET, request},
    socket::StampedSocket,
};
use std::{
    error::Error,
    io,
    net::{Ipv4Addr, SocketAddrV4},
};

/// The first answer is waited for as long: addresses have to be resolved before it.
const FIRST_NS: u64 = 1_000_000_000;
/// One that takes longer is lost.
const LOST_NS: u64 = 250_000_000;
/// As many requests at most.
const MOST: u32 = 1000;

/// Sends so many requests to [`crate::echo`], each after the answer to the one before, and prints
/// `rtt SENT ANSWERED MIN_NS MEDIAN_NS MAX_NS`, zeros where nothing was answered.
pub fn run(address: &str, count: &str) -> Result<(), Box<dyn Error>> {
    let count: u32 = count.parse()?;
    let mut times = times(address.parse()?, count.clamp(1, MOST))?;
    times.sort_unstable();
    let at = |index: usize| times.get(index).copied().unwrap_or(0);
    let (last, middle) = (times.len().saturating_sub(1), times.len() / 2);
    let median = if times.len() % 2 == 1 { at(middle) } else { (at(middle) + at(last / 2)) / 2 };
    println!("rtt {} {} {} {median} {}", count.clamp(1, MOST), times.len(), at(0), at(last));
    Ok(())
}

/// The round trips of the answered ones, nanoseconds: by the kernel's stamps at both ends, so that
/// a wait for a processor there does not count; at this end only the sending is timed from here.
fn times(to: SocketAddrV4, count: u32) -> io::Result<Vec<u64>> {
    let socket = StampedSocket::bind_to(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))?;
    if round_trip(&socket, to, 0, FIRST_NS)?.is_none() {
        return Ok(Vec::new());
    }
    let mut times = Vec::new();
    for number in 1..=count {
        times.extend(round_trip(&socket, to, number, LOST_NS)?);
    }
    Ok(times)
}

fn round_trip(
    socket: &StampedSocket,
    to: SocketAddrV4,
    number: u32,
    patience_ns: u64,
) -> io::Result<Option<u64>> {
    let datagram = request(number, SMALLEST_PACKET);
    let sent_ns = clock::monotonic_ns();
    socket.send(&datagram, to)?;
    let mut buffer = [0; 64];
    while let Some(left_ns) = (sent_ns + patience_ns).checked_sub(clock::monotonic_ns()) {
        poll::readable([socket.raw_fd()], poll::milliseconds(left_ns))?;
        while let Some(arrival) = socket.receive(&mut buffer)? {
            match Answer::decode(arrival.bytes) {
                Some(answer) if answer.number == number => {
                    let whole_ns = arrival.monotonic_ns.saturating_sub(sent_ns);
                    return Ok(Some(whole_ns.saturating_sub(answer.held_ns)));
                }
                // A late answer to an earlier one, or somebody else's.
                _ => {}
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo;
    use std::net::UdpSocket;

    const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

    #[test]
    fn each_request_is_answered() {
        let echo = StampedSocket::bind_to(SocketAddrV4::new(LOOPBACK, 0)).unwrap();
        let at = SocketAddrV4::new(LOOPBACK, echo.port());
        std::thread::spawn(move || {
            loop {
                poll::readable([echo.raw_fd()], -1).unwrap();
                echo::answer_all(&echo, &mut [0; 100]).unwrap();
            }
        });
        let times = times(at, 5).unwrap();
        assert_eq!(times.len(), 5);
        assert!(times.iter().all(|ns| *ns < LOST_NS), "{times:?}");
    }

    #[test]
    fn silence_is_no_time() {
        // Bound, so that nobody refuses, and never read.
        let deaf = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        let socket = StampedSocket::bind_to(SocketAddrV4::new(LOOPBACK, 0)).unwrap();
        let at = SocketAddrV4::new(LOOPBACK, deaf.local_addr().unwrap().port());
        assert_eq!(round_trip(&socket, at, 1, 1_000_000).unwrap(), None);
    }
}
