//! The keyring that a repository is checked with.

use super::fetch::{Fetch, FetchError};
use anyhow::{Context, Result, bail};
use camino::Utf8Path;
use sha2::{Digest, Sha256};
use std::fs;

/// Longest keyring, in bytes.
const LONGEST: usize = 1 << 20;

/// The keyring at `place`, an address or a file of this machine, whose SHA-256 must be `hash`,
/// where one is given, in lowercase digits. What is fetched is kept in `folder`.
///
/// # Errors
/// When it cannot be had, or is another one.
pub async fn keyring(
    place: &str,
    hash: Option<&str>,
    folder: &Utf8Path,
    fetch: &impl Fetch,
) -> Result<Vec<u8>> {
    if !place.contains("://") {
        let bytes =
            fs::read(place).with_context(|| format!("failed to read the keyring `{place}`"))?;
        check(place, &bytes, hash)?;
        return Ok(bytes);
    }
    let Some(hash) = hash else { bail!("the keyring `{place}` has no hash to be checked with") };
    // Named by what it must be: nothing else is ever kept under that name.
    let kept = folder.join(format!("{hash}.keyring"));
    if let Ok(bytes) = fs::read(&kept)
        && check(place, &bytes, Some(hash)).is_ok()
    {
        return Ok(bytes);
    }
    fs::create_dir_all(folder).with_context(|| format!("failed to make {folder}"))?;
    let part = folder.join(format!("{hash}.keyring.part"));
    match fetch.fetch(place, &part).await {
        Ok(()) => {}
        Err(error @ (FetchError::NotFound | FetchError::Failed(_))) => bail!(
            "failed to fetch the keyring `{place}`: {error}\n\nhint: fetch it somewhere else and \
             name the file in `proxmox.key`"
        ),
    }
    let bytes = fs::read(&part).with_context(|| format!("failed to read {part}"))?;
    let checked = check(place, &bytes, Some(hash));
    if checked.is_ok() {
        fs::rename(&part, &kept).with_context(|| format!("failed to keep {kept}"))?;
    } else {
        let _there_is_one = fs::remove_file(&part);
    }
    checked.map(|()| bytes)
}

fn check(place: &str, bytes: &[u8], hash: Option<&str>) -> Result<()> {
    if bytes.is_empty() || bytes.len() > LONGEST {
        bail!("`{place}` is no keyring: it has {} bytes", bytes.len());
    }
    let found: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    match hash {
        Some(hash) if hash != found => bail!(
            "the keyring `{place}` is not the one that is expected: its SHA-256 is {found}, not \
             {hash}\n\nhint: if it was replaced by a new one that you trust, name that hash in \
             `proxmox.key_sha256`"
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use camino::Utf8PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[derive(Default)]
    struct Gives(&'static str, AtomicU32);

    impl Fetch for Gives {
        async fn fetch(&self, _: &str, to: &Utf8Path) -> Result<(), FetchError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            fs::write(to, self.0).map_err(|error| FetchError::Failed(error.to_string()))
        }
    }

    #[tokio::test]
    async fn a_keyring_is_the_one_that_was_meant() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = Utf8PathBuf::try_from(folder.path().to_owned()).expect("UTF-8");
        let hash = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";
        let (url, gives) = ("https://a.example/key", Gives("key", AtomicU32::new(0)));
        for _ in 0..2 {
            let bytes = keyring(url, Some(hash), &folder, &gives).await.expect("it is the one");
            assert_eq!(bytes, b"key");
        }
        assert_eq!(gives.1.load(Ordering::Relaxed), 1, "it was fetched twice");
        let other = Gives("another", AtomicU32::new(0));
        let error = keyring(url, Some(&"0".repeat(64)), &folder, &other).await.expect_err("other");
        assert!(error.to_string().contains("is not the one that is expected"), "{error}");
        assert!(keyring(url, None, &folder, &gives).await.is_err(), "without a hash");

        let file = folder.join("mine.gpg");
        fs::write(&file, "key").expect("it can be written");
        assert_eq!(keyring(file.as_str(), None, &folder, &gives).await.expect("a file"), b"key");
        let wrong = keyring(file.as_str(), Some(&"0".repeat(64)), &folder, &gives).await;
        assert!(wrong.is_err());
    }
}
