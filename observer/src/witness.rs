//! Times the guest's heartbeats and carries requests to it.
//!
//! Lines in: `request TIMEOUT_MS ADDRESS HEX` sends the datagram until its answer comes.
//! Lines out:
//! - `ready MONOTONIC_NS WALL_NS`: both clocks of this node at the same moment
//! - `beat NS ADDRESS SEQUENCE GUEST_NS STATE PAGES_WRITTEN PAGES_DROPPED DISK_WRITES DISK_ERRORS`
//!   for every heartbeat, in the order of arrival; NS by this node's monotonic clock
//! - `reply NS HEX`, or `timeout`, for the request

use crate::{
    clock, hex, poll,
    socket::{Arrival, StampedSocket},
};
use std::{
    error::Error,
    fmt::Write as _,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddrV4},
};
use wire::{MAX_MESSAGE_BYTES, Message, State};

/// A request is sent again after this long without an answer: the guest may be paused, or the
/// datagram lost while its port moves from one node to another.
const RETRY_NS: u64 = 20_000_000;

/// Beats are handed on at least this often; not one by one, so that the harness, which may share
/// the machine with the guest, is not woken a thousand times a second.
const FLUSH_NS: u64 = 20_000_000;

struct Request {
    number: Option<u32>,
    datagram: Vec<u8>,
    guest: SocketAddrV4,
    next_send_ns: u64,
    deadline_ns: u64,
}

struct Witness {
    socket: StampedSocket,
    pending: Option<Request>,
    out: String,
    oldest_line_ns: Option<u64>,
    last_state: Option<State>,
}

/// Observes until stdin ends. `address` is this node's own in the guest network: binding to all
/// addresses lets broadcasts in, and this only checks that the network is there.
pub fn run(address: &str) -> Result<(), Box<dyn Error>> {
    let address: Ipv4Addr = address.parse()?;
    std::net::UdpSocket::bind((address, 0))?;
    let mut witness = Witness {
        socket: StampedSocket::bind(wire::OBSERVER_PORT)?,
        pending: None,
        out: String::new(),
        oldest_line_ns: None,
        last_state: None,
    };
    witness.line(&format!("ready {} {}", clock::monotonic_ns(), clock::realtime_ns()));
    witness.flush()?;
    let mut stdin = io::stdin().lock();
    let mut commands = Vec::new();
    loop {
        let (input_ready, socket_ready) = witness.wait()?;
        if socket_ready {
            witness.receive_all()?;
        }
        if input_ready {
            let mut chunk = [0; 4096];
            let read = stdin.read(&mut chunk)?;
            if read == 0 {
                return witness.flush().map_err(Into::into);
            }
            commands.extend_from_slice(&chunk[..read]);
            while let Some(end) = commands.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = commands.drain(..=end).collect();
                witness.command(String::from_utf8_lossy(&line).trim())?;
            }
        }
        witness.send_due()?;
        witness.flush_due()?;
    }
}

impl Witness {
    /// Waits for input, a datagram, or the next moment at which something is due.
    fn wait(&self) -> io::Result<(bool, bool)> {
        let due_ns = [
            self.pending.as_ref().map(|request| request.next_send_ns),
            self.oldest_line_ns.map(|ns| ns + FLUSH_NS),
        ];
        let timeout_ms = due_ns
            .into_iter()
            .flatten()
            .min()
            .map_or(-1, |due| poll::milliseconds(due.saturating_sub(clock::monotonic_ns())));
        let [input, socket] = poll::readable([0, self.socket.raw_fd()], timeout_ms)?;
        Ok((input, socket))
    }

    fn receive_all(&mut self) -> io::Result<()> {
        let mut buffer = [0; MAX_MESSAGE_BYTES * 2];
        // Bounded, so that a flood of foreign datagrams cannot keep requests from being sent.
        for _ in 0..64 {
            let Some(arrival) = self.socket.receive(&mut buffer)? else { break };
            let (ns, from) = (arrival.monotonic_ns, *arrival.from.ip());
            match Message::decode(arrival.bytes) {
                Ok(Message::Heartbeat(beat)) => {
                    self.line(&format!(
                        "beat {ns} {from} {} {} {} {} {} {} {}",
                        beat.sequence,
                        beat.guest_ns,
                        state_name(beat.state),
                        beat.pages_written,
                        beat.pages_dropped,
                        beat.disk_writes,
                        beat.disk_errors
                    ));
                    if self.last_state.replace(beat.state) != Some(beat.state) {
                        self.flush()?;
                    }
                }
                Ok(message) => self.answer(&message, &arrival)?,
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn answer(&mut self, message: &Message, arrival: &Arrival<'_>) -> io::Result<()> {
        let Some(pending) = &self.pending else { return Ok(()) };
        if message.request() == pending.number && arrival.from.ip() == pending.guest.ip() {
            let line = format!("reply {} {}", arrival.monotonic_ns, hex::encode(arrival.bytes));
            self.line(&line);
            self.pending = None;
            self.flush()?;
        }
        Ok(())
    }

    fn command(&mut self, line: &str) -> Result<(), Box<dyn Error>> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["request", timeout_ms, address, digits] = words[..] else {
            return Err(format!("not a command: `{line}`").into());
        };
        let datagram = hex::decode(digits).ok_or("a datagram that is not hexadecimal")?;
        let now_ns = clock::monotonic_ns();
        let number = Message::decode(&datagram).map_err(|error| error.to_string())?.request();
        self.pending = Some(Request {
            number,
            datagram,
            guest: SocketAddrV4::new(address.parse()?, wire::GUEST_PORT),
            next_send_ns: now_ns,
            deadline_ns: now_ns + timeout_ms.parse::<u64>()? * 1_000_000,
        });
        Ok(())
    }

    fn send_due(&mut self) -> io::Result<()> {
        let now_ns = clock::monotonic_ns();
        let Some(request) = &mut self.pending else { return Ok(()) };
        if now_ns >= request.deadline_ns {
            self.pending = None;
            self.line("timeout");
            return self.flush();
        }
        if now_ns >= request.next_send_ns {
            request.next_send_ns = now_ns + RETRY_NS;
            // Unreachable now is no reason to give up before the deadline.
            let _unreachable = self.socket.send(&request.datagram, request.guest);
        }
        Ok(())
    }

    fn line(&mut self, line: &str) {
        let _infallible = writeln!(self.out, "{line}");
        self.oldest_line_ns.get_or_insert_with(clock::monotonic_ns);
    }

    fn flush_due(&mut self) -> io::Result<()> {
        match self.oldest_line_ns {
            Some(ns) if clock::monotonic_ns() >= ns + FLUSH_NS => self.flush(),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(self.out.as_bytes())?;
        stdout.flush()?;
        self.out.clear();
        self.oldest_line_ns = None;
        Ok(())
    }
}

const fn state_name(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Filling => "filling",
        State::Steady => "steady",
        State::Verifying => "verifying",
    }
}
