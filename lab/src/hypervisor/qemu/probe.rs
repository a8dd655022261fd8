//! Which accelerator works here: found by running the guest, never by looking at `/dev/kvm`.
//!
//! There are hosts where `/dev/kvm` opens, firmware runs at full speed, and everything after it
//! crawls. So the guest fills memory under TCG, which always works, and then under KVM, which
//! must be faster, within a deadline that a crawling one does not meet. And there are hosts whose
//! KVM rests on virtualization that is emulated itself: memory is filled fast, but a device takes
//! hundreds of microseconds to answer. So the guest also asks one.

mod cache;

use self::cache::{Cache, remember};
use super::arguments::Accelerator;
use crate::{
    node::Node,
    process::{self, Command},
};
use anyhow::{Context, Result, bail};
use camino::Utf8Path;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Memory that the guest fills, MiB.
const FILL_MIB: u64 = 32;
/// A device of a guest under a true KVM answers in 2 to 20 µs.
const MOST_DEVICE_US: f64 = 60.0;
/// TCG does it in some 30 ms, plus 100 ms for QEMU to start; ten seconds are for busy machines.
const TCG_DEADLINE: Duration = Duration::from_secs(10);
/// KVM does it in less; one that takes two seconds crawls.
const KVM_DEADLINE: Duration = Duration::from_secs(2);
/// On a node that is a virtual machine itself, without KVM, QEMU takes seconds to start.
const NODE_DEADLINE: Duration = Duration::from_secs(180);

pub use self::cache::cache_file;

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
    let tcg = speed_on(on, Accelerator::Tcg, NODE_DEADLINE).await.context(NOT_UNDER_TCG)?;
    // A KVM that takes longer than TCG did is not faster, so there is nothing to wait for.
    let deadline = KVM_DEADLINE.max(begun.elapsed());
    Ok(decided(tcg, speed_on(on, Accelerator::Kvm, deadline).await))
}

/// The fill rate under an accelerator that somebody has chosen.
async fn measure_on(on: On<'_>, accelerator: Accelerator) -> Result<Probe> {
    let speed = speed_on(on, accelerator, NODE_DEADLINE).await;
    let name = accelerator.name().to_uppercase();
    let Speed { fill_mib_per_s: rate, .. } =
        speed.with_context(|| format!("the guest does not run under {name}"))?;
    let reason = "the lab file says so".to_owned();
    Ok(match accelerator {
        Accelerator::Kvm => {
            Probe { accelerator, reason, tcg_mib_per_s: 0.0, kvm_mib_per_s: Some(rate) }
        }
        Accelerator::Tcg => Probe { accelerator, reason, tcg_mib_per_s: rate, kvm_mib_per_s: None },
    })
}

fn probe(qemu: &Utf8Path, guest: &Utf8Path) -> Result<Probe> {
    let tcg = speed(qemu, guest, Accelerator::Tcg, TCG_DEADLINE).context(NOT_UNDER_TCG)?;
    Ok(decided(tcg, speed(qemu, guest, Accelerator::Kvm, KVM_DEADLINE)))
}

const NOT_UNDER_TCG: &str = "the guest does not run under TCG, QEMU's own translator";

/// How a guest ran.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Speed {
    /// At which it filled memory, by its own clock.
    fill_mib_per_s: f64,
    /// What a device took to answer it, by that device itself.
    device_us: f64,
}

/// KVM must be faster, and its devices must not be slower than TCG's and than any KVM's are.
fn decided(tcg: Speed, kvm: Result<Speed>) -> Probe {
    let tcg_mib_per_s = tcg.fill_mib_per_s;
    let kvm_mib_per_s = kvm.as_ref().ok().map(|kvm| kvm.fill_mib_per_s);
    let (accelerator, reason) = match kvm {
        Ok(Speed { device_us, .. }) if device_us > MOST_DEVICE_US.max(tcg.device_us) => {
            let reason = format!(
                "a device takes {device_us:.0} µs to answer under KVM, {:.0} µs under TCG: \
                 virtualization is emulated here",
                tcg.device_us
            );
            (Accelerator::Tcg, reason)
        }
        Ok(Speed { fill_mib_per_s: kvm, .. }) if kvm > tcg_mib_per_s => {
            let reason = format!(
                "the guest fills {kvm:.0} MiB/s under KVM, {tcg_mib_per_s:.0} MiB/s under TCG"
            );
            (Accelerator::Kvm, reason)
        }
        Ok(Speed { fill_mib_per_s: kvm, .. }) => {
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

/// How the guest runs.
fn speed(
    qemu: &Utf8Path,
    guest: &Utf8Path,
    accelerator: Accelerator,
    deadline: Duration,
) -> Result<Speed> {
    let argv = argv(qemu, guest, accelerator);
    let output = Command::new(qemu.as_str())
        .args(argv.iter().skip(1))
        .timeout(deadline)
        // What isa-debug-exit makes of the guest's "well": 2 × 0 + 1.
        .accept_exit(1)
        .run()?;
    speed_said(&output.text(), &String::from_utf8_lossy(&output.stderr))
}

/// The same on a node.
async fn speed_on(on: On<'_>, accelerator: Accelerator, deadline: Duration) -> Result<Speed> {
    let argv = argv(on.qemu, on.guest, accelerator);
    match tokio::time::timeout(deadline, on.node.output(&argv)).await {
        // However it ended: one without a rate has said why.
        Ok(output) => output.and_then(|output| speed_said(&output.stdout, &output.stderr)),
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

/// What a probed QEMU and its guest wrote.
fn speed_said(stdout: &str, stderr: &str) -> Result<Speed> {
    let figure = |what: &str, unit: &str| {
        let mut lines = stdout.lines().filter_map(|line| line.trim().strip_suffix(unit));
        let line = lines.find(|line| line.contains(what))?;
        line.rsplit(' ').next()?.parse::<f64>().ok().filter(|figure| *figure > 0.0)
    };
    let (Some(fill_us), Some(device_ns)) =
        (figure("probe fill", " us"), figure("probe device", " ns"))
    else {
        // QEMU ends with 1 on its own errors, too: then it has said why.
        bail!("{}", stderr.lines().last().map_or("it said nothing of its fill", without_program));
    };
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let fill_mib = FILL_MIB as f64;
    Ok(Speed { fill_mib_per_s: fill_mib / (fill_us / 1e6), device_us: device_ns / 1e3 })
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
        let error = speed_said(&output.text(), &stderr).expect_err("no speed");
        let words = "KVM does not run the guest: -accel kvm: Permission denied";
        assert_eq!(why_not(&error, 640.4), words);
    }

    #[test]
    fn a_kvm_whose_devices_are_slow_is_not_used() {
        let speed = |fill, device| Speed { fill_mib_per_s: fill, device_us: device };
        let tcg = speed(50.0, 20.0);
        let emulated = decided(tcg, Ok(speed(475.0, 200.0)));
        assert_eq!(emulated.accelerator, Accelerator::Tcg);
        let why = "a device takes 200 µs to answer under KVM, 20 µs under TCG";
        assert!(emulated.reason.starts_with(why), "{}", emulated.reason);
        // A true KVM's devices are slower than TCG's, which costs little; and where everything is
        // slow, KVM is not to blame.
        for (tcg, kvm) in [(speed(50.0, 1.0), 30.0), (speed(50.0, 300.0), 290.0)] {
            assert_eq!(decided(tcg, Ok(speed(475.0, kvm))).accelerator, Accelerator::Kvm);
        }
        assert_eq!(decided(tcg, Ok(speed(49.0, 5.0))).accelerator, Accelerator::Tcg);
    }

    #[test]
    fn the_guest_says_both() {
        let said = "qboot\nprobe fill 32 MiB 64000 us\nprobe device 1250 ns\n";
        let speed = speed_said(said, "").expect("both");
        assert_eq!(speed, Speed { fill_mib_per_s: 500.0, device_us: 1.25 });
        assert!(speed_said("probe fill 32 MiB 64000 us\n", "").is_err());
    }
}
