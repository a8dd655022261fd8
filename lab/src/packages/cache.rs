//! What was fetched, on disk, and one fetch for all who ask at once.

use super::{
    fetch::{Fetch, FetchError},
    url::Url,
};
use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    fs::{self, File},
    sync::{Arc, Mutex, PoisonError},
};

/// Files of archives, kept in a folder. Clones share everything.
#[derive(Debug)]
pub struct PackageCache<F> {
    inner: Arc<Inner<F>>,
}

impl<F> Clone for PackageCache<F> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

#[derive(Debug)]
struct Inner<F> {
    folder: Utf8PathBuf,
    /// What is not complete yet.
    parts: Utf8PathBuf,
    fetch: F,
    /// The archives' hosts that may be asked.
    hosts: Mutex<BTreeSet<String>>,
    /// What is being fetched, or was fetched or found missing since this was made.
    files: Mutex<HashMap<Url, Arc<tokio::sync::Mutex<State>>>>,
    statistics: Mutex<Statistics>,
}

/// What is known of a file since the cache was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing: an index must be asked for.
    #[default]
    Unknown,
    /// It is there and as it should be.
    Current,
    /// There is none.
    Missing,
}

/// What a cache did since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Files that were fetched.
    pub fetched: u64,
    /// Their bytes.
    pub fetched_bytes: u64,
    /// Files that were given from the folder.
    pub from_cache: u64,
    /// Bytes given to nodes altogether.
    pub served_bytes: u64,
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| (bytes + (1 << 19)) >> 20;
        let (fetched, served) = (mib(self.fetched_bytes), mib(self.served_bytes));
        let Self { fetched: files, from_cache, .. } = self;
        write!(
            f,
            "{files} files fetched ({fetched} MiB), {from_cache} times given from the cache; \
             {served} MiB given to the nodes"
        )
    }
}

/// A file to be given to a node.
#[derive(Debug)]
pub struct Found {
    /// Open at its begin.
    pub file: File,
    /// Its bytes.
    pub bytes: u64,
    /// When it was last changed, as far as that is known.
    pub modified: std::time::SystemTime,
}

impl<F: Fetch> PackageCache<F> {
    /// A cache in `folder`, which is made, and which several may use at a time: each by another
    /// `name`, which one holds a lock on. `hosts` are those that may be asked, such as `deb.example`
    /// or `deb.example:8080`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(folder: &Utf8Path, name: &str, fetch: F, hosts: BTreeSet<String>) -> Result<Self> {
        // What was not complete when a program died.
        let parts = folder.join(format!("partial-{name}"));
        if parts.exists() {
            fs::remove_dir_all(&parts).with_context(|| format!("failed to remove {parts}"))?;
        }
        fs::create_dir_all(&parts).with_context(|| format!("failed to make {parts}"))?;
        let inner = Inner {
            folder: folder.to_owned(),
            parts,
            fetch,
            hosts: Mutex::new(hosts),
            files: Mutex::default(),
            statistics: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What was done so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        *lock(&self.inner.statistics)
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Statistics)) {
        change(&mut lock(&self.inner.statistics));
    }

    /// Whether this cache may ask that host.
    pub(super) fn may_ask(&self, url: &Url) -> bool {
        lock(&self.inner.hosts).contains(url.host())
    }

    /// Lets nodes ask these, too.
    pub fn allow(&self, hosts: impl IntoIterator<Item = String>) {
        lock(&self.inner.hosts).extend(hosts);
    }

    /// The file at this address, fetched unless it is there. Whoever asks meanwhile waits for the
    /// same fetch.
    pub(super) async fn get(&self, url: &Url) -> Result<Found, FetchError> {
        let slot = Arc::clone(lock(&self.inner.files).entry(url.clone()).or_default());
        let mut state = slot.lock().await;
        let path = self.inner.folder.join(url.file_name());
        let current = match *state {
            State::Missing => return Err(FetchError::NotFound),
            State::Current => true,
            State::Unknown => url.is_immutable(),
        };
        if current && let Ok(found) = open(&path) {
            *state = State::Current;
            self.count(|statistics| statistics.from_cache += 1);
            return Ok(found);
        }
        match self.fetch(url, &path).await {
            Ok(found) => {
                *state = State::Current;
                Ok(found)
            }
            Err(FetchError::NotFound) => {
                *state = State::Missing;
                Err(FetchError::NotFound)
            }
            // Without the archive what was fetched some other day must do. apt refuses an index
            // that is too old.
            Err(error) => open(&path).map_err(|_| error),
        }
    }

    async fn fetch(&self, url: &Url, path: &Utf8Path) -> Result<Found, FetchError> {
        let part = self.inner.parts.join(url.file_name());
        let result = self.inner.fetch.fetch(url.as_str(), &part).await;
        let kept = result.and_then(|()| {
            let failed = |error| FetchError::Failed(format!("failed to keep {path}: {error}"));
            fs::rename(&part, path).map_err(failed)?;
            open(path).map_err(failed)
        });
        match kept {
            Ok(found) => {
                self.count(|statistics| {
                    statistics.fetched += 1;
                    statistics.fetched_bytes += found.bytes;
                });
                Ok(found)
            }
            Err(error) => {
                let _there_may_be_none = fs::remove_file(&part);
                Err(error)
            }
        }
    }
}

fn open(path: &Utf8Path) -> std::io::Result<Found> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    Ok(Found { bytes: metadata.len(), modified: metadata.modified()?, file })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
