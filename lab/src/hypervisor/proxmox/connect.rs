//! The client that a lab file asks for: its nodes, who asks, where the secret is.

use super::{
    call::{Client, Settings},
    credentials::{Credentials, secret_file},
    endpoint::{Endpoint, Trust},
    error::{Error, Fault},
    secret::Secret,
};
use crate::spec::{ApiSpec, LabSpec};

impl Client {
    /// A client for the cluster of a lab file; nothing is asked yet. `variable` gives what the
    /// environment says.
    ///
    /// # Errors
    /// A lab without an API, a secret that is not there or that others may read, an authority
    /// that cannot be read.
    pub fn of_lab(
        spec: &LabSpec,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let api = spec.api().ok_or_else(|| {
            settings("the lab file has no `proxmox.api`: it does not say where the API is")
        })?;
        let credentials = credentials(api, variable)?;
        let authority = match &api.ca {
            None => None,
            Some(path) => Some(std::fs::read(path).map_err(|e| {
                settings(format!("{path}: {e}; copy /etc/pve/pve-root-ca.pem of a node there"))
            })?),
        };
        let endpoints = spec.api_nodes().into_iter().map(|address| {
            let trust = match (api.fingerprints.get(&address), &authority) {
                (Some(pinned), _) => {
                    Trust::Fingerprint(pinned.parse().map_err(|e| settings(format!("{e}")))?)
                }
                (None, Some(pem)) => Trust::Authority(pem.clone()),
                (None, None) => {
                    let why = format!("{address} has neither a fingerprint nor an authority");
                    return Err(settings(why));
                }
            };
            Endpoint::parse(&address, trust)
        });
        Self::new(Settings::new(endpoints.collect::<Result<_, _>>()?, credentials))
    }
}

fn credentials(
    api: &ApiSpec,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Credentials, Error> {
    let secret = match &api.secret_file {
        Some(path) => secret_file(path)?,
        None => {
            let name = api.variable();
            let given = variable(name).filter(|value| !value.is_empty()).ok_or_else(|| {
                let what =
                    if api.is_token() { "the secret of the token" } else { "the password of" };
                let user = &api.user;
                settings(format!(
                    "{what} {user} is to be in the environment variable {name}, which is not set; \
                     `read -rs {name} && export {name}` sets it without leaving a trace, \
                     `secret_file` in the lab file names a file instead"
                ))
            })?;
            Secret::new(given)
        }
    };
    match api.is_token() {
        true => Credentials::token(&api.user, secret),
        false => Credentials::password(&api.user, secret),
    }
}

fn settings(why: impl Into<String>) -> Error {
    Error::new("logging in", Fault::Settings { why: why.into() })
}
