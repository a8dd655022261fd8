//! The machines of a lab file, and those that are none: nodes whose API alone is asked.

use crate::{node::Node, spec::LabSpec, ssh::SshTarget};
use anyhow::{Context, Result};

/// The nodes of a cluster whose API alone is asked.
pub fn by_api(spec: &LabSpec) -> Vec<Node> {
    spec.nodes.iter().map(|name| Node::by_api(name)).collect()
}

/// The machines; none where a cluster's API alone is asked.
pub(super) fn targets_if_any(spec: &LabSpec) -> Result<Vec<(String, SshTarget)>> {
    if spec.api().is_some() && !spec.has_ssh() { Ok(Vec::new()) } else { targets(spec) }
}

/// The machines, in the order of the lab's nodes.
pub(super) fn targets(spec: &LabSpec) -> Result<Vec<(String, SshTarget)>> {
    let hosts = spec.hosts.as_ref().filter(|_| spec.has_ssh()).context(
        "the lab's machines are not reached by SSH, and only so can they be used\n\nhint: give \
         every node `ssh` in the lab file; `cargo xtask lab-check` needs none",
    )?;
    spec.nodes
        .iter()
        .map(|node| {
            let host = hosts.get(node).with_context(|| format!("{node} has no machine"))?;
            // Labs need root: they make devices, mount file systems and shape links.
            let place =
                host.ssh.clone().with_context(|| format!("{node} is not reached by SSH"))?;
            let (config, host, sudo) = (host.ssh_config.clone(), place, true);
            Ok((node.clone(), SshTarget { config, host, sudo }))
        })
        .collect()
}
