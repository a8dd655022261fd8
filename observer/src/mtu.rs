//! The largest packet that arrives at another node in one piece.

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

/// Larger packets are not tried: jumbo frames with room for tags.
const MOST: u32 = 9216;
/// Sizes tried at once: few, so that they fit the shortest queue of a shaped link.
const AT_ONCE: u32 = 8;
/// Times a packet is sent before it counts as lost.
const TRIES: u32 = 3;
/// Silence after which nothing more is awaited, at least.
const SILENCE_NS: u64 = 50_000_000;
/// The first answer is waited for as long: addresses have to be resolved before it.
const FIRST_NS: u64 = 1_000_000_000;

/// Finds the largest packet that reaches [`crate::echo`] at `address` unfragmented, and prints
/// `mtu BYTES`, 0 where none does. A way that carries `expected` bytes and not one more is found
/// at once; any other is searched.
pub fn run(address: &str, expected: &str) -> Result<(), Box<dyn Error>> {
    let expected: u32 = expected.parse()?;
    let largest = match Way::to(address.parse()?)? {
        Some(way) => largest(expected, |sizes| way.arrived(sizes))?,
        None => 0,
    };
    println!("mtu {largest}");
    Ok(())
}

/// The largest size of which `arrived` says that it does, up to [`MOST`]; [`SMALLEST_PACKET`] is
/// known to arrive. `arrived` is given several sizes, rising.
fn largest(
    expected: u32,
    mut arrived: impl FnMut(&[u32]) -> io::Result<Option<u32>>,
) -> io::Result<u32> {
    // `fits` arrives, `too_large` does not.
    let (mut fits, mut too_large) = (SMALLEST_PACKET, MOST + 1);
    let expected = expected.clamp(SMALLEST_PACKET + 1, MOST);
    let mut sizes = vec![expected, (expected + 1).min(MOST)];
    while fits + 1 < too_large {
        sizes.dedup();
        let best = arrived(&sizes)?;
        fits = best.unwrap_or(fits).max(fits);
        let next = sizes.iter().copied().filter(|size| *size > fits).min();
        too_large = next.unwrap_or(too_large).min(too_large);
        let step = (too_large - fits).div_ceil(AT_ONCE + 1).max(1);
        sizes = (1..=AT_ONCE).map(|i| fits + i * step).filter(|size| *size < too_large).collect();
    }
    Ok(fits)
}

/// The way to a node.
struct Way {
    socket: StampedSocket,
    to: SocketAddrV4,
    silence_ns: u64,
}

impl Way {
    /// Finds how long an answer takes; `None` where not even the smallest packet is answered.
    fn to(to: SocketAddrV4) -> io::Result<Option<Self>> {
        let socket = StampedSocket::bind_to(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))?;
        socket.never_fragment()?;
        let mut way = Self { socket, to, silence_ns: FIRST_NS };
        let begun_ns = clock::monotonic_ns();
        if way.arrived(&[SMALLEST_PACKET])?.is_none() {
            return Ok(None);
        }
        way.silence_ns = SILENCE_NS.max(4 * (clock::monotonic_ns() - begun_ns)).min(FIRST_NS);
        Ok(Some(way))
    }

    /// The largest of these sizes that arrives. Those below it are not asked about again.
    fn arrived(&self, sizes: &[u32]) -> io::Result<Option<u32>> {
        let mut best = None;
        let mut refused = u32::MAX;
        for _ in 0..TRIES {
            let mut asked = 0;
            for size in sizes.iter().copied().filter(|size| Some(*size) > best) {
                if size >= refused {
                    break;
                }
                match self.socket.send(&request(size, size), self.to) {
                    Ok(()) => asked += 1,
                    // Larger than this node's own device takes.
                    Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => refused = size,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            if asked == 0 {
                break;
            }
            best = best.max(self.answers(asked)?);
        }
        Ok(best)
    }

    /// The largest size that is answered until as many answers are there as were asked for, or
    /// there is silence.
    fn answers(&self, asked: u32) -> io::Result<Option<u32>> {
        let (mut best, mut seen) = (None, 0);
        let mut buffer = [0; 64];
        let mut heard_ns = clock::monotonic_ns();
        while let Some(left_ns) = (heard_ns + self.silence_ns).checked_sub(clock::monotonic_ns()) {
            poll::readable([self.socket.raw_fd()], poll::milliseconds(left_ns))?;
            while let Some(arrival) = self.socket.receive(&mut buffer)? {
                // The number is the size that was sent: what was cut on its way does not count.
                let whole = Answer::decode(arrival.bytes)
                    .filter(|answer| answer.number == answer.packet_bytes);
                if let Some(answer) = whole {
                    best = best.max(Some(answer.packet_bytes));
                    seen += 1;
                    heard_ns = clock::monotonic_ns();
                }
            }
            if seen >= asked {
                break;
            }
        }
        Ok(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo;

    fn found(expected: u32, true_mtu: u32) -> (u32, usize) {
        let mut rounds = 0;
        let largest = largest(expected, |sizes| {
            rounds += 1;
            assert!(sizes.is_sorted() && sizes.len() <= AT_ONCE as usize, "{sizes:?}");
            Ok(sizes.iter().copied().filter(|size| *size <= true_mtu).max())
        });
        (largest.unwrap(), rounds)
    }

    #[test]
    fn any_mtu_is_found_and_the_expected_one_at_once() {
        assert_eq!(found(1500, 1500), (1500, 1));
        assert_eq!(found(9216, 9216), (9216, 1));
        for expected in [0, 68, 576, 1500, 9000, 20_000] {
            for true_mtu in (68..=MOST).step_by(7).chain([575, 576, 577, 1400, 1501, 9000, MOST]) {
                let (largest, rounds) = found(expected, true_mtu);
                assert_eq!(largest, true_mtu, "{expected} expected");
                assert!(rounds <= 7, "{rounds} rounds for {true_mtu}");
            }
        }
        assert_eq!(found(1500, 65_536).0, MOST, "what is beyond is not asked");
    }

    #[test]
    fn loopback_carries_all_that_is_tried() {
        let echo = StampedSocket::bind_to(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, echo.port());
        std::thread::spawn(move || {
            loop {
                poll::readable([echo.raw_fd()], -1).unwrap();
                echo::answer_all(&echo, &mut [0; 1 << 16]).unwrap();
            }
        });
        let way = Way::to(at).unwrap().expect("answered");
        assert!(way.silence_ns >= SILENCE_NS && way.silence_ns <= FIRST_NS);
        assert_eq!(way.arrived(&[68, 1500, 9000]).unwrap(), Some(9000));
        // No datagram can be as large: this node refuses it.
        assert_eq!(way.arrived(&[1500, 65_600]).unwrap(), Some(1500));
    }
}
