//! What earlier probes found.

use super::Probe;
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use std::fs;

/// So many answers are remembered: several QEMUs may take turns, and each new build is another.
const MOST_CACHED: usize = 16;

/// The answers of earlier probes, the newest last.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cache {
    answers: Vec<Cached>,
}

/// What an answer depends on, and the answer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cached {
    key: String,
    probe: Probe,
}

impl Cache {
    /// What is in the file; one that cannot be read holds nothing.
    pub(super) fn read(file: &Utf8Path) -> Self {
        fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    pub(super) fn answer(&self, key: &str) -> Option<&Probe> {
        self.answers.iter().find(|cached| cached.key == key).map(|cached| &cached.probe)
    }

    /// Adds an answer; the oldest make room.
    pub(super) fn add(&mut self, key: &str, probe: Probe) {
        self.answers.push(Cached { key: key.to_owned(), probe });
        let over = self.answers.len().saturating_sub(MOST_CACHED);
        self.answers.drain(..over);
    }
}

/// Adds an answer to the cache. One that cannot be written costs the next run a moment, nothing
/// else.
pub(super) fn remember(cache: &Utf8Path, key: &str, probe: &Probe) {
    let mut known = Cache::read(cache);
    known.add(key, probe.clone());
    let _cost = cache
        .parent()
        .map(fs::create_dir_all)
        .transpose()
        .and_then(|_| fs::write(cache, serde_json::to_vec_pretty(&known)?));
}

/// Where answers are kept for this user.
#[must_use]
pub fn cache_file() -> Utf8PathBuf {
    let home = |name: &str| {
        std::env::var(name).ok().filter(|value| !value.is_empty()).map(Utf8PathBuf::from)
    };
    home("XDG_CACHE_HOME")
        .or_else(|| home("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(|| "/tmp".into())
        .join("precopy-lab/accelerator.json")
}

#[cfg(test)]
mod tests {
    use super::{super::probe_cached, *};
    use crate::hypervisor::qemu::Accelerator;

    #[test]
    fn answers_for_several_qemus_are_remembered_and_the_oldest_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = Utf8PathBuf::from_path_buf(folder.path().join("cache.json")).expect("UTF-8");
        let probe = |rate| Probe {
            accelerator: Accelerator::Tcg,
            reason: "a test".to_owned(),
            tcg_mib_per_s: rate,
            kvm_mib_per_s: None,
        };
        // What was written before several were remembered is forgotten, not stumbled over.
        let single = serde_json::json!({ "key": "old", "probe": probe(1.0) });
        fs::write(&file, single.to_string()).expect("written");
        let mut cache = Cache::read(&file);
        assert!(cache.answers.is_empty());
        for (key, rate) in [("old", 2.0), ("new", 3.0)] {
            cache.add(key, probe(rate));
        }
        fs::write(&file, serde_json::to_vec(&cache).expect("JSON")).expect("written");
        let none = Utf8Path::new("/no/such/qemu");
        for (key, rate) in [("old", 2.0), ("new", 3.0)] {
            assert_eq!(probe_cached(none, none, key, &file).expect("known"), probe(rate));
        }
        for number in 0..MOST_CACHED {
            cache.add(&number.to_string(), probe(4.0));
        }
        assert_eq!((cache.answers.len(), cache.answer("new")), (MOST_CACHED, None));
    }
}
