//! Which device of a machine is in which network, from what `ip -json -4 address show` says.

use crate::spec::Ipv4Cidr;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::net::Ipv4Addr;

/// An address of a machine, and the device that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub device: String,
    pub address: Ipv4Addr,
}

#[derive(Deserialize)]
struct Device {
    #[serde(default)]
    ifname: String,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    local: Option<String>,
}

/// Every address of the machine.
pub(super) fn parse(json: &str) -> Result<Vec<Link>> {
    let devices: Vec<Device> =
        serde_json::from_str(json).context("failed to understand what `ip` says")?;
    let links = devices.iter().flat_map(|device| {
        let addresses = device.addr_info.iter().filter_map(|it| it.local.as_ref()?.parse().ok());
        addresses.map(|address| Link { device: device.ifname.clone(), address })
    });
    Ok(links.collect())
}

/// The one address in a network.
pub(super) fn find(links: &[Link], network: &str, cidr: Ipv4Cidr) -> Result<Link> {
    let inside: Vec<&Link> = links.iter().filter(|link| cidr.contains(link.address)).collect();
    let shown = |links: &[&Link]| {
        let shown = links.iter().map(|link| format!("{} ({})", link.address, link.device));
        shown.collect::<Vec<_>>().join(", ")
    };
    match inside[..] {
        [link] => Ok(link.clone()),
        [] => bail!(
            "it has no address in the {network} network {cidr}\n\nhint: its addresses are {}; give \
             the network's `cidr` in the lab file, or the machine an address in it",
            shown(&links.iter().collect::<Vec<_>>())
        ),
        _ => bail!(
            "it has several addresses in the {network} network {cidr}: {}\n\nhint: name a smaller \
             range in the lab file, so that it is clear which one is meant",
            shown(&inside)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = r#"[
        {"ifindex":1,"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8}]},
        {"ifindex":2,"ifname":"eno1","addr_info":[]},
        {"ifindex":3,"ifname":"vmbr0","addr_info":[
            {"family":"inet","local":"10.77.0.1","prefixlen":24},
            {"family":"inet","local":"10.77.0.9","prefixlen":24,"secondary":true}]},
        {"ifindex":4,"ifname":"eno2","addr_info":[{"family":"inet","local":"10.78.0.1"}]},
        {}]"#;

    fn found(cidr: &str) -> String {
        let links = parse(SAID).expect("understood");
        match find(&links, "migration", cidr.parse().expect("a range")) {
            Ok(link) => format!("{} {}", link.device, link.address),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_one_address_in_a_network_says_the_device() {
        assert_eq!(found("10.78.0.0/24"), "eno2 10.78.0.1");
        assert_eq!(found("10.77.0.8/29"), "vmbr0 10.77.0.9");
    }

    #[test]
    fn none_and_several_are_told_with_what_there_is() {
        let none = found("10.79.0.0/24");
        assert!(none.starts_with("it has no address in the migration network 10.79.0.0/24\n"));
        assert!(
            none.contains("127.0.0.1 (lo), 10.77.0.1 (vmbr0), 10.77.0.9 (vmbr0), 10.78.0.1 (eno2)")
        );
        let several = found("10.77.0.0/24");
        assert!(several.contains("several addresses in the migration network 10.77.0.0/24: 10.77.0.1 (vmbr0), 10.77.0.9 (vmbr0)"), "{several}");
        assert!(parse("no JSON").is_err());
    }
}
