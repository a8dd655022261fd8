//! Answers the requests of [`crate::ping`] and [`crate::mtu`] from other nodes.

use crate::{
    clock, poll,
    probe::{Answer, HEADERS, number_of},
    socket::StampedSocket,
};
use std::{
    error::Error,
    io::{self, Read},
    net::SocketAddrV4,
};

/// As many addresses as a node has networks, with some to spare.
const MOST_ADDRESSES: usize = 7;
/// Larger than any packet of a lab.
const BUFFER_BYTES: usize = 1 << 16;

/// Binds to the addresses, prints `ready` and answers until stdin ends.
pub fn run(addresses: &[&str]) -> Result<(), Box<dyn Error>> {
    if addresses.len() > MOST_ADDRESSES {
        return Err(format!("more than {MOST_ADDRESSES} addresses").into());
    }
    let mut sockets = Vec::new();
    for address in addresses {
        let at: SocketAddrV4 = address.parse().map_err(|error| format!("`{address}`: {error}"))?;
        let socket = StampedSocket::bind_to(at).map_err(|error| format!("{address}: {error}"))?;
        sockets.push(socket);
    }
    println!("ready");
    // The kernel skips negative descriptors.
    let mut fds = [-1; MOST_ADDRESSES + 1];
    fds[0] = 0;
    for (fd, socket) in fds[1..].iter_mut().zip(&sockets) {
        *fd = socket.raw_fd();
    }
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let ready = poll::readable(fds, -1)?;
        for (socket, _) in sockets.iter().zip(&ready[1..]).filter(|(_, ready)| **ready) {
            answer_all(socket, &mut buffer)?;
        }
        if ready[0] && io::stdin().lock().read(&mut [0; 512])? == 0 {
            return Ok(());
        }
    }
}

/// Answers what has arrived, bounded, so that no socket starves the others.
pub fn answer_all(socket: &StampedSocket, buffer: &mut [u8]) -> io::Result<()> {
    for _ in 0..64 {
        let Some(arrival) = socket.receive(buffer)? else { break };
        let Some(number) = number_of(arrival.bytes) else { continue };
        let payload_bytes = u32::try_from(arrival.bytes.len()).unwrap_or(u32::MAX);
        let answer = Answer {
            number,
            packet_bytes: payload_bytes.saturating_add(HEADERS),
            held_ns: clock::monotonic_ns().saturating_sub(arrival.monotonic_ns),
        };
        // Whoever asked asks again.
        let _lost = socket.send(&answer.encode(), arrival.from);
    }
    Ok(())
}
