//! Which accelerator works here: found by running the guest, never by looking at `/dev/kvm`.
//!
//! There are hosts where `/dev/kvm` opens, firmware runs at full speed, and everything after it
//! crawls. So the guest fills memory under TCG, which always works, and then under KVM, which
//! must be faster, within a deadline that a crawling one does not meet.

use super::arguments::Accelerator;
use crate::{
    node::Node,
    process::{self, Command},
};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    time::{Duration, Instant},
};

/// Memory that the guest fills, MiB.
const FILL_MIB: u64 = 32;
/// TCG does it in some 30 ms, plus 100 ms for QEMU to start; ten seconds are for busy machines.
const TCG_DEADLINE: Duration = Duration::from_secs(10);
/// KVM does it in less; one that takes two seconds crawls.
const KVM_DEADLINE: Duration = Duration::from_secs(2);
/// On a node that is a virtual machine itself, without KVM, QEMU takes seconds to start.
const NODE_DEADLINE: Duration = Duration::from_secs(180);

/// What was found, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// What to use.
    pub accelerator: Accelerator,
    /// Why, in words for a report.
    pub reason: String,
    /// The fill rate under TCG, MiB/s.
    pub tcg_mib_per_s: f64,
    /// The fill rate under KVM, MiB/s; none when it did not get there.
    pub kvm_mib_per_s: Option<f64>,
}

impl Probe {
    /// The fill rate under what is to be used, MiB/s; 0 where nothing was measured.
    #[must_use]
    pub fn fill_mib_per_s(&self) -> f64 {
        match self.accelerator {
            Accelerator::Kvm => self.kvm_mib_per_s.unwrap_or(0.0),
            Accelerator::Tcg => self.tcg_mib_per_s,
        }
    }
}

/// So many answers are remembered: several QEMUs may take turns, and each new build is another.
const MOST_CACHED: usize = 16;

/// The answers of earlier probes, the newest last.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cache {
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
    fn read(file: &Utf8Path) -> Self {
        fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    fn answer(&self, key: &str) -> Option<&Probe> {
        self.answers.iter().find(|cached| cached.key == key).map(|cached| &cached.probe)
    }

    /// Adds an answer; the oldest make room.
    fn add(&mut self, key: &str, probe: Probe) {
        self.answers.push(Cached { key: key.to_owned(), probe });
        let over = self.answers.len().saturating_sub(MOST_CACHED);
        self.answers.drain(..over);
    }
}

/// Probes, or takes the answer of an earlier probe with the same `key` (QEMU, guest, kernel and
/// processor) from `cache`.
///
/// # Errors
/// When the guest does not run under TCG either.
pub fn probe_cached(
    qemu: &Utf8Path,
    guest: &Utf8Path,
    key: &str,
    cache: &Utf8Path,
) -> Result<Probe> {
    if let Some(probe) = Cache::read(cache).answer(key) {
        return Ok(probe.clone());
    }
    let probe = probe(qemu, guest)?;
    remember(cache, key, &probe);
    Ok(probe)
}

/// A QEMU and a guest on a node.
#[derive(Clone, Copy, Debug)]
pub struct On<'a> {
    /// The node.
    pub node: &'a Node,
    /// The program there.
    pub qemu: &'a Utf8Path,
    /// The guest's image there.
    pub guest: &'a Utf8Path,
}

/// As [`probe_cached`], on a node, whose kind `key` names, too. Where somebody has `chosen` an
/// accelerator, only that one is tried.
///
/// # Errors
/// When the guest does not run under TCG either, or not under the chosen one, or the node is gone.
pub async fn probe_on_cached(
    on: On<'_>,
    chosen: Option<Accelerator>,
    key: &str,
    cache: &Utf8Path,
) -> Result<Probe> {
    let key = chosen.map_or_else(|| key.to_owned(), |chosen| format!("{key}, {}", chosen.name()));
    if let Some(probe) = Cache::read(cache).answer(&key) {
        return Ok(probe.clone());
    }
    let probe = match chosen {
        None => probe_on(on).await,
        Some(accelerator) => measure_on(on, accelerator).await,
    };
    let probe = probe.with_context(|| format!("on {}", on.node.name))?;
    remember(cache, &key, &probe);
    Ok(probe)
}

async fn probe_on(on: On<'_>) -> Result<Probe> {
    let begun = Instant::now();
    let tcg_mib_per_s =
        fill_rate_on(on, Accelerator::Tcg, NODE_DEADLINE).await.context(NOT_UNDER_TCG)?;
    // A KVM that takes longer than TCG did is not faster, so there is nothing to wait for.
    let deadline = KVM_DEADLINE.max(begun.elapsed());
    Ok(decided(tcg_mib_per_s, fill_rate_on(on, Accelerator::Kvm, deadline).await))
}

/// The fill rate under an accelerator that somebody has chosen.
async fn measure_on(on: On<'_>, accelerator: Accelerator) -> Result<Probe> {
    let rate = fill_rate_on(on, accelerator, NODE_DEADLINE).await;
    let name = accelerator.name().to_uppercase();
    let rate = rate.with_context(|| format!("the guest does not run under {name}"))?;
    let reason = "the lab file says so".to_owned();
    Ok(match accelerator {
        Accelerator::Kvm => {
            Probe { accelerator, reason, tcg_mib_per_s: 0.0, kvm_mib_per_s: Some(rate) }
        }
        Accelerator::Tcg => Probe { accelerator, reason, tcg_mib_per_s: rate, kvm_mib_per_s: None },
    })
}

/// Adds an answer to the cache. One that cannot be written costs the next run a moment, nothing
/// else.
fn remember(cache: &Utf8Path, key: &str, probe: &Probe) {
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

fn probe(qemu: &Utf8Path, guest: &Utf8Path) -> Result<Probe> {
    let tcg_mib_per_s =
        fill_rate(qemu, guest, Accelerator::Tcg, TCG_DEADLINE).context(NOT_UNDER_TCG)?;
    Ok(decided(tcg_mib_per_s, fill_rate(qemu, guest, Accelerator::Kvm, KVM_DEADLINE)))
}

const NOT_UNDER_TCG: &str = "the guest does not run under TCG, QEMU's own translator";

/// KVM must be faster.
fn decided(tcg_mib_per_s: f64, kvm: Result<f64>) -> Probe {
    let kvm_mib_per_s = kvm.as_ref().ok().copied();
    let (accelerator, reason) = match kvm {
        Ok(kvm) if kvm > tcg_mib_per_s => {
            let reason = format!(
                "the guest fills {kvm:.0} MiB/s under KVM, {tcg_mib_per_s:.0} MiB/s under TCG"
            );
            (Accelerator::Kvm, reason)
        }
        Ok(kvm) => {
            let reason =
                format!("KVM is slower than TCG here: {kvm:.0} against {tcg_mib_per_s:.0} MiB/s");
            (Accelerator::Tcg, reason)
        }
        Err(error) => (Accelerator::Tcg, why_not(&error, tcg_mib_per_s)),
    };
    Probe { accelerator, reason, tcg_mib_per_s, kvm_mib_per_s }
}

/// Why KVM is not used, in one sentence without paths: the reason is kept in every run's manifest
/// and shown in its report.
fn why_not(error: &anyhow::Error, tcg_mib_per_s: f64) -> String {
    use process::Error;
    match error.downcast_ref::<Error>() {
        Some(Error::TimedOut { after, .. }) => format!(
            "KVM did not fill {FILL_MIB} MiB within {} s; TCG fills {tcg_mib_per_s:.0} MiB/s",
            after.as_secs_f64().ceil()
        ),
        Some(Error::Failed { status, last_words, .. }) => match last_words.lines().last() {
            Some(words) => format!("KVM does not run the guest: {}", without_program(words)),
            None => format!("KVM does not run the guest: QEMU ended with {status}"),
        },
        Some(_) => "KVM does not run the guest: QEMU could not be started with it".to_owned(),
        None => format!("KVM does not run the guest: {error}"),
    }
}

/// QEMU's words without its own path in front: `/usr/bin/qemu-system-x86_64: …`.
fn without_program(words: &str) -> &str {
    match words.split_once(": ") {
        Some((program, rest)) if program.contains("qemu") => rest,
        _ => words,
    }
}

/// MiB per second at which the guest fills memory, by its own clock.
fn fill_rate(
    qemu: &Utf8Path,
    guest: &Utf8Path,
    accelerator: Accelerator,
    deadline: Duration,
) -> Result<f64> {
    let argv = argv(qemu, guest, accelerator);
    let output = Command::new(qemu.as_str())
        .args(argv.iter().skip(1))
        .timeout(deadline)
        // What isa-debug-exit makes of the guest's "well": 2 × 0 + 1.
        .accept_exit(1)
        .run()?;
    rate_said(&output.text(), &String::from_utf8_lossy(&output.stderr))
}

/// The same on a node.
async fn fill_rate_on(on: On<'_>, accelerator: Accelerator, deadline: Duration) -> Result<f64> {
    let argv = argv(on.qemu, on.guest, accelerator);
    match tokio::time::timeout(deadline, on.node.output(&argv)).await {
        // However it ended: one without a rate has said why.
        Ok(output) => output.and_then(|output| rate_said(&output.stdout, &output.stderr)),
        Err(_) => {
            let (command, last_words) = (argv.join(" "), process::LastWords::default());
            Err(process::Error::TimedOut { command, after: deadline, last_words }.into())
        }
    }
}

fn argv(qemu: &Utf8Path, guest: &Utf8Path, accelerator: Accelerator) -> Vec<String> {
    let memory = format!("{}M", FILL_MIB + 64);
    let probe = format!("probe={FILL_MIB}");
    let machine = ["-machine", "pc", "-accel", accelerator.name(), "-bios", "qboot.rom"];
    let quiet = ["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio"];
    let ends = ["-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"];
    let guest = ["-m", &memory, "-kernel", guest.as_str(), "-append", &probe];
    let all = [qemu.as_str()].into_iter().chain(machine).chain(quiet).chain(ends).chain(guest);
    all.map(str::to_owned).collect()
}

/// The rate in what a probed QEMU and its guest wrote, MiB per second.
fn rate_said(stdout: &str, stderr: &str) -> Result<f64> {
    let micros = stdout
        .lines()
        .filter_map(|line| line.trim().strip_suffix(" us"))
        .find_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    let Some(micros) = micros.filter(|micros| *micros > 0.0) else {
        // QEMU ends with 1 on its own errors, too: then it has said why.
        bail!("{}", stderr.lines().last().map_or("it said nothing of its fill", without_program));
    };
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let fill_mib = FILL_MIB as f64;
    Ok(fill_mib / (micros / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a program that does this makes of the reason.
    fn reason(script: &str) -> String {
        let command = Command::new("sh").args(["-c", script]).timeout(Duration::from_millis(1500));
        why_not(&command.run().expect_err("it fails").into(), 640.4)
    }

    #[test]
    fn a_failure_of_kvm_is_one_sentence_without_paths() {
        let words = "echo '/usr/bin/qemu-system-x86_64: -accel kvm: no rights' >&2; exit 1";
        assert_eq!(reason(words), "KVM does not run the guest: -accel kvm: no rights");
        let silent = reason("exit 3");
        assert_eq!(silent, "KVM does not run the guest: QEMU ended with exit status: 3");
        let error = process::Error::TimedOut {
            command: "/secret/path".to_owned(),
            after: Duration::from_secs(2),
            last_words: process::LastWords::default(),
        };
        let crawls = why_not(&error.into(), 640.4);
        assert_eq!(crawls, "KVM did not fill 32 MiB within 2 s; TCG fills 640 MiB/s");
    }

    #[test]
    fn a_qemu_that_may_not_use_kvm_says_why() {
        let script = "echo '/usr/bin/qemu: -accel kvm: Permission denied' >&2; exit 1";
        let output =
            Command::new("sh").args(["-c", script]).accept_exit(1).run().expect("accepted");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let error = rate_said(&output.text(), &stderr).expect_err("no rate");
        let words = "KVM does not run the guest: -accel kvm: Permission denied";
        assert_eq!(why_not(&error, 640.4), words);
    }

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
