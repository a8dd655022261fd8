//! How nodes are reached: a key of the lab's own, the nodes' true host keys, and an `ssh_config`.
//!
//! A node of our own box is given the lab's key before it boots; no other is ever let in. Its
//! host key is read once, right after it was made, over the lab's own isolated network, on which
//! there is nobody but this machine and the lab's nodes. From then on it is checked strictly.

use super::{
    host::{Host, this_program},
    names::Names,
    reach::REACH_ARGUMENT,
    vagrantfile::Key,
};
use crate::{process::quote, spec::LabSpec};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

const PATIENCE: Duration = Duration::from_secs(120);
/// The file that `ssh -F` takes.
pub(super) const CONFIG: &str = "ssh_config";
/// The nodes' true host keys; it is there once all of them have been up.
pub(super) const KNOWN_HOSTS: &str = "known_hosts";
const KEY: &str = "key";

/// How one node is reached by SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshNode {
    /// The node's name.
    pub node: String,
    /// The configuration that `ssh -F` needs.
    pub config: Utf8PathBuf,
    /// What to call the node there.
    pub host: String,
}

/// All nodes of the lab in this folder.
#[must_use]
pub fn targets(spec: &LabSpec, folder: &Utf8Path) -> Vec<SshNode> {
    let node = |name: &String| SshNode {
        node: name.clone(),
        config: folder.join(CONFIG),
        host: name.clone(),
    };
    spec.nodes.iter().map(node).collect()
}

/// The lab's key, made when it is not there.
pub(super) async fn key(host: &Host, folder: &Utf8Path, lab: &str) -> Result<Key> {
    let path = folder.join(KEY);
    let public = folder.join(format!("{KEY}.pub"));
    if !public.exists() {
        // Half a pair is of no use.
        if path.exists() {
            fs::remove_file(&path)?;
        }
        let comment = format!("precopy-lab-{lab}");
        let argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", &comment, "-f"];
        host.run(&[&argv[..], &[path.as_str()]].concat(), PATIENCE).await?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    }
    let text = fs::read_to_string(&public).with_context(|| format!("failed to read {public}"))?;
    Ok(Key { path: path.into_string(), public: text.trim().to_owned() })
}

/// Reads the host keys of nodes that were just made.
pub(super) async fn learn_host_keys(spec: &LabSpec, host: &Host, folder: &Utf8Path) -> Result<()> {
    let names = Names::of(spec);
    let mut known = String::new();
    for (index, node) in spec.nodes.iter().enumerate() {
        let address = names.management_address(index).to_string();
        let argv = ["ssh-keyscan", "-T", "60", "-t", "ed25519", &address];
        let text = host.run(&argv, PATIENCE).await?;
        let key = text.lines().find_map(|line| line.strip_prefix(&format!("{address} ")));
        let Some(key) = key else { bail!("{node} shows no host key at {address}") };
        known += &format!("{} {key}\n", names.domain(node));
    }
    let path = folder.join(KNOWN_HOSTS);
    let new = folder.join(format!("{KNOWN_HOSTS}.new"));
    fs::write(&new, known)
        .and_then(|()| fs::rename(&new, &path))
        .with_context(|| format!("failed to write {path}"))
}

/// Writes the `ssh_config` of the lab.
pub(super) fn write_config(
    spec: &LabSpec,
    host: &Host,
    folder: &Utf8Path,
    own_box: bool,
) -> Result<()> {
    let program = this_program()?;
    let path = folder.join(CONFIG);
    let new = folder.join(format!("{CONFIG}.new"));
    let text = config(spec, folder, host.is_private().then_some(program.as_path()), own_box);
    fs::write(&new, text)
        .and_then(|()| fs::rename(&new, &path))
        .with_context(|| format!("failed to write {path}"))
}

/// The text; `through` is the program that reaches into the lab's own network, where it has one.
fn config(spec: &LabSpec, folder: &Utf8Path, through: Option<&Utf8Path>, own_box: bool) -> String {
    let names = Names::of(spec);
    let mut text = format!("# The nodes of the lab {}: `ssh -F` this file.\n", spec.name);
    for (index, node) in spec.nodes.iter().enumerate() {
        let key = if own_box {
            folder.join(KEY)
        } else {
            folder.join(".vagrant/machines").join(node).join("libvirt/private_key")
        };
        text += &format!(
            "\nHost {node}\n  HostName {}\n  HostKeyAlias {}\n  User vagrant\n  IdentityFile \"{key}\"\n  \
             IdentitiesOnly yes\n  UserKnownHostsFile \"{}\"\n  GlobalKnownHostsFile /dev/null\n  \
             StrictHostKeyChecking yes\n  PasswordAuthentication no\n",
            names.management_address(index),
            names.domain(node),
            folder.join(KNOWN_HOSTS),
        );
        if let Some(program) = through {
            // ssh gives this line to a shell, and replaces what begins with `%`.
            let word = |text: &str| quote(text).replace('%', "%%");
            let (program, folder) = (word(program.as_str()), word(folder.as_str()));
            text += &format!("  ProxyCommand {program} {REACH_ARGUMENT} {folder} %h %p\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_behind_the_labs_own_network() {
        let text = "name: nested\nprovider: vagrant\nhypervisor: qemu\n";
        let spec = LabSpec::parse("labs/nested.yaml", text).expect("a lab");
        let folder = Utf8Path::new("/data/my labs/nested");
        let program = Utf8Path::new("/bin/xtask");
        insta::assert_snapshot!(config(&spec, folder, Some(program), true));
    }
}
