//! The devices of a machine and their addresses, from what `ip -json -details address show` says.

use crate::spec::Ipv4Cidr;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr};

/// A network device of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// What the kernel calls its kind: `bridge`, `bond`, `vlan`, `veth`, `tun`, …; `None` of a
    /// card.
    pub kind: Option<String>,
    /// The device that it lies upon (of a VLAN), or the other end of a pair.
    pub link: Option<String>,
    /// The bridge or bond that it is a part of.
    pub master: Option<String>,
    /// Its addresses.
    pub addresses: Vec<Address>,
}

/// An address of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Bits of its network's prefix; 0 where that is not told.
    pub prefix: u8,
    /// Whether it is for this link alone, as each device has one.
    pub of_link: bool,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    ifname: String,
    link: Option<String>,
    master: Option<String>,
    #[serde(default)]
    linkinfo: LinkInfo,
    #[serde(default)]
    addr_info: Vec<SaidAddress>,
}

#[derive(Default, Deserialize)]
struct LinkInfo {
    info_kind: Option<String>,
}

#[derive(Deserialize)]
struct SaidAddress {
    local: Option<String>,
    #[serde(default)]
    prefixlen: u8,
    #[serde(default)]
    scope: String,
}

/// Every device of the machine.
///
/// # Errors
/// When that is no JSON of this form.
pub fn parse(json: &str) -> Result<Vec<Device>> {
    let said: Vec<Said> =
        serde_json::from_str(json).context("failed to understand what `ip` says")?;
    let address = |said: SaidAddress| {
        let ip = said.local?.parse().ok()?;
        Some(Address { ip, prefix: said.prefixlen, of_link: said.scope == "link" })
    };
    Ok(said
        .into_iter()
        .filter(|said| !said.ifname.is_empty())
        .map(|said| Device {
            name: said.ifname,
            kind: said.linkinfo.info_kind,
            link: said.link,
            master: said.master,
            addresses: said.addr_info.into_iter().filter_map(address).collect(),
        })
        .collect())
}

/// The device of this name.
#[must_use]
pub fn named<'a>(devices: &'a [Device], name: &str) -> Option<&'a Device> {
    devices.iter().find(|device| device.name == name)
}

/// An IPv4 address of a machine and the device that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home<'a> {
    /// The device.
    pub device: &'a Device,
    /// The address.
    pub address: Ipv4Addr,
    /// Bits of its network's prefix.
    pub prefix: u8,
}

fn homes(devices: &[Device]) -> impl Iterator<Item = Home<'_>> {
    devices.iter().flat_map(|device| {
        device.addresses.iter().filter_map(move |address| match address.ip {
            IpAddr::V4(ip) => Some(Home { device, address: ip, prefix: address.prefix }),
            IpAddr::V6(_) => None,
        })
    })
}

fn shown<'a>(homes: impl Iterator<Item = Home<'a>>) -> String {
    let shown = homes.map(|home| format!("{} ({})", home.address, home.device.name));
    shown.collect::<Vec<_>>().join(", ")
}

/// The one address in a network; `None` when there is none.
///
/// # Errors
/// When there are several.
pub fn find<'a>(devices: &'a [Device], network: &str, cidr: Ipv4Cidr) -> Result<Option<Home<'a>>> {
    let inside: Vec<Home<'_>> = homes(devices).filter(|it| cidr.contains(it.address)).collect();
    match inside[..] {
        [] => Ok(None),
        [home] => Ok(Some(home)),
        _ => bail!(
            "it has several addresses in the {network} network {cidr}: {}\n\nhint: name a smaller \
             range in the lab file, so that it is clear which one is meant",
            shown(inside.into_iter())
        ),
    }
}

/// All addresses, for people.
#[must_use]
pub fn all(devices: &[Device]) -> String {
    shown(homes(devices))
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
        let devices = parse(SAID).expect("understood");
        match find(&devices, "migration", cidr.parse().expect("a range")) {
            Ok(Some(home)) => format!("{} {}", home.device.name, home.address),
            Ok(None) => "none".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_one_address_in_a_network_says_the_device() {
        assert_eq!(found("10.78.0.0/24"), "eno2 10.78.0.1");
        assert_eq!(found("10.77.0.8/29"), "vmbr0 10.77.0.9");
        assert_eq!(found("10.79.0.0/24"), "none");
    }

    #[test]
    fn several_are_told_and_all_can_be() {
        let several = found("10.77.0.0/24");
        assert!(several.contains("several addresses in the migration network 10.77.0.0/24: 10.77.0.1 (vmbr0), 10.77.0.9 (vmbr0)"), "{several}");
        assert_eq!(
            all(&parse(SAID).expect("understood")),
            "127.0.0.1 (lo), 10.77.0.1 (vmbr0), 10.77.0.9 (vmbr0), 10.78.0.1 (eno2)"
        );
        assert!(parse("no JSON").is_err());
    }
}
