//! The lab's networks as batches for `ip` and `tc`.
//!
//! Two bridges in the supervisor's own namespace are the switches: one for guests and
//! management, one for migration. Each node has an uplink to both; the guest network ends in a
//! bridge of the node's own, on which the node has its address and the guest its tap device.

use crate::{
    shaping,
    spec::{LabSpec, Network},
};
use std::fmt::Write;

/// The tap device of the guest on every node.
pub const GUEST_TAP: &str = "guest0";
/// A node's link to the guest and management network.
pub const GUEST_UPLINK: &str = "lan0";
/// A node's link to the migration network.
pub const MIGRATION_UPLINK: &str = "mig0";
/// A node's own bridge, joining its guest to the guest network.
const NODE_BRIDGE: &str = "lan";

/// No spanning tree and no delay: a port forwards as soon as its link is up.
const BRIDGE: &str = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0";

/// Commands for `ip -batch` in the supervisor's namespace, before the nodes' own.
pub fn switches(spec: &LabSpec) -> String {
    let mut batch = "link set lo up\n".to_owned();
    for (bridge, network) in
        [("guest", &spec.networks.guest), ("migration", &spec.networks.migration)]
    {
        let mtu = network.mtu;
        let _infallible =
            writeln!(batch, "link add {bridge} mtu {mtu} {BRIDGE}\nlink set {bridge} up");
    }
    batch
}

/// Commands for `ip -batch` inside a node's namespace. Its uplinks' far ends go to process 1,
/// which is the supervisor.
pub fn node(spec: &LabSpec, index: usize) -> String {
    let mut batch = "link set lo up\n".to_owned();
    let (guest, migration) = (&spec.networks.guest, &spec.networks.migration);
    for (uplink, port, network) in [(GUEST_UPLINK, "g", guest), (MIGRATION_UPLINK, "m", migration)]
    {
        let mtu = network.mtu;
        let _infallible = writeln!(
            batch,
            "link add {uplink} mtu {mtu} type veth peer name {port}{index} mtu {mtu} netns 1"
        );
    }
    let mtu = guest.mtu;
    let _infallible = write!(
        batch,
        "link add {NODE_BRIDGE} mtu {mtu} {BRIDGE}\n\
         tuntap add dev {GUEST_TAP} mode tap\n\
         link set {GUEST_TAP} mtu {mtu} master {NODE_BRIDGE} up\n\
         link set {GUEST_UPLINK} up master {NODE_BRIDGE}\n\
         link set {MIGRATION_UPLINK} up\n\
         addr add {} dev {NODE_BRIDGE}\n\
         link set {NODE_BRIDGE} up\n\
         addr add {} dev {MIGRATION_UPLINK}\n",
        address(guest, index),
        address(migration, index),
    );
    batch
}

/// Commands for `ip -batch` in the supervisor's namespace, after the nodes' own: the far ends of
/// their uplinks become ports of the switches.
pub fn ports(nodes: usize) -> String {
    let mut batch = String::new();
    for index in 0..nodes {
        let _infallible = writeln!(
            batch,
            "link set g{index} up master guest\nlink set m{index} up master migration"
        );
    }
    batch
}

fn address(network: &Network, index: usize) -> String {
    format!("{}/{}", network.node_address(index), network.cidr.prefix())
}

/// Commands for `tc -batch` inside a node's namespace: its links at the rates of the lab file.
/// Empty when both are unlimited.
pub fn shaping(spec: &LabSpec) -> String {
    [
        (GUEST_UPLINK, spec.networks.guest.link_rate),
        (MIGRATION_UPLINK, spec.networks.migration.link_rate),
    ]
    .into_iter()
    .filter_map(|(device, rate)| Some(shaping::arguments(device, rate?).join(" ") + "\n"))
    .collect()
}
