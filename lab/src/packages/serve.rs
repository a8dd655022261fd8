//! The proxy that apt on a node talks to: HTTP/1.1, `GET` and `HEAD` of whole files.

use super::{
    cache::{Found, PackageCache},
    fetch::{Fetch, FetchError},
    time::http_date,
    url::Url,
};
use crate::agent;
use anyhow::Result;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinSet,
    time::timeout,
};

/// Longest request head, in bytes.
const LONGEST_HEAD: usize = 16 << 10;
/// Connections at a time; three nodes with a few each.
const CONNECTIONS: usize = 64;
/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(120);
/// How long apt hears nothing while a file is fetched: it gives up after 30 s.
const STILL_THERE: Duration = Duration::from_secs(10);
/// Longest time in which a node takes nothing of what it asked for.
const STUCK: Duration = Duration::from_secs(120);

/// What a node asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    method: String,
    target: String,
    /// `If-Modified-Since`, as it was written.
    since: Option<String>,
    /// Whether the connection goes on afterwards.
    keep: bool,
}

/// What nodes connect to.
pub trait Listen: Send {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next connection.
    ///
    /// # Errors
    /// When there will be none any more.
    fn accept(&mut self) -> impl Future<Output = Result<Self::Stream>> + Send;
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> Result<TcpStream> {
        Ok(Self::accept(self).await?.0)
    }
}

/// A port of a node's own loopback.
impl Listen for agent::Listener {
    type Stream = UnixStream;

    async fn accept(&mut self) -> Result<UnixStream> {
        Self::accept(self).await
    }
}

impl<F: Fetch> PackageCache<F> {
    /// Serves whoever connects, until this future is dropped. `first` is done when the first
    /// connection has come, and before it is served.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(
        &self,
        mut listener: impl Listen,
        first: impl Future<Output = ()> + Send,
    ) -> Result<()> {
        let mut connections = JoinSet::new();
        let stream = listener.accept().await?;
        first.await;
        self.begin(&mut connections, stream).await;
        loop {
            let stream = listener.accept().await?;
            self.begin(&mut connections, stream).await;
        }
    }

    async fn begin<S>(&self, connections: &mut JoinSet<()>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        while connections.try_join_next().is_some() {}
        while connections.len() >= CONNECTIONS {
            connections.join_next().await;
        }
        let cache = self.clone();
        connections.spawn(async move {
            // A node that goes away in the middle is the node's affair.
            let _gone = cache.connection(stream).await;
        });
    }

    /// Serves one connection of any kind to its end.
    ///
    /// # Errors
    /// When it breaks.
    pub async fn connection<S>(&self, stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        self.connection_with(stream, STILL_THERE).await
    }

    /// The same, and a node that waits hears something each `patience`.
    async fn connection_with<S>(&self, stream: S, patience: Duration) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let mut stream = BufReader::new(stream);
        loop {
            let request = match timeout(IDLE, read_request(&mut stream)).await {
                Ok(Ok(Some(request))) => request,
                Ok(Ok(None)) | Err(_) => return Ok(()),
                Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    return answer(&mut stream, 400, "that is no request", false).await;
                }
                Ok(Err(error)) => return Err(error),
            };
            self.one(&mut stream, &request, patience).await?;
            if !request.keep {
                return Ok(());
            }
        }
    }

    async fn one<S>(&self, stream: &mut S, request: &Request, patience: Duration) -> io::Result<()>
    where
        S: AsyncWrite + Unpin + Send,
    {
        let keep = request.keep;
        if !["GET", "HEAD"].contains(&request.method.as_str()) {
            let why = "this proxy fetches files of archives by GET; write an https source as \
                       http://HTTPS///host/path";
            return answer(stream, 405, why, keep).await;
        }
        let url = match Url::parse(&request.target) {
            Ok(url) if self.may_ask(&url) => url,
            Ok(_) => {
                let why = "this lab gets no packages from there";
                return answer(stream, 403, why, keep).await;
            }
            Err(why) => return answer(stream, 400, why, keep).await,
        };
        let get = self.get(&url);
        tokio::pin!(get);
        let found = loop {
            match timeout(patience, &mut get).await {
                Ok(found) => break found,
                // Says that the answer is on its way, as often as it likes (RFC 9110, 15.2).
                Err(_) => write(stream, b"HTTP/1.1 100 Continue\r\n\r\n").await?,
            }
        };
        match found {
            Ok(found) => self.give(stream, request, found).await,
            Err(FetchError::NotFound) => answer(stream, 404, "there is no such file", keep).await,
            Err(FetchError::Failed(why)) => answer(stream, 502, &why, keep).await,
        }
    }

    async fn give<S>(&self, stream: &mut S, request: &Request, found: Found) -> io::Result<()>
    where
        S: AsyncWrite + Unpin + Send,
    {
        let modified = http_date(found.modified);
        let connection = if request.keep { "keep-alive" } else { "close" };
        if request.since.as_deref() == Some(modified.as_str()) {
            let head = format!(
                "HTTP/1.1 304 Not Modified\r\nLast-Modified: {modified}\r\nConnection: {connection}\r\n\r\n"
            );
            return write(stream, head.as_bytes()).await;
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\nLast-Modified: {modified}\r\nConnection: {connection}\r\n\r\n",
            found.bytes
        );
        write(stream, head.as_bytes()).await?;
        if request.method == "HEAD" {
            return Ok(());
        }
        // Not beyond what was promised, should somebody append to the file.
        let mut file = tokio::fs::File::from_std(found.file).take(found.bytes);
        let mut chunk = vec![0; 64 << 10];
        let mut left = found.bytes;
        while left > 0 {
            let count = file.read(&mut chunk).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            write(stream, &chunk[..count]).await?;
            left = left.saturating_sub(count as u64);
            self.count(|statistics| statistics.served_bytes += count as u64);
        }
        Ok(())
    }
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> io::Result<()> {
    let all = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    timeout(STUCK, all).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// An answer without a file. apt shows the words of the first line, and nothing else.
async fn answer<S>(stream: &mut S, code: u16, why: &str, keep: bool) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    let connection = if keep { "keep-alive" } else { "close" };
    let body = format!("{why}\n");
    let words: String = why.lines().next().unwrap_or_default().chars().take(200).collect();
    let words = words.replace(|c: char| !c.is_ascii() || c.is_ascii_control(), "?");
    let head = format!(
        "HTTP/1.1 {code} {words}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n{body}",
        body.len()
    );
    write(stream, head.as_bytes()).await
}

/// The next request, `None` at the end of the stream. What is no request is `InvalidData`.
async fn read_request<S>(stream: &mut BufReader<S>) -> io::Result<Option<Request>>
where
    S: AsyncRead + Unpin,
{
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let mut head = Vec::new();
    loop {
        let left = LONGEST_HEAD.saturating_sub(head.len());
        let mut limited = (&mut *stream).take(left as u64);
        let count = limited.read_until(b'\n', &mut head).await?;
        if count == 0 && head.is_empty() && left > 0 {
            return Ok(None);
        }
        if !head.ends_with(b"\n") {
            return Err(bad());
        }
        if head.ends_with(b"\r\n\r\n") || head.ends_with(b"\n\n") {
            break;
        }
        if head.iter().all(|byte| b"\r\n".contains(byte)) {
            // Empty lines before a request are to be ignored.
            head.clear();
        }
    }
    parse_head(std::str::from_utf8(&head).map_err(|_| bad())?).ok_or_else(bad).map(Some)
}

fn parse_head(head: &str) -> Option<Request> {
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !version.starts_with("HTTP/1.") {
        return None;
    }
    let mut request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        since: None,
        keep: version != "HTTP/1.0",
    };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "if-modified-since" => request.since = Some(value.to_owned()),
            "connection" | "proxy-connection" => {
                request.keep = !value.eq_ignore_ascii_case("close");
            }
            // A body would be taken for the next request.
            "content-length" if value != "0" => return None,
            "transfer-encoding" => return None,
            _ => {}
        }
    }
    Some(request)
}

#[cfg(test)]
mod tests;
