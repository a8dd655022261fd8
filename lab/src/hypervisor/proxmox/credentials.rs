//! Who this program is to Proxmox.

use super::{
    error::{Error, Fault},
    secret::Secret,
};
use camino::Utf8Path;
use std::os::unix::fs::PermissionsExt;

/// A user with a password, or an API token.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// `user@realm` and the password.
    Password {
        /// With its realm.
        user: String,
        /// What it logs in with.
        password: Secret,
    },
    /// `user@realm!name` and the token's secret.
    Token {
        /// With user and realm.
        token: String,
        /// The UUID that Proxmox showed once.
        secret: Secret,
    },
}

impl Credentials {
    /// A user and the password.
    ///
    /// # Errors
    /// A user without a realm: Proxmox would take 3 s to say that the password is wrong.
    pub fn password(user: &str, password: Secret) -> Result<Self, Error> {
        if is_user(user) {
            return Ok(Self::Password { user: user.to_owned(), password });
        }
        Err(settings(format!(
            "the user {user:?} has no realm; write `{}@pam` for users of the nodes, `…@pve` for \
             those that only Proxmox knows",
            user.split('@').next().unwrap_or_default()
        )))
    }

    /// A token's name and its secret.
    ///
    /// # Errors
    /// A name that is not `user@realm!name`.
    pub fn token(token: &str, secret: Secret) -> Result<Self, Error> {
        let good = token.split_once('!').is_some_and(|(user, name)| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            is_user(user) && name.len() >= 2 && name.chars().all(plain)
        });
        if good {
            return Ok(Self::Token { token: token.to_owned(), secret });
        }
        Err(settings(format!(
            "{token:?} is no API token; write `user@realm!name`, as `pveum user token add` shows it"
        )))
    }

    /// Both in one text: `user@realm!name=uuid`, with or without `PVEAPIToken=` before it.
    ///
    /// # Errors
    /// Anything else. The text is not shown.
    pub fn token_in_one(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let text = text.strip_prefix("PVEAPIToken=").unwrap_or(text);
        let missing = || settings("an API token is `user@realm!name=uuid`".to_owned());
        let (token, secret) = text.split_once('=').ok_or_else(missing)?;
        if secret.is_empty() {
            return Err(missing());
        }
        Self::token(token, Secret::new(secret))
    }

    /// The user, or the token with its user: as tasks name it.
    #[must_use]
    pub fn who(&self) -> &str {
        match self {
            Self::Password { user, .. } => user,
            Self::Token { token, .. } => token,
        }
    }

    /// Whether it may do what only root may: root@pam itself, no token.
    #[must_use]
    pub fn is_root(&self) -> bool {
        matches!(self, Self::Password { user, .. } if user == "root@pam")
    }
}

/// Reads a secret from a file that nobody else may read; what follows the first line is left out.
///
/// # Errors
/// A file that is not there, is empty, or that others may read.
pub fn secret_file(path: &Utf8Path) -> Result<Secret, Error> {
    let failed = |e: std::io::Error| settings(format!("{path}: {e}"));
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        let why = format!("others may read {path} (mode {:03o}); `chmod 600 {path}`", mode & 0o777);
        return Err(settings(why));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    match text.lines().next() {
        Some(secret) if !secret.is_empty() => Ok(Secret::new(secret)),
        _ => Err(settings(format!("{path} is empty"))),
    }
}

fn is_user(user: &str) -> bool {
    user.split_once('@').is_some_and(|(name, realm)| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        !name.is_empty()
            && !name.contains(|c: char| c.is_whitespace() || ":/!@".contains(c))
            && !realm.is_empty()
            && realm.chars().all(plain)
    })
}

fn settings(why: String) -> Error {
    Error::new("logging in", Fault::Settings { why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_is_asked_for() {
        let root = Credentials::password("root@pam", Secret::new("x")).unwrap();
        assert!(root.is_root());
        for wrong in ["root", "root@", "@pam", "a b@pam", "root@pam!lab"] {
            let error = Credentials::password(wrong, Secret::new("hunter2")).unwrap_err();
            let error = error.to_string();
            assert!(error.contains("has no realm") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn tokens_are_read_in_any_form() {
        for text in ["root@pam!lab=0-1", " PVEAPIToken=root@pam!lab=0-1\n"] {
            let token = Credentials::token_in_one(text).unwrap();
            assert_eq!(token.who(), "root@pam!lab");
            assert!(!token.is_root());
            let Credentials::Token { secret, .. } = &token else { panic!("{token:?}") };
            assert_eq!(secret.reveal(), "0-1");
            assert!(!format!("{token:?}").contains("0-1"));
        }
        for wrong in
            ["root@pam!lab", "root@pam=hunter2", "root@pam!l=hunter2", "root@pam!lab=", "x"]
        {
            let error = Credentials::token_in_one(wrong).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = camino::Utf8PathBuf::from_path_buf(folder.path().join("password")).unwrap();
        std::fs::write(&path, "hunter2\nrest\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        mode(0o640);
        let error = secret_file(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600") && error.contains("640"), "{error}");
        mode(0o600);
        assert_eq!(secret_file(&path).unwrap().reveal(), "hunter2");
        std::fs::write(&path, "").unwrap();
        assert!(secret_file(&path).unwrap_err().to_string().contains("is empty"));
        assert!(secret_file("/nowhere/x".into()).is_err());
    }
}
