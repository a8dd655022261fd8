//! The harness's side of the observer that asks a guest's address for answers.

use super::silence::{Probe, Probes};
use anyhow::{Context, Result, bail};
use camino::Utf8Path;
use lab::node::{Exit, Node, Process, Spawn, Streams};
use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::unix::pipe,
    sync::watch,
    time::timeout,
};

/// The observer may take this long to say that it is ready.
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// What is said when its pipe is closed.
const GONE: &str = "the observer on the witness is gone";

/// A running observer. Dropping it ends it.
#[derive(Debug)]
pub struct Prober {
    process: Process,
    /// It ends when this does.
    _stdin: pipe::Sender,
    probes: Arc<Mutex<Probes>>,
    news: watch::Receiver<usize>,
    /// The witness's wall clock less its monotonic clock, nanoseconds.
    pub wall_offset_ns: i128,
}

impl Prober {
    /// Starts the observer on a node, to ask `guest` each `interval`.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(
        node: &Node,
        observer: &Utf8Path,
        guest: Ipv4Addr,
        interval: Duration,
    ) -> Result<Self> {
        let (guest, interval) = (guest.to_string(), interval.as_micros().to_string());
        let argv = vec![observer.to_string(), "pinger".to_owned(), guest, interval];
        let mut process = node.spawn(Spawn { argv, cwd: None, streams: Streams::piped() }).await?;
        let stdin = process.stdin.take().context("an observer without stdin")?;
        let mut lines =
            BufReader::new(process.stdout.take().context("an observer without stdout")?);
        let mut ready = String::new();
        let read = timeout(READY_DEADLINE, lines.read_line(&mut ready)).await;
        let Some(wall_offset_ns) = read.ok().and_then(|_| super::witness::parse_ready(&ready))
        else {
            let words = process.last_words().await;
            bail!("the observer on {} did not come up: {words}", node.name);
        };
        let probes = Arc::new(Mutex::new(Probes::default()));
        let (sender, news) = watch::channel(0);
        tokio::spawn(listen(lines, Arc::clone(&probes), sender));
        Ok(Self { process, _stdin: stdin, probes, news, wall_offset_ns })
    }

    /// What was asked and answered so far.
    #[must_use]
    pub fn probes(&self) -> Probes {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Calls `look` with all there is, now and whenever there is more, until it gives something.
    /// `None` when the deadline passes first.
    ///
    /// # Errors
    /// When the observer is gone: that there are no answers then says nothing of the guest.
    pub async fn watch<T>(
        &mut self,
        deadline: Duration,
        mut look: impl FnMut(&Probes) -> Option<T>,
    ) -> Result<Option<T>> {
        let probes = Arc::clone(&self.probes);
        let news = &mut self.news;
        let looking = async {
            loop {
                let _seen = *news.borrow_and_update();
                let found = look(&probes.lock().unwrap_or_else(PoisonError::into_inner));
                if found.is_some() {
                    return Ok(found);
                }
                news.changed().await.context(GONE)?;
            }
        };
        timeout(deadline, looking).await.unwrap_or(Ok(None))
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

async fn listen(
    mut lines: BufReader<pipe::Receiver>,
    probes: Arc<Mutex<Probes>>,
    news: watch::Sender<usize>,
) {
    let mut line = String::new();
    while matches!(lines.read_line(&mut line).await, Ok(1..)) {
        if let Some((is_answer, probe)) = parse(&line) {
            let mut probes = probes.lock().unwrap_or_else(PoisonError::into_inner);
            if is_answer { probes.answers.push(probe) } else { probes.sent.push(probe) }
        }
        line.clear();
        // They come in batches: tell of a batch once, not of each.
        if !lines.buffer().contains(&b'\n') {
            news.send_modify(|batches| *batches += 1);
        }
    }
}

/// Whether a line is of an answer, and which.
fn parse(line: &str) -> Option<(bool, Probe)> {
    let mut words = line.split_whitespace();
    let is_answer = match words.next()? {
        "answer" => true,
        "sent" => false,
        _ => return None,
    };
    let probe = Probe { number: words.next()?.parse().ok()?, at_ns: words.next()?.parse().ok()? };
    Some((is_answer, probe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_observer_are_read() {
        assert_eq!(parse("sent 7 500\n"), Some((false, Probe { number: 7, at_ns: 500 })));
        assert_eq!(parse("answer 7 600\n"), Some((true, Probe { number: 7, at_ns: 600 })));
        assert_eq!(parse("answer 7\n"), None);
        assert_eq!(parse("ready 1 2\n"), None);
    }
}
