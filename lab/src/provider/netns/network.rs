//! The lab's networks as batches for `ip`, and the shaping of links as arguments for `tc`.
//!
//! Two bridges in the supervisor's own namespace are the switches: one for guests and
//! management, one for migration. Each node has an uplink to both; the guest network ends in a
//! bridge of the node's own, on which the node has its address and the guest its tap device.

use crate::{
    spec::{LabSpec, Network},
    units::BitRate,
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

/// Arguments for `tc` that shape what leaves through `device`; `None` takes a shaping away.
///
/// A token bucket: the bucket holds 2 ms of the rate, so that a burst passes no faster than the
/// rate on any scale that a migration shows, yet at high rates whole TCP segments of 64 KiB pass
/// unsplit; the queue holds 20 ms, what a switch port would.
#[must_use]
pub fn shape(device: &str, rate: Option<BitRate>) -> Vec<String> {
    let Some(BitRate(bits_per_s)) = rate else {
        return ["qdisc", "replace", "dev", device, "root", "pfifo_fast"].map(str::to_owned).into();
    };
    let bytes_in_ms = |ms: u64| bits_per_s / 8 * ms / 1000;
    let burst = bytes_in_ms(2).max(16 << 10);
    let limit = bytes_in_ms(20).max(4 * burst);
    [
        "qdisc",
        "replace",
        "dev",
        device,
        "root",
        "tbf",
        "rate",
        &format!("{bits_per_s}bit"),
        "burst",
        &format!("{burst}b"),
        "limit",
        &format!("{limit}b"),
    ]
    .map(str::to_owned)
    .into()
}
