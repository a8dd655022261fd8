//! Which device leads from a machine into a network: the one that is shaped.
//!
//! What `tc` does to a bridge concerns only what the machine itself sends through it: guests' frames
//! go from port to port. So of a bridge the port is taken that leads out of the machine, and
//! everything that leaves passes it: guests' traffic and, over the guest network, migrations. A
//! VLAN, a bond and a plain card are that device themselves.

use super::devices::{Device, named};
use crate::spec::Link;
use anyhow::{Result, bail};

/// Kinds whose other end is a guest or nothing.
const LEAD_NOWHERE: [&str; 4] = ["tun", "dummy", "ifb", "nlmon"];

/// The device by which what `holder`, the device with the node's address, sends into the network
/// leaves the machine. `chosen` is what the lab file names for it, in `key`.
///
/// # Errors
/// When it cannot be told which one, naming those that it may be; when the chosen one is not one of
/// those.
pub fn of<'a>(
    devices: &'a [Device],
    holder: &'a Device,
    link: Option<Link>,
    chosen: Option<&str>,
    key: &str,
) -> Result<&'a Device> {
    let below = below(devices, holder);
    let names = |devices: &[&Device]| {
        let names: Vec<_> = devices.iter().map(|device| format!("`{}`", device.name)).collect();
        names.join(", ")
    };
    if let Some(chosen) = chosen {
        let Some(device) = below.iter().find(|device| device.name == chosen) else {
            bail!(
                "`{key}` is `{chosen}`, which does not carry what leaves by `{}`\n\nhint: one of {}",
                holder.name,
                names(&below)
            );
        };
        return Ok(device);
    }
    let candidates = candidates(devices, holder, link);
    match candidates[..] {
        [device] => Ok(device),
        [] => bail!(
            "no port of the bridge `{}` leads out of the machine\n\nhint: add a card to the bridge",
            holder.name
        ),
        _ => bail!(
            "it is not clear which device leads out of the machine: {}\n\nhint: choose one by `{key}` in the lab file",
            names(&candidates)
        ),
    }
}

/// The ports of a bridge; of a device of Open vSwitch those of all of its bridges, since the kernel
/// does not tell which is whose.
fn ports<'a>(devices: &'a [Device], bridge: &Device) -> Vec<&'a Device> {
    let master = if is(bridge, "openvswitch") { "ovs-system" } else { &bridge.name };
    devices.iter().filter(|device| device.master.as_deref() == Some(master)).collect()
}

fn is(device: &Device, kind: &str) -> bool {
    device.kind.as_deref() == Some(kind)
}

/// What a VLAN and the like lie upon; of a pair the other end is no such thing.
fn foundation<'a>(devices: &'a [Device], device: &Device) -> Option<&'a Device> {
    if is(device, "veth") { None } else { named(devices, device.link.as_deref()?) }
}

/// The device itself and all that what it sends passes on its way out: ports of bridges, what VLANs
/// lie upon. Not the cards of a bond, of which each has a part only.
pub fn below<'a>(devices: &'a [Device], device: &'a Device) -> Vec<&'a Device> {
    let mut found = vec![device];
    let mut next = 0;
    while let Some(device) = found.get(next).copied() {
        next += 1;
        let mut more = Vec::new();
        if is(device, "bridge") || is(device, "openvswitch") {
            more = ports(devices, device);
        }
        more.extend(foundation(devices, device));
        for device in more {
            if !found.contains(&device) {
                found.push(device);
            }
        }
    }
    found
}

/// Whether frames that it is given may leave the machine; a pair's lead to a container.
fn leads_out(device: &Device) -> bool {
    !is(device, "veth") && !LEAD_NOWHERE.iter().any(|kind| is(device, kind))
}

fn candidates<'a>(
    devices: &'a [Device],
    holder: &'a Device,
    link: Option<Link>,
) -> Vec<&'a Device> {
    if is(holder, "bridge") {
        let ports = ports(devices, holder);
        let out: Vec<_> = ports.iter().copied().filter(|port| leads_out(port)).collect();
        // Pairs lead to containers, unless the machine is one itself and has nothing else.
        return if out.is_empty() {
            ports.into_iter().filter(|port| is(port, "veth")).collect()
        } else {
            out
        };
    }
    // Guests' frames reach a VLAN of a bridge without passing the bridge's own device for it.
    let below = below(devices, holder);
    let switched = below.iter().any(|device| is(device, "bridge") || is(device, "openvswitch"));
    if link == Some(Link::Guest) && switched {
        return below
            .into_iter()
            .filter(|device| !is(device, "bridge") && leads_out(device))
            .collect();
    }
    vec![holder]
}

#[cfg(test)]
mod tests {
    use super::{
        super::devices::{find, parse},
        *,
    };

    /// Recorded in namespaces: a bridge of a pair's end and a tap device, and a pair's end by
    /// itself; then with a container's pair in the bridge, too.
    const BRIDGE: &str = include_str!("testdata/bridge.json");
    const TWO_VETHS: &str = include_str!("testdata/two_veths.json");
    /// Written in the form of `ip`, with fewer fields, for what no kernel at hand had: cards,
    /// VLANs, bonds, Open vSwitch.
    const LAYERS: &str = include_str!("testdata/layers.json");

    fn leaves(said: &str, cidr: &str, link: Link, chosen: Option<&str>) -> String {
        let devices = parse(said).expect("understood");
        let home = find(&devices, "any", cidr.parse().expect("a range")).expect("one");
        let holder = home.expect("an address").device;
        match of(&devices, holder, Some(link), chosen, "hosts.a.devices.guest") {
            Ok(device) => device.name.clone(),
            Err(error) => error.to_string(),
        }
    }

    fn guest(said: &str, cidr: &str) -> String {
        leaves(said, cidr, Link::Guest, None)
    }

    #[test]
    fn a_bridge_is_left_by_the_port_that_leads_out() {
        assert_eq!(guest(BRIDGE, "10.77.0.0/24"), "eth1");
        assert_eq!(guest(BRIDGE, "10.78.0.0/24"), "eth2");
        assert_eq!(guest(LAYERS, "10.77.0.0/24"), "eno1", "not the container's pair");
    }

    #[test]
    fn bonds_vlans_and_cards_are_left_by_themselves() {
        assert_eq!(guest(LAYERS, "10.78.0.0/24"), "bond0", "a bond under a bridge");
        assert_eq!(guest(LAYERS, "10.79.0.0/24"), "eno2.79", "a VLAN");
        assert_eq!(guest(LAYERS, "198.51.100.0/24"), "eno2", "a card");
        assert_eq!(leaves(LAYERS, "10.80.0.0/24", Link::Migration, None), "vmbr0.80");
    }

    #[test]
    fn what_is_not_clear_is_asked_for_by_name() {
        let two = guest(LAYERS, "10.81.0.0/24");
        assert_eq!(
            two,
            "it is not clear which device leads out of the machine: `eno5`, `eno6`\n\nhint: choose one by `hosts.a.devices.guest` in the lab file"
        );
        assert_eq!(leaves(LAYERS, "10.81.0.0/24", Link::Guest, Some("eno6")), "eno6");
        assert!(guest(TWO_VETHS, "10.77.0.0/24").contains("`eth1`, `veth9`"));
        assert_eq!(leaves(TWO_VETHS, "10.77.0.0/24", Link::Guest, Some("eth1")), "eth1");
        assert!(guest(LAYERS, "10.80.0.0/24").contains("`vmbr0.80`, `eno1`"), "a VLAN of a bridge");
        assert!(guest(LAYERS, "10.83.0.0/24").contains("`ovs0`, `eno7`"), "Open vSwitch");
        assert_eq!(leaves(LAYERS, "10.83.0.0/24", Link::Guest, Some("eno7")), "eno7");
        assert_eq!(leaves(LAYERS, "10.83.0.0/24", Link::Migration, None), "ovs0");
        assert!(guest(LAYERS, "10.82.0.0/24").contains("no port of the bridge `vmbr3`"));
        let foreign = leaves(LAYERS, "10.81.0.0/24", Link::Guest, Some("eno1"));
        assert!(foreign.contains("does not carry what leaves by `vmbr2`"), "{foreign}");
        assert!(foreign.ends_with("one of `vmbr2`, `eno5`, `eno6`"), "{foreign}");
    }
}
