//! How this machine gets a file: by its own apt, which knows its proxies, or by curl.

use crate::process::{self, Command};
use camino::Utf8Path;
use std::{path::PathBuf, time::Duration};

/// Longest time for one file.
const DEADLINE: Duration = Duration::from_secs(60 * 60);

/// apt's own downloader, beside its other methods.
const APT_HELPER: &str = "/usr/lib/apt/apt-helper";

/// Why a file was not fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// There is no such file.
    #[error("there is no such file")]
    NotFound,
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// Gets files.
pub trait Fetch: Send + Sync + 'static {
    /// Gets what is at `url` into the file `to`, with the time of its last change where that is
    /// told.
    ///
    /// # Errors
    /// When there is none, or it cannot be had completely.
    fn fetch(
        &self,
        url: &str,
        to: &Utf8Path,
    ) -> impl Future<Output = Result<(), FetchError>> + Send;
}

/// Gets files by programs of this machine.
#[derive(Clone, Debug)]
pub struct Fetcher {
    apt_helper: Option<PathBuf>,
}

impl Fetcher {
    /// With apt where there is one, else with curl.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let helper = PathBuf::from(APT_HELPER);
        Self { apt_helper: process::is_executable(&helper).then_some(helper) }
    }

    fn command(&self, url: &str, to: &Utf8Path) -> Command {
        let command = match &self.apt_helper {
            Some(helper) => Command::new(helper)
                // As root it would give up its rights, and then could not write here.
                .args(["-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"])
                .args(["-q", "download-file", url, to.as_str()]),
            None => Command::new("curl")
                .args(["--silent", "--show-error", "--location", "--remote-time", "--retry", "3"])
                .args(["--connect-timeout", "30", "--speed-limit", "1", "--speed-time", "120"])
                .args(["--proto", "=http,https", "--write-out", "%{http_code}"])
                .args(["--output", to.as_str(), "--", url]),
        };
        command.timeout(DEADLINE)
    }
}

impl Fetch for Fetcher {
    async fn fetch(&self, url: &str, to: &Utf8Path) -> Result<(), FetchError> {
        let output = self.command(url, to).output().await.map_err(|error| {
            let text = format!("{:#}", anyhow::Error::from(error));
            if self.apt_helper.is_some() && text.contains(" 404 ") {
                FetchError::NotFound
            } else {
                FetchError::Failed(text)
            }
        })?;
        match (self.apt_helper.is_some(), output.text().trim()) {
            (true, _) | (false, "200") => Ok(()),
            (false, "404") => Err(FetchError::NotFound),
            (false, code) => Err(FetchError::Failed(format!("the server answered {code}"))),
        }
    }
}
