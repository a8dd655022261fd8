//! Secrets that a lab has of its own.

use super::{Secrets, collect::write_private};
use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use std::{fs::File, io::ErrorKind, io::Read};

/// Letters and digits: such a secret needs no quotes anywhere. 64 of them with the last two
/// of Base64, so that each byte gives six bits and none is likelier than another.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// 192 bits.
const LENGTH: usize = 32;

impl Secrets {
    /// Adds a secret that only this lab has: that of an earlier run, kept in the lab's folder in
    /// a file that only this user can read; else a new one.
    ///
    /// # Errors
    /// When it can be neither read nor made.
    pub fn insert_generated(&mut self, name: &str, folder: &Utf8Path) -> Result<()> {
        let path = path(folder, name);
        let value = match read(&path) {
            Ok(value) => value,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let value = generate()?;
                write_private(&path, format!("{value}\n").as_bytes())?;
                value
            }
            Err(error) => return Err(error).with_context(|| format!("failed to read {path}")),
        };
        self.insert(name, value)
    }
}

/// A secret that the lab of this folder has already.
///
/// # Errors
/// When it has none of this name.
pub fn generated(folder: &Utf8Path, name: &str) -> Result<String> {
    let path = path(folder, name);
    read(&path).with_context(|| format!("failed to read {path}"))
}

fn path(folder: &Utf8Path, name: &str) -> Utf8PathBuf {
    folder.join("secrets").join(name)
}

fn read(path: &Utf8Path) -> std::io::Result<String> {
    Ok(std::fs::read_to_string(path)?.trim_end().to_owned())
}

fn generate() -> Result<String> {
    let mut bytes = [0; LENGTH];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("failed to read /dev/urandom")?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 64)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_lab_keeps_its_secrets_and_shares_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let value = |folder: &Utf8Path| {
            let mut secrets = Secrets::default();
            secrets.insert_generated("ROOT_PASSWORD", folder).expect("it can be made");
            secrets.get("ROOT_PASSWORD").expect("it is there").to_owned()
        };
        let first = value(folder);
        assert_eq!(first.len(), LENGTH);
        assert_eq!(value(folder), first, "it was made anew");
        assert_eq!(generated(folder, "ROOT_PASSWORD").expect("kept"), first);
        assert!(generated(folder, "ANOTHER").is_err(), "none is made by reading");
        assert_ne!(value(&folder.join("another")), first);
        let path = folder.join("secrets/ROOT_PASSWORD");
        let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
