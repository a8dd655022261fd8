//! What must be equal for two runs to be compared, and what a comparison asks about.

use crate::run_folder::Manifest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What must be equal for times of two runs to be compared. It names no machine and no path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Provider and hypervisor, `netns-qemu`.
    pub lab: String,
    /// `tcg` or `kvm`.
    pub accelerator: String,
    /// Name of the CPU's model.
    pub cpu_model: String,
    /// CPUs that the run could use.
    pub cpu_count: u32,
    /// The lab's networks as declared: `migration` is `1 Gbit/s, MTU 1500`.
    pub links: BTreeMap<String, String>,
    /// Kind of the guest.
    pub guest: String,
    /// SHA-256 of its image, hexadecimal.
    pub guest_sha256: String,
    /// Version of the metrics' definitions: [`crate::metric::DEFINITIONS`].
    pub metrics: u32,
}

/// What may differ between two runs, and is what a comparison asks about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The programs under test, by what they are: `QEMU` is `10.0.2 (…), SHA-256 e8f995668153`.
    pub programs: BTreeMap<String, String>,
    /// The kernel's release.
    pub kernel: String,
    /// The driver's rules.
    pub policy: String,
    /// What was the same in all cells, by name.
    pub settings: BTreeMap<String, String>,
    /// Version of this program, with its commit.
    pub harness: String,
}

/// Something in which two runs differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// What it is, in words.
    pub what: String,
    /// What it is in the baseline; `None` when the baseline does not say.
    pub baseline: Option<String>,
    /// What it is in the candidate; `None` when the candidate does not say.
    pub candidate: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "not said".to_owned());
        write!(f, "{}: {} → {}", self.what, side(&self.baseline), side(&self.candidate))
    }
}

/// Which processors a run's guests had: model and number. Of nodes that are other machines theirs
/// count, and where these are virtual machines of this one, its own behind them.
fn processors(manifest: &Manifest) -> (String, u32) {
    let Manifest { host, nodes, .. } = manifest;
    let mut kinds: Vec<(&str, u32)> =
        nodes.iter().map(|node| (node.host.cpu_model.as_str(), node.host.cpu_count)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let (model, count) = match kinds[..] {
        [] => return (host.cpu_model.clone(), host.cpu_count),
        [(model, count)] => (model.to_owned(), count),
        _ => {
            let each = kinds.iter().map(|(model, count)| format!("{count} × {model}"));
            let all = nodes.iter().map(|node| node.host.cpu_count).sum();
            (each.collect::<Vec<_>>().join(", "), all)
        }
    };
    if manifest.lab.get("provider").and_then(Value::as_str) == Some("vagrant") {
        return (format!("{model}, on {} × {}", host.cpu_count, host.cpu_model), count);
    }
    (model, count)
}

/// The kernels that guests ran on.
fn kernels(manifest: &Manifest) -> String {
    let mut kernels: Vec<&str> =
        manifest.nodes.iter().map(|node| node.host.kernel.as_str()).collect();
    kernels.sort_unstable();
    kernels.dedup();
    if kernels.is_empty() { manifest.host.kernel.clone() } else { kernels.join(", ") }
}

type Facts = BTreeMap<String, String>;

fn differences(baseline: &Facts, candidate: &Facts) -> Vec<Difference> {
    let mut names: Vec<&String> = baseline.keys().chain(candidate.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| baseline.get(*name) != candidate.get(*name))
        .map(|name| Difference {
            what: name.clone(),
            baseline: baseline.get(name).cloned(),
            candidate: candidate.get(name).cloned(),
        })
        .collect()
}

/// A hash as far as people compare it.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

impl Context {
    /// The context of a run.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let kind = ["provider", "hypervisor"].map(|key| manifest.lab.get(key).map(text));
        let (cpu_model, cpu_count) = processors(manifest);
        let networks = manifest.lab.get("networks").and_then(Value::as_object);
        let links = networks.into_iter().flatten().map(|(name, network)| {
            let rate = network.get("link_rate").map_or_else(|| "unlimited".to_owned(), text);
            let mtu = network.get("mtu").map(|mtu| format!(", MTU {mtu}")).unwrap_or_default();
            (name.clone(), format!("{rate}{mtu}"))
        });
        Self {
            lab: kind.into_iter().flatten().collect::<Vec<_>>().join("-"),
            accelerator: manifest.accelerator.clone(),
            cpu_model,
            cpu_count,
            links: links.collect(),
            guest: manifest.guest.kind.clone(),
            guest_sha256: manifest.guest.sha256.clone(),
            metrics: manifest.metric_definitions,
        }
    }

    /// In what two contexts differ, in words. Empty when they are equal.
    #[must_use]
    pub fn differences(&self, candidate: &Self) -> Vec<Difference> {
        differences(&self.facts(), &candidate.facts())
    }

    fn facts(&self) -> Facts {
        let mut facts: Facts = [
            ("accelerator", self.accelerator.clone()),
            ("CPU", self.cpu_model.clone()),
            ("CPUs", self.cpu_count.to_string()),
            ("guest", format!("{}, SHA-256 {}", self.guest, short(&self.guest_sha256))),
            ("lab", self.lab.clone()),
            ("definitions of the metrics", format!("version {}", self.metrics)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let links = self.links.iter().map(|(name, link)| (format!("{name} links"), link.clone()));
        facts.extend(links);
        facts
    }

    /// Eight hexadecimal digits that other contexts do not share: FNV-1a over all of it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        // The separators keep `ab`, `c` apart from `a`, `bc`.
        let mut all = String::new();
        for (name, value) in &self.facts() {
            all.extend([name.as_str(), "\0", value.as_str(), "\0"]);
        }
        all.push_str(&self.guest_sha256);
        let hash = all
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        format!("{hash:08x}")
    }
}

impl Subject {
    /// The subject of a run, but for what only its records say (policy, settings).
    #[must_use]
    pub(super) fn of(manifest: &Manifest) -> Self {
        let programs = manifest.programs().into_iter().map(|(name, qemu)| {
            let what = name.map_or_else(|| "QEMU".to_owned(), |name| format!("QEMU {name}"));
            (what, format!("{}, SHA-256 {}", qemu.version, short(&qemu.sha256)))
        });
        let harness = match &manifest.git {
            None => manifest.harness_version.clone(),
            Some(git) => format!(
                "{}, commit {}{}",
                manifest.harness_version,
                short(&git.commit),
                if git.dirty { " with changes" } else { "" }
            ),
        };
        let of_experiment = ["max_time", "heartbeat_interval"].into_iter().filter_map(|name| {
            let value = manifest.experiment.get(name)?.as_str()?;
            Some((name.to_owned(), value.to_owned()))
        });
        // Written only where it is not as strict as a measurement wants it.
        let gate = manifest.experiment.get("gate").and_then(serde_json::Value::as_object);
        let gate = gate.map(|gate| {
            let asked = gate.iter().map(|(name, value)| match value.as_str() {
                Some(text) => format!("{name} {text}"),
                None => format!("{name} {value}"),
            });
            ("gate".to_owned(), asked.collect::<Vec<_>>().join(", "))
        });
        let machine = manifest.machine.clone().map(|machine| ("machine".to_owned(), machine));
        Self {
            programs: programs.collect(),
            kernel: kernels(manifest),
            policy: String::new(),
            settings: of_experiment.chain(gate).chain(machine).collect(),
            harness,
        }
    }

    /// In what two subjects differ, in words. Empty when they are equal.
    #[must_use]
    pub fn differences(&self, candidate: &Self) -> Vec<Difference> {
        differences(&self.facts(), &candidate.facts())
    }

    fn facts(&self) -> Facts {
        let mut facts: Facts = [
            ("kernel", self.kernel.clone()),
            ("policy", self.policy.clone()),
            ("precopy-lab", self.harness.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        facts.extend(self.programs.clone());
        facts.extend(self.settings.clone());
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture,
        run_folder::{Host, NodeHost},
    };

    fn manifest(provider: &str, cpus: &[(&str, u32)]) -> Manifest {
        let mut manifest = fixture::manifest();
        manifest.lab = serde_json::json!({ "provider": provider, "hypervisor": "qemu" });
        let node = |(index, (model, count)): (usize, &(&str, u32))| NodeHost {
            name: format!("node{index}"),
            host: Host {
                kernel: format!("6.12.{count}"),
                cpu_model: (*model).to_owned(),
                cpu_count: *count,
                memory_bytes: 1 << 30,
            },
            fill_mib_per_s: 20.0,
        };
        manifest.nodes = cpus.iter().enumerate().map(node).collect();
        manifest
    }

    #[test]
    fn nodes_that_are_machines_are_a_context_of_their_own() {
        let of = |provider, cpus: &[(&str, u32)]| {
            let context = Context::of(&manifest(provider, cpus));
            (context.lab, context.cpu_model, context.cpu_count)
        };
        let text = str::to_owned;
        let host = fixture::manifest().host;
        let here = (text("netns-qemu"), host.cpu_model.clone(), host.cpu_count);
        assert_eq!(of("netns", &[]), here);
        let same = of("hosts", &[("EPYC", 8), ("EPYC", 8), ("EPYC", 8)]);
        assert_eq!(same, (text("hosts-qemu"), text("EPYC"), 8));
        let mixed = of("hosts", &[("EPYC", 8), ("Xeon", 4), ("EPYC", 8)]);
        assert_eq!(mixed, (text("hosts-qemu"), text("8 × EPYC, 4 × Xeon"), 20));
        let nested = of("vagrant", &[("QEMU64", 1), ("QEMU64", 1), ("QEMU64", 1)]);
        let model = format!("QEMU64, on {} × {}", host.cpu_count, host.cpu_model);
        assert_eq!(nested, (text("vagrant-qemu"), model, 1));
        // Another provider, or another machine below, is another context.
        let three = [("EPYC", 8); 3];
        let [a, b] = ["hosts", "vagrant"].map(|provider| Context::of(&manifest(provider, &three)));
        assert_ne!(a.fingerprint(), b.fingerprint());
        assert_eq!(a.differences(&b).iter().filter(|it| it.what == "lab").count(), 1);
        assert_eq!(Subject::of(&manifest("hosts", &[("EPYC", 8)])).kernel, "6.12.8");
    }
}
