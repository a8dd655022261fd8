//! Runs processes on this node for a harness elsewhere: see [`wire::frame`] for what is said.
//!
//! Its stdin and stdout are the connection, whatever carries it. When stdin ends, or nothing has
//! come for [`wire::frame::SILENCE_S`], it kills everything that came of what it started, and ends.
//!
//! One thread and one `poll`: children die with the *thread* that started them (`PDEATHSIG`), so
//! that thread must be one that lives as long as the agent.

mod channel;
mod descriptor;
mod listener;
mod outbox;
mod reap;
mod signals;
mod spawn;

use crate::clock;
use channel::Channel;
use listener::Listener;
use outbox::Outbox;
use signals::Signals;
use std::{collections::BTreeMap, error::Error, io};
use wire::frame::{Body, Frame, HEADER_BYTES, Hello, PROTOCOL, Stream};

/// What is read at once from the connection.
const READ_BYTES: usize = 64 * 1024;

/// Environment variable that names another folder to keep files in.
const FOLDER_VARIABLE: &str = "PRECOPY_LAB_FOLDER";

/// Why a connection will not come.
const NO_LISTENER: &str = "nobody listens there any more";

/// Serves until the harness is gone or silent for so long, then kills everything.
pub fn run(silence_s: u64) -> Result<(), Box<dyn Error>> {
    let signals = Signals::block()?;
    reap::adopt_orphans()?;
    descriptor::set_nonblocking(0)?;
    descriptor::set_nonblocking(1)?;
    let mut agent =
        Agent { channels: BTreeMap::new(), listeners: BTreeMap::new(), outbox: Outbox::default() };
    let ended = agent.hello().and_then(|()| agent.serve(&signals, silence_s));
    // Whatever the end was like: nothing of ours stays behind.
    reap::kill_everything(&signals);
    ended
}

struct Agent {
    channels: BTreeMap<u32, Channel>,
    listeners: BTreeMap<u32, Listener>,
    outbox: Outbox,
}

impl Agent {
    fn hello(&mut self) -> Result<(), Box<dyn Error>> {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        let uid = descriptor::uid();
        let folder = match (std::env::var(FOLDER_VARIABLE), uid, std::env::var("HOME")) {
            (Ok(named), ..) if !named.is_empty() => named,
            (_, 0, _) => "/var/lib/precopy-lab".to_owned(),
            (.., Ok(home)) => format!("{home}/.cache/precopy-lab"),
            _ => return Err("no HOME to keep files in".into()),
        };
        let hello = Hello {
            protocol: PROTOCOL,
            uid,
            version: env!("CARGO_PKG_VERSION"),
            boot_id: boot_id.trim(),
            folder: &folder,
        };
        self.outbox.push(0, Body::Hello(hello));
        Ok(())
    }

    fn serve(&mut self, signals: &Signals, silence_s: u64) -> Result<(), Box<dyn Error>> {
        let (mut inbox, mut chunk) = (Vec::new(), vec![0; READ_BYTES]);
        let mut heard_ns = clock::monotonic_ns();
        loop {
            self.outbox.flush()?;
            let silent_ns = clock::monotonic_ns().saturating_sub(heard_ns);
            let Some(left_ns) = (silence_s * 1_000_000_000).checked_sub(silent_ns) else {
                return Err(format!("nothing was heard for {silence_s} s").into());
            };
            let ready = self.wait(signals, left_ns)?;
            if ready.signal {
                if signals.asked_to_end()? {
                    return Ok(());
                }
                self.reap();
            }
            if ready.input {
                match descriptor::read(0, &mut chunk)? {
                    Some(0) => return Ok(()),
                    Some(length) => {
                        heard_ns = clock::monotonic_ns();
                        inbox.extend_from_slice(&chunk[..length]);
                        let used = self.handle_all(&inbox)?;
                        inbox.drain(..used);
                    }
                    None => {}
                }
            }
            self.accept();
            for (number, channel) in &mut self.channels {
                channel.pump(*number, &mut self.outbox, &mut chunk);
            }
            self.channels.retain(|_, channel| !channel.is_over());
        }
    }

    /// Waits until something can be done, at most for so long.
    fn wait(&self, signals: &Signals, timeout_ns: u64) -> io::Result<Ready> {
        let output = if self.outbox.is_empty() { 0 } else { libc::POLLOUT };
        let mut polled = vec![
            descriptor::watched(signals.raw_fd(), libc::POLLIN),
            descriptor::watched(0, libc::POLLIN),
            descriptor::watched(if output == 0 { -1 } else { 1 }, output),
        ];
        let full = self.outbox.is_full();
        for channel in self.channels.values() {
            channel.watch(full, &mut polled);
        }
        let listeners = self.listeners.values().filter_map(Listener::watch);
        polled.extend(listeners.map(|listener| descriptor::watched(listener, libc::POLLIN)));
        descriptor::poll(&mut polled, timeout_ns)?;
        Ok(Ready { signal: polled[0].revents != 0, input: polled[1].revents != 0 })
    }

    fn reap(&mut self) {
        while let Some((pid, end)) = reap::next() {
            if let Some(channel) = self.channels.values_mut().find(|c| c.pid() == Some(pid)) {
                channel.ended(end);
            }
        }
    }

    /// Does what whole frames ask for; gives the bytes they took.
    fn handle_all(&mut self, inbox: &[u8]) -> Result<usize, Box<dyn Error>> {
        let mut used = 0;
        while inbox.len() >= used + HEADER_BYTES {
            let split = Frame::split(&inbox[used..]).map_err(|error| error.to_string())?;
            let Some((frame, length)) = split else { break };
            self.handle(frame)?;
            used += length;
        }
        Ok(used)
    }

    fn handle(&mut self, frame: Frame<'_>) -> Result<(), Box<dyn Error>> {
        let number = frame.channel;
        match frame.body {
            Body::Spawn(wanted) => self.begin(number, spawn::start(&wanted)),
            Body::Connect(path) => self.begin(number, spawn::connect(path)),
            Body::Listen => match Listener::open() {
                Ok((listener, port)) => {
                    self.outbox.push(number, Body::Started(port.into()));
                    self.listeners.insert(number, listener);
                }
                Err(reason) => self.outbox.push(number, Body::Refused(&reason)),
            },
            Body::Accept(listener) => match self.listeners.get_mut(&listener) {
                Some(listener) => listener.want(number),
                None => self.outbox.push(number, Body::Refused(NO_LISTENER)),
            },
            Body::Clock => {
                let read = Body::ClockRead {
                    wall_ns: clock::realtime_ns(),
                    monotonic_ns: clock::monotonic_ns(),
                };
                self.outbox.push(number, read);
            }
            // What is said to a channel that is over was said before its end was heard of.
            Body::Kill => self.kill(number),
            Body::Data(Stream::In, bytes) => {
                let Some(channel) = self.channels.get_mut(&number) else { return Ok(()) };
                channel.take(bytes)?;
            }
            Body::End(stream) => self.with(number, |channel| channel.end(stream)),
            Body::Window(stream, bytes) => {
                self.with(number, |channel| channel.grant(stream, bytes));
            }
            _ => return Err("a frame that only an agent sends".into()),
        }
        Ok(())
    }

    fn kill(&mut self, number: u32) {
        if let Some(listener) = self.listeners.remove(&number) {
            for waiting in listener.waiting() {
                self.outbox.push(waiting, Body::Refused(NO_LISTENER));
            }
        } else if self.listeners.values_mut().any(|listener| listener.forget(number)) {
            self.outbox.push(number, Body::Refused(NO_LISTENER));
        } else {
            self.with(number, Channel::kill);
        }
    }

    /// Begins the channels of connections that have come.
    fn accept(&mut self) {
        let mut come = Vec::new();
        for listener in self.listeners.values_mut() {
            come.extend(std::iter::from_fn(|| listener.next()));
        }
        for (number, connected) in come {
            self.begin(number, connected);
        }
    }

    fn with(&mut self, number: u32, act: impl FnOnce(&mut Channel)) {
        if let Some(channel) = self.channels.get_mut(&number) {
            act(channel);
        }
    }

    fn begin(&mut self, number: u32, started: Result<Channel, String>) {
        match started {
            Ok(channel) => {
                let pid = channel.pid().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0);
                self.outbox.push(number, Body::Started(pid));
                self.channels.insert(number, channel);
            }
            Err(reason) => self.outbox.push(number, Body::Refused(&reason)),
        }
    }
}

struct Ready {
    signal: bool,
    input: bool,
}
