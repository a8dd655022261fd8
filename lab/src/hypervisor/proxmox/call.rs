//! Calls: one question, asked as often as may be, and what came of it.

use super::{
    answer::{self, Data},
    credentials::Credentials,
    endpoint::Endpoint,
    error::{Error, Fault},
    form::Form,
    session::{RENEW_AFTER, Session},
    transport::{Patience, Transport},
};
use crate::wait::{self, Pauses};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// What a client needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Nodes of one cluster, any of which may be asked. The next is asked when one is not
    /// reached.
    pub endpoints: Vec<Endpoint>,
    /// Who asks.
    pub credentials: Credentials,
    /// How long things may take.
    pub patience: Patience,
    /// How old a ticket may become before it is renewed. Proxmox takes them for two hours.
    pub renew_after: Duration,
}

impl Settings {
    /// With the usual patience.
    #[must_use]
    pub fn new(endpoints: Vec<Endpoint>, credentials: Credentials) -> Self {
        Self { endpoints, credentials, patience: Patience::default(), renew_after: RENEW_AFTER }
    }
}

/// Proxmox's API, asked by one user. Connects when it is first asked.
#[derive(Debug)]
pub struct Client {
    transports: Vec<Transport>,
    current: AtomicUsize,
    session: Session,
    pub(super) patience: Patience,
}

impl Client {
    /// A client; nothing is asked yet.
    ///
    /// # Errors
    /// Without an endpoint, or with an authority that is none.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        if settings.endpoints.is_empty() {
            let why = "no node to connect to".to_owned();
            return Err(Error::new("connecting", Fault::Settings { why }));
        }
        let patience = settings.patience;
        let transports = settings.endpoints.iter().map(|e| Transport::new(e, &patience));
        Ok(Self {
            transports: transports.collect::<Result<_, _>>()?,
            current: AtomicUsize::new(0),
            session: Session::new(settings.credentials, settings.renew_after),
            patience,
        })
    }

    /// Who asks.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        self.session.credentials()
    }

    /// Reads something. Tried again, at the next node where there are several, when no answer
    /// came.
    ///
    /// # Errors
    /// When Proxmox refuses, no node answers in time, or the answer is not understood.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &Form) -> Result<T, Error> {
        let data = self.read(path, query).await?;
        answer::typed(data.value).map_err(|fault| Error::new(format!("GET {path}"), fault))
    }

    /// As [`Client::get`], with what stands beside the data.
    pub(super) async fn read(&self, path: &str, query: &Form) -> Result<Data, Error> {
        self.repeat(&Method::GET, path, query).await
    }

    /// Sets something that is the same when it is set twice, such as a VM's configuration; tried
    /// again like a read.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub async fn put(&self, path: &str, form: &Form) -> Result<Value, Error> {
        Ok(self.repeat(&Method::PUT, path, form).await?.value)
    }

    /// Removes or ends something; tried again like a read.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub async fn delete(&self, path: &str, form: &Form) -> Result<Value, Error> {
        Ok(self.repeat(&Method::DELETE, path, form).await?.value)
    }

    /// Does something that must not be done twice and makes no task. Tried again only while it
    /// was not sent.
    ///
    /// # Errors
    /// As for [`Client::get`]; [`Fault::leaves_open`] says whether it may have been done.
    pub async fn post(&self, path: &str, form: &Form) -> Result<Value, Error> {
        let open = |fault: &Fault| fault.was_never_sent();
        Ok(self.try_while(open, &Method::POST, path, form).await?.value)
    }

    /// A POST that may be done twice.
    pub(super) async fn post_again(&self, path: &str, form: &Form) -> Result<Value, Error> {
        Ok(self.repeat(&Method::POST, path, form).await?.value)
    }

    async fn repeat(&self, method: &Method, path: &str, form: &Form) -> Result<Data, Error> {
        let again = |fault: &Fault| fault.was_never_sent() || fault.leaves_open();
        self.try_while(again, method, path, form).await
    }

    async fn try_while(
        &self,
        again: impl Fn(&Fault) -> bool + Sync,
        method: &Method,
        path: &str,
        form: &Form,
    ) -> Result<Data, Error> {
        let again = &again;
        let asked = wait::backing_off(self.pauses(), self.patience.retry, || async move {
            match self.once(method, path, form).await {
                Ok(data) => ControlFlow::Break(Ok(data)),
                Err(fault) if again(&fault) => ControlFlow::Continue(fault),
                Err(fault) => ControlFlow::Break(Err(fault)),
            }
        });
        asked.await.map_err(|fault| Error::new(format!("{method} {path}"), fault))
    }

    pub(super) fn pauses(&self) -> Pauses {
        Pauses { first: self.patience.pause, longest: self.patience.pause * 8 }
    }

    /// Asks the current node once; a second time with a new ticket where the old one is refused.
    /// Where no answer came, the next node is the current one afterwards.
    pub(super) async fn once(
        &self,
        method: &Method,
        path: &str,
        form: &Form,
    ) -> Result<Data, Fault> {
        let (at, transport) = self.transport();
        let answered = self.ask(transport, method, path, form).await;
        if let Err(fault) = &answered
            && (fault.was_never_sent() || fault.leaves_open())
        {
            // Unless another call has gone on already.
            let _ = self.current.compare_exchange(
                at,
                at.wrapping_add(1),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
        answered
    }

    async fn ask(
        &self,
        transport: &Transport,
        method: &Method,
        path: &str,
        form: &Form,
    ) -> Result<Data, Fault> {
        let who = self.credentials().who();
        let proof = self.session.proof(transport, method, None).await?;
        let mut answer = transport.send(method, path, form, proof.headers).await?;
        if answer.status == 401 && proof.ticket.is_some() {
            let proof = self.session.proof(transport, method, proof.ticket.as_ref()).await?;
            answer = transport.send(method, path, form, proof.headers).await?;
        }
        if answer.status == 401 {
            return Err(self.session.refused(answer::said(&answer)));
        }
        answer::read(&answer, path, who)
    }

    fn transport(&self) -> (usize, &Transport) {
        let at = self.current.load(Ordering::Relaxed);
        (at, &self.transports[at % self.transports.len()])
    }
}
