//! The lab's networks in libvirt, each a bridge of its own that leads nowhere else.

use super::{
    host::Host,
    names::{MANAGEMENT, Names},
    vagrantfile::networks,
};
use crate::{
    journal::{self, Resource},
    spec::LabSpec,
};
use anyhow::{Context, Result};
use camino::Utf8Path;
use std::{fs, time::Duration};

const PATIENCE: Duration = Duration::from_secs(60);
/// The addresses that DHCP may give to machines that are none of the lab's nodes.
const OTHERS: (u32, u32) = (201, 220);

/// Makes and starts the networks that are not there or do not run.
pub(super) async fn ensure(spec: &LabSpec, host: &Host, folder: &Utf8Path) -> Result<()> {
    let names = Names::of(spec);
    let listed =
        |text: String| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
    let all = listed(host.virsh(&["net-list", "--all", "--name"]).await?);
    let active = listed(host.virsh(&["net-list", "--name"]).await?);
    let mut wanted = vec![(MANAGEMENT, management(spec, &names, host.is_private()))];
    wanted.extend(networks(spec).into_iter().map(|name| (name, isolated(spec, &names, name))));
    for (name, xml) in wanted {
        let network = names.network(name);
        if !all.contains(&network) {
            journal::will_make(folder, &Resource::Network(network.clone()))?;
            let file = folder.join(format!("{name}.xml"));
            fs::write(&file, xml).with_context(|| format!("failed to write {file}"))?;
            host.virsh(&["net-define", file.as_str()]).await?;
        }
        if !active.contains(&network) {
            host.virsh(&["net-start", &network]).await.with_context(|| {
                format!("failed to start the network {network}\n\nhint: another network may have its addresses; another `name` of the lab or another `vagrant.prefix` takes others")
            })?;
        }
        // Also where a libvirt is started again after the machine was.
        host.virsh(&["net-autostart", &network]).await?;
    }
    Ok(())
}

/// Vagrant's own network: each node has its address for good.
fn management(spec: &LabSpec, names: &Names, private: bool) -> String {
    let cidr = names.management();
    let nodes = spec.nodes.iter().enumerate().map(|(index, node)| {
        let (mac, ip) = (names.mac(0, index), names.management_address(index));
        format!("      <host mac='{mac}' name='{node}' ip='{ip}'/>\n")
    });
    let nodes: String = nodes.collect();
    let forward = if private { "" } else { "  <forward mode='nat'/>\n" };
    format!(
        "<network>\n  <name>{}</name>\n{forward}  <bridge name='{}' stp='off' delay='0'/>\n  \
         <ip address='{}' netmask='255.255.255.0'>\n    <dhcp>\n      <range start='{}' end='{}'/>\n\
         {nodes}    </dhcp>\n  </ip>\n</network>\n",
        names.network(MANAGEMENT),
        names.bridge(MANAGEMENT),
        cidr.host(1),
        cidr.host(OTHERS.0),
        cidr.host(OTHERS.1),
    )
}

/// A network in which nobody but the nodes has an address.
fn isolated(spec: &LabSpec, names: &Names, name: &str) -> String {
    let mtu = spec.networks.all().find(|(other, _)| *other == name).map_or(1500, |(_, n)| n.mtu);
    format!(
        "<network>\n  <name>{}</name>\n  <bridge name='{}' stp='off' delay='0'/>\n  <mtu size='{mtu}'/>\n</network>\n",
        names.network(name),
        names.bridge(name),
    )
}

/// Stops and removes a network; one that is not there is no error.
pub(super) async fn remove(host: &Host, network: &str) -> Result<()> {
    let all = host.virsh(&["net-list", "--all", "--name"]).await?;
    if !all.split_whitespace().any(|name| name == network) {
        return Ok(());
    }
    let active = host.virsh(&["net-list", "--name"]).await?;
    if active.split_whitespace().any(|name| name == network) {
        host.virsh(&["net-destroy", network]).await?;
    }
    host.virsh(&["net-undefine", network]).await.map(drop)
}

/// The pool that Vagrant puts its volumes in. One that the machine has is used as it is.
pub(super) async fn ensure_pool(host: &Host) -> Result<()> {
    let pools = host.virsh(&["pool-list", "--all", "--name"]).await?;
    if !pools.split_whitespace().any(|pool| pool == "default") {
        let images = "/var/lib/libvirt/images";
        host.run(&["mkdir", "-p", images], PATIENCE).await?;
        host.virsh(&["pool-define-as", "default", "dir", "--target", images]).await?;
        host.virsh(&["pool-autostart", "default"]).await?;
    }
    let active = host.virsh(&["pool-list", "--name"]).await?;
    if !active.split_whitespace().any(|pool| pool == "default") {
        host.virsh(&["pool-start", "default"]).await?;
    }
    host.virsh(&["pool-refresh", "default"]).await.map(drop)
}
