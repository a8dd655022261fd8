//! What a playbook will be told of a machine that one already has: which cards, which addresses. It
//! is refused where the playbook would take something away that the machine lives by.

use crate::{
    provider::machines::{
        Links, chosen,
        devices::{self, Device, Home},
        not_a_guests, uplink,
    },
    spec::{Ipv4Cidr, LabSpec},
};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr};

/// Prints devices, routes, and the machine's address that our connection came to: each part ends
/// with a line of three dashes.
pub(super) const LOOK: &str = r#"set -u
ip -json -details address show; echo; echo ---
ip -json -4 route show table all; echo; echo ---
ip -json -6 route show table all; echo; echo ---
pid=$PPID
while [ "${pid:-0}" -gt 1 ]; do
  found=$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p')
  if [ -n "$found" ]; then
    # Its words: from where, port, to where, port.
    set -- $found
    echo "${3:-}"
    break
  fi
  pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
done
"#;

/// What is known of a machine before it is changed.
#[derive(Debug)]
pub(super) struct Machine {
    devices: Vec<Device>,
    routes: Vec<Route>,
    /// Where our connection came to, unless it came by no network.
    ssh: Option<IpAddr>,
}

#[derive(Debug, Deserialize)]
struct Route {
    #[serde(default)]
    dst: String,
    gateway: Option<String>,
    dev: Option<String>,
    #[serde(default)]
    nexthops: Vec<Hop>,
}

#[derive(Debug, Deserialize)]
struct Hop {
    dev: Option<String>,
}

impl Route {
    /// Whether it leads to other networks by this device.
    fn leaves_by(&self, device: &str) -> bool {
        let hops = self.nexthops.iter().map(|hop| hop.dev.as_deref());
        let leads = self.dst == "default" || self.gateway.is_some() || !self.nexthops.is_empty();
        leads && hops.chain([self.dev.as_deref()]).any(|dev| dev == Some(device))
    }
}

impl Machine {
    /// From what [`LOOK`] prints.
    pub(super) fn parse(said: &str) -> Result<Self> {
        let mut parts = said.split("\n---\n");
        let mut part = || parts.next().map(str::trim).context("the machine has not said all");
        let devices = devices::parse(part()?)?;
        let mut routes = Vec::new();
        for _family in [4, 6] {
            let more: Vec<Route> =
                serde_json::from_str(part()?).context("failed to understand its routes")?;
            routes.extend(more);
        }
        Ok(Self { devices, routes, ssh: part()?.parse().ok() })
    }

    /// The links of the node with this index, as the playbook is to make them; `bridge` is the one
    /// that it makes for guests.
    ///
    /// # Errors
    /// When a card is not known, or changing it would cost the machine something.
    pub(super) fn links(&self, spec: &LabSpec, index: usize, bridge: &str) -> Result<Links> {
        let name = spec.nodes.get(index).context("no such node")?;
        let chosen = chosen(spec, name);
        let networks = &spec.networks;
        let link = |network: &'static str, cidr: Ipv4Cidr, chosen: &Option<String>| {
            let asked = Asked {
                network,
                cidr,
                chosen: chosen.as_deref(),
                key: format!("hosts.{name}.devices.{network}"),
                address: cidr.host(u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1)),
                bridge: (network == "guest").then_some(bridge),
            };
            self.link(&asked)
        };
        let (guest_address, guest_device) = link("guest", networks.guest.cidr, &chosen.guest)?;
        let (migration_address, migration_device) =
            link("migration", networks.migration.cidr, &chosen.migration)?;
        let storage = match &networks.storage {
            Some(network) => Some(link("storage", network.cidr, &chosen.storage)?),
            None => None,
        };
        not_a_guests(spec, guest_address)?;
        let of_storage = storage.as_ref().map(|(_, device)| device);
        if guest_device == migration_device
            || [&guest_device, &migration_device].iter().any(|it| Some(*it) == of_storage)
        {
            bail!("two networks have one card\n\nhint: give each a card of its own");
        }
        Ok(Links { guest_address, guest_device, migration_address, migration_device, storage })
    }

    /// Address and card of one network.
    fn link(&self, asked: &Asked<'_>) -> Result<(Ipv4Addr, String)> {
        let home = devices::find(&self.devices, asked.network, asked.cidr)?;
        let (address, card) = match home {
            Some(home) => (home.address, self.has_address(asked, home)?),
            None => (asked.address, self.gets_address(asked)?),
        };
        let kind = card.kind.as_deref().unwrap_or("card");
        // A pair's end is the card of a machine that is a container.
        if !["card", "veth"].contains(&kind) || card.name == "lo" {
            bail!(
                "`{}`, of the {} network, is no card but a {kind}: `set_up` would configure it as \
                 if it were one\n\n{BY_HAND}",
                card.name,
                asked.network
            );
        }
        self.spares(asked, card, address)?;
        Ok((address, card.name.clone()))
    }

    /// The card of an address that is there.
    fn has_address<'a>(&'a self, asked: &Asked<'_>, home: Home<'a>) -> Result<&'a Device> {
        if home.prefix != asked.cidr.prefix() {
            bail!(
                "its address {}/{} in the {network} network would become {}/{}, by the `cidr` of \
                 the lab file\n\nhint: give `networks.{network}.cidr` the machine's own prefix",
                home.address,
                home.prefix,
                home.address,
                asked.cidr.prefix(),
                network = asked.network,
            );
        }
        let device = home.device;
        if Some(device.name.as_str()) == asked.bridge {
            return uplink::of(&self.devices, device, None, asked.chosen, &asked.key);
        }
        match asked.chosen {
            Some(chosen) if chosen != device.name => bail!(
                "`{}` is `{chosen}`, and its address {} is on `{}`\n\nhint: leave the key out, or \
                 move the address",
                asked.key,
                home.address,
                device.name
            ),
            _ => Ok(device),
        }
    }

    /// The card that is to get an address.
    fn gets_address(&self, asked: &Asked<'_>) -> Result<&Device> {
        let Some(chosen) = asked.chosen else {
            let free: Vec<_> = self.devices.iter().filter(|it| is_free(it)).collect();
            let free: Vec<_> = free.iter().map(|it| format!("`{}`", it.name)).collect();
            let free = match &free[..] {
                [] => "it has no card without an address".to_owned(),
                cards => format!("its cards without an address are {}", cards.join(", ")),
            };
            bail!(
                "it has no address in the {} network {} yet, and the lab file does not say which \
                 card is to have {}\n\nhint: name it as `{}`; {free}",
                asked.network,
                asked.cidr,
                asked.address,
                asked.key
            );
        };
        devices::named(&self.devices, chosen).with_context(|| {
            let all: Vec<_> = self.devices.iter().map(|it| it.name.as_str()).collect();
            format!(
                "`{}` is `{chosen}`, and there is no such device\n\nhint: there are {}",
                asked.key,
                all.join(", ")
            )
        })
    }

    /// Refuses a card by which the machine lives: the playbook takes all from it but the lab's own
    /// address.
    fn spares(&self, asked: &Asked<'_>, card: &Device, own: Ipv4Addr) -> Result<()> {
        let is_ours = |name: &str| name == card.name || Some(name) == asked.bridge;
        let refuse = |what: String| -> Result<()> {
            bail!(
                "`set_up` would configure its card `{}` for the {} network, and {what}\n\n{BY_HAND}",
                card.name,
                asked.network
            )
        };
        if let Some(master) = card.master.as_deref().filter(|it| !is_ours(it)) {
            return refuse(format!("it is a part of `{master}`"));
        }
        for device in &self.devices {
            // The two ends of a pair name each other.
            let lies_upon = device.link.as_deref() == Some(&card.name)
                && device.kind.as_deref() != Some("veth");
            if lies_upon {
                return refuse(format!("`{}` lies upon it", device.name));
            }
            let lost = |it: &&devices::Address| !it.of_link && it.ip != IpAddr::V4(own);
            if is_ours(&device.name)
                && let Some(other) = device.addresses.iter().find(lost)
            {
                return refuse(format!("`{}` has the address {} too", device.name, other.ip));
            }
            let holds = |it: &devices::Address| Some(it.ip) == self.ssh;
            if device.addresses.iter().any(holds)
                && uplink::below(&self.devices, device).iter().any(|it| is_ours(&it.name))
            {
                return refuse("this program itself came by it".to_owned());
            }
        }
        let mut ours = [Some(card.name.as_str()), asked.bridge].into_iter().flatten();
        if let Some(route) =
            ours.find_map(|device| self.routes.iter().find(|route| route.leaves_by(device)))
        {
            let route = match route.dst.as_str() {
                "default" => "default route".to_owned(),
                to => format!("route to {to}"),
            };
            return refuse(format!("the machine's {route} leads over it"));
        }
        Ok(())
    }
}

/// What helps where a card cannot be changed.
const BY_HAND: &str = "hint: name another card, or set the machine up by hand, with a bridge for \
    guests that has the tap device `guest0`, and leave `set_up` out";

fn is_free(device: &Device) -> bool {
    let card = matches!(device.kind.as_deref(), None | Some("veth")) && device.name != "lo";
    card && device.master.is_none() && device.addresses.iter().all(|address| address.of_link)
}

/// What is asked of one network's link.
struct Asked<'a> {
    network: &'static str,
    cidr: Ipv4Cidr,
    /// The card that the lab file names, and where it does.
    chosen: Option<&'a str>,
    key: String,
    /// The address that the card gets if there is none yet.
    address: Ipv4Addr,
    /// The bridge that the playbook makes over it.
    bridge: Option<&'a str>,
}

#[cfg(test)]
mod tests;
