//! The client of a lab: the one that its file asks for, or that of the cluster that was made for it.

use super::{
    call::{Client, Settings},
    credentials::{Credentials, secret_file},
    endpoint::{Endpoint, PORT, Trust},
    error::{Error, Fault},
    secret::Secret,
};
use crate::{
    node::{Forward, Node},
    playbook::{PROXMOX_FINGERPRINT, ROOT_PASSWORD, collected, generated},
    spec::{ApiSpec, LabSpec},
};
use anyhow::Context;
use camino::Utf8Path;

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

/// The client of a cluster that `lab-up` has made of these nodes, as root, with what leads to them:
/// it must be kept as long as the client is used. `folder` is the lab's.
///
/// # Errors
/// When the lab's folder lacks what setting the cluster up has left there, or a node's API cannot
/// be led to.
pub async fn of_made(folder: &Utf8Path, nodes: &[Node]) -> anyhow::Result<(Client, Vec<Forward>)> {
    let hint = "`cargo xtask lab-up` sets the cluster up, and says where that fails";
    let password = generated(folder, ROOT_PASSWORD).context(hint)?;
    let credentials = Credentials::password("root@pam", Secret::new(password))?;
    let (mut endpoints, mut forwards) = (Vec::new(), Vec::new());
    for node in nodes {
        let path = collected(folder, &node.name, Utf8Path::new(PROXMOX_FINGERPRINT));
        let pinned = std::fs::read_to_string(&path).with_context(|| format!("{path}: {hint}"))?;
        let pinned = pinned.trim().parse().with_context(|| format!("{path}: no fingerprint"))?;
        let forward = node.forward(PORT).await?;
        let address = forward.address().to_string();
        endpoints.push(Endpoint::parse(&address, Trust::Fingerprint(pinned))?);
        forwards.push(forward);
    }
    Ok((Client::new(Settings::new(endpoints, credentials))?, forwards))
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
