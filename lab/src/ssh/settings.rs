//! What `ssh` is told, and what it knows of a host from its configuration files.

use super::SshTarget;
use crate::process::Command;
use anyhow::{Context, Result};
use std::time::Duration;

/// `ssh -G` reads files only.
const DEADLINE: Duration = Duration::from_secs(30);

/// Seconds in which each connection (a jump host's, too) must stand.
const CONNECT_S: u32 = 15;

/// What `ssh` would do for a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub user: String,
    pub host_name: String,
    pub port: String,
    /// The jump host, if there is one.
    pub jump: Option<String>,
    /// Whether the key of a host that was never seen before is recorded and believed. Not our
    /// wish, but the configuration's: of virtual machines that were just made, say.
    pub accepts_new: bool,
}

impl Settings {
    /// Asks `ssh`.
    ///
    /// # Errors
    /// When there is no `ssh`, or it does not understand its configuration.
    pub async fn of(target: &SshTarget) -> Result<Self> {
        let command = Command::new("ssh").arg("-G").args(target.config_arguments());
        let output = command.arg("--").arg(&target.host).timeout(DEADLINE).output().await;
        let output = output.context("ssh does not understand its configuration")?;
        Ok(Self::parse(&output.text()))
    }

    fn parse(text: &str) -> Self {
        let mut settings = Self::default();
        for line in text.lines() {
            let Some((name, value)) = line.split_once(' ') else { continue };
            match name {
                "user" => settings.user = value.to_owned(),
                "hostname" => settings.host_name = value.to_owned(),
                "port" => settings.port = value.to_owned(),
                "proxyjump" => settings.jump = Some(value.to_owned()).filter(|it| it != "none"),
                "stricthostkeychecking" => settings.accepts_new = value == "accept-new",
                _ => {}
            }
        }
        settings
    }

    /// Arguments that are always given: they win over every file.
    pub fn arguments(&self) -> Vec<String> {
        // `no` and `ask` in a file become `yes`: a key that has changed is never believed.
        let checking = if self.accepts_new { "accept-new" } else { "yes" };
        let options = [
            "BatchMode=yes".to_owned(),
            format!("StrictHostKeyChecking={checking}"),
            format!("ConnectTimeout={CONNECT_S}"),
            "ServerAliveInterval=15".to_owned(),
            "ServerAliveCountMax=4".to_owned(),
            // A connection of our own: it ends with us, and shares its line with nobody.
            "ControlMaster=no".to_owned(),
            "ControlPath=none".to_owned(),
            "ClearAllForwardings=yes".to_owned(),
            "ForwardAgent=no".to_owned(),
            "ForwardX11=no".to_owned(),
            "PermitLocalCommand=no".to_owned(),
            "RemoteCommand=none".to_owned(),
            "RequestTTY=no".to_owned(),
            // Not less, as Vagrant's configurations have it: its complaints are our errors.
            "LogLevel=ERROR".to_owned(),
        ];
        options.into_iter().flat_map(|option| ["-o".to_owned(), option]).collect()
    }
}

impl SshTarget {
    pub(super) fn config_arguments(&self) -> Vec<String> {
        self.config.iter().flat_map(|file| ["-F".to_owned(), file.to_string()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_knows_is_read() {
        let text = "user root\nhostname 10.0.0.7\nport 2222\nstricthostkeychecking accept-new\n\
                    proxyjump gate.example\nrequesttty auto\nforwardagent no\n";
        let settings = Settings::parse(text);
        let expected = Settings {
            user: "root".to_owned(),
            host_name: "10.0.0.7".to_owned(),
            port: "2222".to_owned(),
            jump: Some("gate.example".to_owned()),
            accepts_new: true,
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn host_keys_are_always_checked() {
        for word in ["false", "off", "ask", "true"] {
            let settings = Settings::parse(&format!("stricthostkeychecking {word}\n"));
            let arguments = settings.arguments();
            assert!(arguments.iter().any(|it| it == "StrictHostKeyChecking=yes"), "{word}");
        }
    }
}
