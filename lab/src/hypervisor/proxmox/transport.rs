//! Requests to one node, and its answers as they come: no meaning yet.

use super::{
    endpoint::Endpoint,
    error::{Error, Fault},
    form::Form,
    tls::{self, Changed},
};
use hyper::ext::ReasonPhrase;
use reqwest::{
    Client, Method,
    header::{CONTENT_TYPE, HeaderMap},
    redirect,
};
use std::{error::Error as _, io, net::SocketAddr, time::Duration};

/// Proxmox closes connections that idle for 5 s.
const IDLE: Duration = Duration::from_secs(4);

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Until a node has taken the connection, TLS included.
    pub connect: Duration,
    /// Until a call is answered. Proxmox itself gives up on other nodes after 30 s.
    pub answer: Duration,
    /// How long a call without an answer is made again. The last try may take as long as any.
    pub retry: Duration,
    /// How long a call whose answer was lost may still come into effect. Proxmox waits 10 s for
    /// a configuration's lock.
    pub settle: Duration,
    /// From one try to the next, at first; doubles, up to eight times that.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(40),
            retry: Duration::from_secs(15),
            settle: Duration::from_secs(12),
            pause: Duration::from_millis(250),
        }
    }
}

/// A node that can be asked.
#[derive(Debug)]
pub(super) struct Transport {
    client: Client,
    base: String,
    /// For errors.
    name: String,
    answer_deadline: Duration,
}

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Of the status line, where it says more than the status: Proxmox puts its errors there.
    pub(super) reason: String,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

impl Transport {
    pub(super) fn new(endpoint: &Endpoint, patience: &Patience) -> Result<Self, Error> {
        let name = endpoint.name();
        let settings = |why| Error::new(format!("connecting to {name}"), Fault::Settings { why });
        let tls = tls::config(&endpoint.trust).map_err(settings)?;
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            // Trying again is decided where it is known what was asked.
            .retry(reqwest::retry::never())
            .user_agent(concat!("precopy-lab/", env!("CARGO_PKG_VERSION")))
            .pool_idle_timeout(IDLE)
            .connect_timeout(patience.connect)
            .timeout(patience.answer);
        if let Some(address) = endpoint.address {
            builder = builder.resolve(&endpoint.host, SocketAddr::new(address, endpoint.port));
        }
        let client = builder.build().map_err(|e| settings(chain(&e)))?;
        let base = format!("https://{}/api2/json", endpoint.authority());
        Ok(Self { client, base, name, answer_deadline: patience.answer })
    }

    /// Asks once. The parameters of a GET or DELETE go into the URL (Proxmox refuses a body
    /// there), those of anything else into the body.
    pub(super) async fn send(
        &self,
        method: &Method,
        path: &str,
        form: &Form,
        headers: HeaderMap,
    ) -> Result<Answer, Fault> {
        let in_url = *method == Method::GET || *method == Method::DELETE;
        let mut url = format!("{}{path}", self.base);
        if in_url && !form.is_empty() {
            url = format!("{url}?{}", form.encode());
        }
        let mut request = self.client.request(method.clone(), url).headers(headers);
        if !in_url {
            let (content_type, body) = form.body();
            request = request.header(CONTENT_TYPE, content_type).body(body);
        }
        let response = request.send().await.map_err(|e| self.fault(&e))?;
        let content_type = response.headers().get(CONTENT_TYPE).map(|value| value.as_bytes());
        let content_type = String::from_utf8_lossy(content_type.unwrap_or_default()).into_owned();
        let status = response.status();
        // hyper keeps the phrase only where it is not the usual one.
        let reason = response.extensions().get::<ReasonPhrase>().map_or_else(
            || status.canonical_reason().unwrap_or_default().to_owned(),
            |phrase| String::from_utf8_lossy(phrase.as_bytes()).trim().to_owned(),
        );
        let body = response.bytes().await.map_err(|e| self.fault(&e))?.to_vec();
        Ok(Answer { status: status.as_u16(), reason, content_type, body })
    }

    fn fault(&self, error: &reqwest::Error) -> Fault {
        let host = self.name.clone();
        if let Some(tls) = tls_error(error) {
            if let Some(Changed { pinned, found }) = changed(tls) {
                return Fault::Fingerprint { host, pinned: *pinned, found: *found };
            }
            if matches!(
                tls,
                rustls::Error::InvalidCertificate(_)
                    | rustls::Error::UnsupportedNameType
                    | rustls::Error::NoCertificatesPresented
            ) {
                return Fault::Certificate { host, why: tls.to_string() };
            }
        }
        if error.is_connect() {
            let why = chain(error);
            let is_tls = tls_error(error).is_some() || is_cut(error);
            return if is_tls {
                Fault::TlsCut { host, why }
            } else {
                Fault::Unreachable { host, why }
            };
        }
        if error.is_timeout() {
            return Fault::TimedOut { host, seconds: self.answer_deadline.as_secs() };
        }
        Fault::Lost { host, why: chain(error) }
    }
}

/// The causes of an error without its URL, the last of which says most.
fn chain(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes.pop().unwrap_or_else(|| "no reason is known".to_owned())
}

/// What rustls said, wherever in the causes it is. An `io::Error` hides what it was made of from
/// `source`.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref() {
        return Some(tls);
    }
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => tls_error(inner),
        None => tls_error(error.source()?),
    }
}

/// Whether a connection was there, and then was not.
fn is_cut(error: &(dyn std::error::Error + 'static)) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let io = error.downcast_ref::<io::Error>();
    if io.is_some_and(|io| {
        matches!(io.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
    }) {
        return true;
    }
    match io.and_then(io::Error::get_ref) {
        Some(inner) => is_cut(inner),
        None => error.source().is_some_and(is_cut),
    }
}

fn changed(error: &rustls::Error) -> Option<&Changed> {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) => {
            other.0.downcast_ref()
        }
        _ => None,
    }
}
