//! Brings the nodes up. Every step looks first at what is there, so that after a kill at any
//! moment the same command goes on where it stopped.

use super::{
    Virtualization, box_image, domains,
    down::others_use,
    host::Host,
    names::Names,
    networks,
    ssh::{self, SshNode},
    vagrantfile::{self, BOOT_TIMEOUT_S},
};
use crate::{
    journal::{self, Resource},
    provider::netns,
    spec::LabSpec,
};
use anyhow::{Context, Result};
use camino::Utf8Path;
use std::{
    fs,
    time::{Duration, Instant},
};

/// All that Vagrant says, one run after another.
pub(super) const LOG: &str = "vagrant.log";
/// How it is decided and recorded what runs the nodes' instructions.
pub(super) const CPU_FILE: &str = "cpu.json";
/// Beyond the nodes' own boot: images are copied, machines defined.
const UP_PATIENCE: Duration = Duration::from_secs(BOOT_TIMEOUT_S as u64 + 600);

/// Makes the lab's nodes exist, run, and be reachable by SSH. `folder` is the lab's, made when it
/// is not there; `program` is one that calls `netns::hold` and [`super::reach()`] when its first
/// argument asks for it. Progress is told line by line; all that Vagrant says is in the folder.
///
/// # Errors
/// When a step fails; what was made stays, for the next try or for `down`.
pub async fn up(
    spec: &LabSpec,
    folder: &Utf8Path,
    program: &Utf8Path,
    cpu: &Virtualization,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<Vec<SshNode>> {
    fs::create_dir_all(folder).with_context(|| format!("failed to make {folder}"))?;
    if journal::read(folder)?.is_empty() {
        journal::will_make(folder, &Resource::Folder(folder.to_owned()))?;
    }
    let log = folder.join(LOG);
    let host = Host::ensure(folder, program, tell).await?;
    let box_use = box_image::ensure(spec, &host, &log, tell).await?;
    let names = Names::of(spec);
    let expected: Vec<String> = spec.nodes.iter().map(|node| names.domain(node)).collect();
    let running = domains::running(&host).await?;
    // The sign that all of them were whole once: their host keys are known.
    let known_hosts = folder.join(ssh::KNOWN_HOSTS);
    if known_hosts.exists() && expected.iter().all(|domain| running.contains(domain)) {
        tell("the nodes run already");
        ssh::write_config(spec, &host, folder, box_use.own)?;
        return Ok(ssh::targets(spec, folder));
    }
    networks::ensure_pool(&host).await?;
    networks::ensure(spec, &host, folder).await?;
    let key = ssh::key(&host, folder, &spec.name).await?;
    let text = vagrantfile::render(spec, &box_use, &key, cpu, host.is_private())?;
    fs::write(folder.join("Vagrantfile"), text).context("failed to write the Vagrantfile")?;
    let recorded = serde_json::json!({ "kvm": cpu.kvm, "reason": cpu.reason });
    fs::write(folder.join(CPU_FILE), recorded.to_string())?;
    let defined = domains::all(&host).await?;
    if !(known_hosts.exists() && expected.iter().all(|domain| defined.contains(domain))) {
        // A node that is made anew has another key.
        netns::remove_file(&known_hosts)?;
        let base = base_volume(&box_use.name);
        let may_go = match (host.is_private(), box_use.own) {
            (true, _) => true,
            (false, true) => !others_use(folder, &base)?,
            // As much Vagrant's as the box itself: others of this machine may use it.
            (false, false) => false,
        };
        domains::remove_half_made(spec, &host, folder, may_go.then_some(&base)).await?;
        write_down(spec, &host, folder, box_use.own.then_some(base))?;
    }
    let cpus = if cpu.kvm { "KVM" } else { "TCG" };
    let stopped = expected.iter().filter(|domain| !running.contains(domain)).count();
    let nodes = if stopped == 1 { "node" } else { "nodes" };
    tell(&format!("starting {stopped} {nodes} under {cpus} ({})", cpu.reason));
    let begun = Instant::now();
    vagrant(&host, folder, &["up", "--no-provision", "--no-color"], tell).await?;
    tell(&format!("{stopped} {nodes} up after {:.0} s", begun.elapsed().as_secs_f64()));
    if !known_hosts.exists() {
        ssh::learn_host_keys(spec, &host, folder).await?;
    }
    ssh::write_config(spec, &host, folder, box_use.own)?;
    Ok(ssh::targets(spec, folder))
}

/// Journals what Vagrant is about to make, unless that was done by an earlier try.
fn write_down(spec: &LabSpec, host: &Host, folder: &Utf8Path, base: Option<String>) -> Result<()> {
    let names = Names::of(spec);
    let mut resources = Vec::new();
    // In a libvirt of the lab's own it goes with the lab's folder.
    if !host.is_private() {
        resources.extend(base.map(Resource::Volume));
    }
    resources.extend(spec.nodes.iter().map(|node| Resource::Domain(names.domain(node))));
    let written = journal::read(folder)?;
    for resource in resources.iter().filter(|resource| !written.contains(resource)) {
        journal::will_make(folder, resource)?;
    }
    Ok(())
}

/// What the name of the volume begins with that vagrant-libvirt makes of a box, for all its nodes
/// to begin with; the box's version, or when it was added, follows.
fn base_volume(name: &str) -> String {
    format!("{}_vagrant_box_image_", name.replace('/', "-VAGRANTSLASH-"))
}

/// Runs Vagrant on the lab's folder.
async fn vagrant(
    host: &Host,
    folder: &Utf8Path,
    arguments: &[&str],
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<()> {
    let home = format!("VAGRANT_HOME={}", box_image::vagrant_home()?);
    let cwd = format!("VAGRANT_CWD={folder}");
    let dotfile = format!("VAGRANT_DOTFILE_PATH={}", folder.join(".vagrant"));
    let argv = ["env", "-u", "VAGRANT_VAGRANTFILE", &home, &cwd, &dotfile];
    let fixed = ["VAGRANT_CHECKPOINT_DISABLE=1", "VAGRANT_DEFAULT_PROVIDER=libvirt", "vagrant"];
    let argv = [&argv[..], &fixed[..], arguments].concat();
    host.follow(&argv, &folder.join(LOG), UP_PATIENCE, &mut |line| {
        if let Some(line) = worth_telling(line) {
            tell(line);
        }
    })
    .await
    .with_context(|| format!("`vagrant {}` failed", arguments.join(" ")))
}

/// Vagrant's lines but for the settings of each machine, which are in the log.
fn worth_telling(line: &str) -> Option<&str> {
    let told = line.strip_prefix("==> ")?;
    let (_, what) = told.split_once(": ")?;
    let steps = [
        "Uploading",
        "Starting domain",
        "Waiting for domain",
        "Machine booted",
        "Adding",
        "Downloading",
    ];
    steps.iter().any(|step| what.trim_start().starts_with(step)).then_some(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_vagrant_only_the_steps_are_told() {
        let starting = "==> node2: Starting domain.";
        assert_eq!(worth_telling(starting), Some("node2: Starting domain."));
        assert_eq!(worth_telling("==> node1:  -- Cpus:              1"), None);
        assert_eq!(worth_telling("    node1: SSH username: vagrant"), None);
    }

    #[test]
    fn the_base_volume_has_vagrants_name() {
        assert_eq!(base_volume("own"), "own_vagrant_box_image_");
        assert_eq!(
            base_volume("debian/trixie64"),
            "debian-VAGRANTSLASH-trixie64_vagrant_box_image_"
        );
    }
}
