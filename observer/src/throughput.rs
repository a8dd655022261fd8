//! What a link really carries: one TCP stream from `flood` to `sink`, timed by the sink.

use crate::clock;
use std::{
    error::Error,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

/// Upper bound of a flood, so that a forgotten one ends by itself.
const LONGEST_FLOOD_MS: u64 = 10_000;

/// Accepts one stream, reads it to its end and prints `carried BYTES NANOSECONDS`: what arrived
/// after the first byte, and how long that took.
pub fn sink(address: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address)?;
    println!("ready");
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(Duration::from_millis(LONGEST_FLOOD_MS)))?;
    let mut buffer = vec![0; 1 << 20];
    stream.read_exact(&mut buffer[..1])?;
    let begin_ns = clock::monotonic_ns();
    let (mut bytes, mut end_ns) = (0_u64, begin_ns);
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        end_ns = clock::monotonic_ns();
    }
    println!("carried {bytes} {}", end_ns - begin_ns);
    Ok(())
}

/// Sends as fast as the link takes it for so many milliseconds, then closes.
pub fn flood(address: &str, milliseconds: &str) -> Result<(), Box<dyn Error>> {
    let milliseconds: u64 = milliseconds.parse()?;
    let mut stream = TcpStream::connect(address)?;
    let block = vec![0x5a; 64 << 10];
    let end_ns = clock::monotonic_ns() + milliseconds.min(LONGEST_FLOOD_MS) * 1_000_000;
    while clock::monotonic_ns() < end_ns {
        stream.write_all(&block)?;
    }
    Ok(())
}
