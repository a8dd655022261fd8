//! The harness's side of the observer on the witness node.

use anyhow::{Context, Result, bail};
use camino::Utf8Path;
use lab::node::{Exit, Node, Process, Spawn, Streams};
use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::unix::pipe,
    sync::{mpsc, watch},
    time::timeout,
};
use wire::{MAX_MESSAGE_BYTES, Message, State};

/// What is said when its pipes are closed.
const GONE: &str = "the observer on the witness is gone";
/// How much later than its deadline an observer on a busy node may say that there is no answer.
const OBSERVER_PATIENCE: Duration = Duration::from_secs(5);
/// The observer may take this long to say that it is ready.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// One heartbeat, as the witness saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// When it arrived, nanoseconds of the witness's monotonic clock.
    pub observer_ns: u64,
    /// The guest's count of beats.
    pub sequence: u64,
    /// The guest's own clock, nanoseconds.
    pub guest_ns: u64,
    /// What the guest was doing.
    pub state: State,
    /// Touches done (while filling: pages filled).
    pub pages_written: u64,
    /// Touches given up.
    pub pages_dropped: u64,
    /// Writes that the guest's disk has acknowledged.
    pub disk_writes: u64,
    /// Writes that it has answered with an error.
    pub disk_errors: u32,
}

/// A running observer. Dropping it ends it.
#[derive(Debug)]
pub struct Witness {
    process: Process,
    commands: pipe::Sender,
    guest: Ipv4Addr,
    beats: Arc<Mutex<Vec<Beat>>>,
    news: watch::Receiver<usize>,
    replies: mpsc::UnboundedReceiver<Option<Vec<u8>>>,
    next_request: u32,
    /// The witness's wall clock less its monotonic clock, nanoseconds.
    pub wall_offset_ns: i128,
}

impl Witness {
    /// Starts the observer on a node, to watch the guest at `guest`.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(node: &Node, observer: &Utf8Path, guest: Ipv4Addr) -> Result<Self> {
        let argv = vec![observer.to_string(), "witness".to_owned(), node.guest_address.to_string()];
        let mut process = node.spawn(Spawn { argv, cwd: None, streams: Streams::piped() }).await?;
        let commands = process.stdin.take().context("an observer without stdin")?;
        let mut lines =
            BufReader::new(process.stdout.take().context("an observer without stdout")?);
        let mut ready = String::new();
        let read = timeout(READY_DEADLINE, lines.read_line(&mut ready)).await;
        let Some(wall_offset_ns) = read.ok().and_then(|_| parse_ready(&ready)) else {
            let words = process.last_words().await;
            bail!("the observer on {} did not come up: {words}", node.name);
        };
        let beats = Arc::new(Mutex::new(Vec::new()));
        let (news_sender, news) = watch::channel(0);
        let (reply_sender, replies) = mpsc::unbounded_channel();
        tokio::spawn(listen(lines, guest, Arc::clone(&beats), news_sender, reply_sender));
        let next_request = first_request(jiff::Timestamp::now().as_microsecond());
        Ok(Self { process, commands, guest, beats, news, replies, next_request, wall_offset_ns })
    }

    /// The beats so far.
    #[must_use]
    pub fn beats(&self) -> Vec<Beat> {
        self.beats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Calls `look` with the beats from index `from` on, now and whenever there are more, until
    /// it gives something. `None` when the deadline passes first.
    ///
    /// # Errors
    /// When the observer is gone: that there are no beats then says nothing of the guest.
    pub async fn watch<T>(
        &mut self,
        from: usize,
        deadline: Duration,
        mut look: impl FnMut(&[Beat]) -> Option<T>,
    ) -> Result<Option<T>> {
        let beats = Arc::clone(&self.beats);
        let news = &mut self.news;
        let looking = async {
            loop {
                let _seen = *news.borrow_and_update();
                let found = {
                    let beats = beats.lock().unwrap_or_else(PoisonError::into_inner);
                    look(beats.get(from..).unwrap_or_default())
                };
                if found.is_some() {
                    return Ok(found);
                }
                news.changed().await.context(GONE)?;
            }
        };
        timeout(deadline, looking).await.unwrap_or(Ok(None))
    }

    /// Sends a request to the guest, again and again until it answers; `None` when it does not
    /// within `deadline`. `message` gets the request's number.
    ///
    /// # Errors
    /// When the observer is gone.
    pub async fn request(
        &mut self,
        message: impl FnOnce(u32) -> Message,
        deadline: Duration,
    ) -> Result<Option<Message>> {
        self.next_request = self.next_request.wrapping_add(1);
        let mut buffer = [0; MAX_MESSAGE_BYTES];
        let digits: String = message(self.next_request)
            .encode(&mut buffer)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let line = format!("request {} {} {digits}\n", deadline.as_millis(), self.guest);
        self.commands.write_all(line.as_bytes()).await.context(GONE)?;
        // The observer keeps the deadline; one that does not answer at all is as good as gone.
        let reply = timeout(deadline + OBSERVER_PATIENCE, self.replies.recv()).await;
        let reply = reply.ok().flatten().context(GONE)?;
        Ok(reply.and_then(|datagram| Message::decode(&datagram).ok()))
    }

    /// Asks for the end.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// How the observer ended, when it has; does not wait.
    #[must_use]
    pub fn ended(&self) -> Option<Exit> {
        *self.process.exit().borrow()
    }

    /// Waits until the observer has ended.
    pub async fn wait(&mut self) {
        self.process.wait().await;
    }
}

/// Where a trial's numbers of requests begin: with those of another one a guest that is left of it
/// would take a workload for one that it has already, and pass for the new guest.
fn first_request(now_us: i64) -> u32 {
    // A trial makes fewer requests than it takes microseconds.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "its lower half")]
    let low = now_us as u32;
    low
}

async fn listen(
    mut lines: BufReader<pipe::Receiver>,
    guest: Ipv4Addr,
    beats: Arc<Mutex<Vec<Beat>>>,
    news: watch::Sender<usize>,
    replies: mpsc::UnboundedSender<Option<Vec<u8>>>,
) {
    let mut line = String::new();
    while matches!(lines.read_line(&mut line).await, Ok(1..)) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["beat", ref fields @ ..] => {
                if let Some(beat) = parse_beat(fields, guest) {
                    beats.lock().unwrap_or_else(PoisonError::into_inner).push(beat);
                }
            }
            ["reply", _, digits] => {
                let _nobody_waits = replies.send(parse_hex(digits));
            }
            ["timeout"] => {
                let _nobody_waits = replies.send(None);
            }
            _ => {}
        }
        line.clear();
        // Beats come in batches: tell of a batch once, not of each.
        if !lines.buffer().contains(&b'\n') {
            news.send_modify(|batches| *batches += 1);
        }
    }
}

/// The wall clock less the monotonic clock, of an observer's first line.
pub(super) fn parse_ready(line: &str) -> Option<i128> {
    let mut words = line.split_whitespace();
    (words.next()? == "ready").then_some(())?;
    let monotonic_ns: i128 = words.next()?.parse().ok()?;
    let wall_ns: i128 = words.next()?.parse().ok()?;
    Some(wall_ns - monotonic_ns)
}

fn parse_beat(fields: &[&str], guest: Ipv4Addr) -> Option<Beat> {
    let &[
        observer_ns,
        from,
        sequence,
        guest_ns,
        state,
        pages_written,
        pages_dropped,
        disk_writes,
        disk_errors,
    ] = fields
    else {
        return None;
    };
    (from.parse() == Ok(guest)).then_some(())?;
    Some(Beat {
        observer_ns: observer_ns.parse().ok()?,
        sequence: sequence.parse().ok()?,
        guest_ns: guest_ns.parse().ok()?,
        state: match state {
            "waiting" => State::Waiting,
            "filling" => State::Filling,
            "steady" => State::Steady,
            "verifying" => State::Verifying,
            _ => return None,
        },
        pages_written: pages_written.parse().ok()?,
        pages_dropped: pages_dropped.parse().ok()?,
        disk_writes: disk_writes.parse().ok()?,
        disk_errors: disk_errors.parse().ok()?,
    })
}

fn parse_hex(digits: &str) -> Option<Vec<u8>> {
    (0..digits.len())
        .step_by(2)
        .map(|i| digits.get(i..i + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_of_the_guest_is_read_and_a_stranger_is_not() {
        let guest = Ipv4Addr::new(10, 77, 0, 200);
        let fields = ["5", "10.77.0.200", "1", "2", "steady", "3", "4", "5", "6"];
        let beat = Beat {
            observer_ns: 5,
            sequence: 1,
            guest_ns: 2,
            state: State::Steady,
            pages_written: 3,
            pages_dropped: 4,
            disk_writes: 5,
            disk_errors: 6,
        };
        assert_eq!(parse_beat(&fields, guest), Some(beat));
        assert_eq!(parse_beat(&fields, Ipv4Addr::new(10, 77, 0, 1)), None);
        assert_eq!(parse_beat(&fields[..8], guest), None);
    }

    #[test]
    fn the_clocks_of_the_witness_are_read() {
        assert_eq!(parse_ready("ready 5 105\n"), Some(100));
        assert_eq!(parse_ready("ready"), None);
    }
}
