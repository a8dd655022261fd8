//! Being logged in: a token's header, or a ticket that is got and renewed.

use super::{
    answer,
    credentials::Credentials,
    error::Fault,
    form::{Form, encode},
    secret::Secret,
    transport::Transport,
};
use reqwest::{
    Method,
    header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue},
};
use serde::Deserialize;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// Tickets live for two hours; by then this one must have been renewed.
pub(super) const RENEW_AFTER: Duration = Duration::from_secs(90 * 60);

/// A login, shared by all calls.
#[derive(Debug)]
pub(super) struct Session {
    credentials: Credentials,
    renew_after: Duration,
    ticket: Mutex<Option<Arc<Ticket>>>,
}

/// What a login gives.
#[derive(Debug)]
pub(super) struct Ticket {
    ticket: Secret,
    csrf: Secret,
    got: Instant,
}

/// What proves who is asking; `ticket` is what may be refused.
pub(super) struct Proof {
    pub(super) headers: HeaderMap,
    pub(super) ticket: Option<Arc<Ticket>>,
}

#[derive(Deserialize)]
struct Login {
    ticket: String,
    #[serde(default, rename = "CSRFPreventionToken")]
    csrf: String,
    #[serde(default, rename = "NeedTFA", deserialize_with = "super::lenient::flag")]
    needs_second_factor: bool,
}

impl Session {
    pub(super) fn new(credentials: Credentials, renew_after: Duration) -> Self {
        Self { credentials, renew_after, ticket: Mutex::new(None) }
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The headers of a call; logs in where that must be. `refused` is a ticket that was refused
    /// and must not be used again.
    pub(super) async fn proof(
        &self,
        transport: &Transport,
        method: &Method,
        refused: Option<&Arc<Ticket>>,
    ) -> Result<Proof, Fault> {
        let mut headers = HeaderMap::new();
        let (user, password) = match &self.credentials {
            Credentials::Token { token, secret } => {
                let value = format!("PVEAPIToken={token}={}", secret.reveal());
                headers.insert(AUTHORIZATION, sensitive(&value)?);
                return Ok(Proof { headers, ticket: None });
            }
            Credentials::Password { user, password } => (user, password),
        };
        // Held while logging in: calls at once log in once.
        let mut kept = self.ticket.lock().await;
        if refused.is_some_and(|refused| kept.as_ref().is_some_and(|t| Arc::ptr_eq(t, refused))) {
            *kept = None;
        }
        let ticket = match kept.take() {
            Some(ticket) if ticket.got.elapsed() < self.renew_after => ticket,
            // A ticket that is still good is the password for the next.
            Some(old) => match log_in(transport, user, &old.ticket).await {
                Err(Fault::WrongPassword { .. }) => {
                    Arc::new(log_in(transport, user, password).await?)
                }
                other => Arc::new(other?),
            },
            None => Arc::new(log_in(transport, user, password).await?),
        };
        *kept = Some(ticket.clone());
        drop(kept);
        let cookie = format!("PVEAuthCookie={}", encode(ticket.ticket.reveal()));
        headers.insert(COOKIE, sensitive(&cookie)?);
        if *method != Method::GET {
            headers.insert("CSRFPreventionToken", sensitive(ticket.csrf.reveal())?);
        }
        Ok(Proof { headers, ticket: Some(ticket) })
    }

    /// What it means that a call was refused with 401 for good.
    pub(super) fn refused(&self, said: String) -> Fault {
        match &self.credentials {
            Credentials::Token { token, .. } => Fault::TokenRefused { token: token.clone(), said },
            Credentials::Password { user, .. } => Fault::TicketRefused { user: user.clone(), said },
        }
    }
}

async fn log_in(transport: &Transport, user: &str, password: &Secret) -> Result<Ticket, Fault> {
    let form = Form::new().with("username", user).with_secret("password", password);
    let got = Instant::now();
    let path = "/access/ticket";
    let answer = transport.send(&Method::POST, path, &form, HeaderMap::new()).await?;
    if answer.status == 401 {
        let said = answer::said(&answer);
        return Err(Fault::WrongPassword { user: user.to_owned(), said });
    }
    let data = answer::read(&answer, path, user)?;
    let login: Login = answer::typed(data.value)?;
    if login.needs_second_factor {
        return Err(Fault::SecondFactor { user: user.to_owned() });
    }
    Ok(Ticket { ticket: Secret::new(login.ticket), csrf: Secret::new(login.csrf), got })
}

/// A header that is not shown.
fn sensitive(text: &str) -> Result<HeaderValue, Fault> {
    let why = || "a password, ticket or token with characters that no header can have".to_owned();
    let mut value = HeaderValue::from_str(text).map_err(|_| Fault::Settings { why: why() })?;
    value.set_sensitive(true);
    Ok(value)
}
